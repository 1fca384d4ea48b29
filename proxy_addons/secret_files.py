# SPDX-License-Identifier: Apache-2.0
"""Files that hold one secret each."""

import string
from pathlib import Path
from typing import Final

from proxy_addons.settings import SettingInvalid

# Read whole at start; a pepper or a token is far smaller, a larger file is not one.
_LARGEST_SECRET_BYTES: Final = 64 * 1024


def read_secret(path: Path) -> str:
    """Return the one line of a secret file. Raises SettingInvalid where it is empty, too large or not plain ASCII."""
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_SECRET_BYTES + 1)
    except OSError as exc:
        raise SettingInvalid(str(path), f"cannot be read ({exc.strerror})") from exc
    secret = content.strip()
    if not secret or len(content) > _LARGEST_SECRET_BYTES or not secret.isascii() or b"\n" in secret:
        raise SettingInvalid(str(path), "must hold one line of ASCII")
    return secret.decode()


def read_hex_key(path: Path) -> bytes:
    """Return the key a file holds as 64 hexadecimal digits. Raises SettingInvalid for anything else."""
    digits = read_secret(path)
    if len(digits) != 64 or not set(string.hexdigits).issuperset(digits):  # noqa: PLR2004  # 32 bytes, said below
        raise SettingInvalid(str(path), "must hold 64 hexadecimal digits (32 bytes)")
    return bytes.fromhex(digits)
