# SPDX-License-Identifier: Apache-2.0
"""Numbers and base64 as C2SP formats write them: each value has one form, and any other is refused."""

import base64
import binascii
import re
from typing import Final

from controlplane.audit.hashes import HASH_BYTES

_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_LARGEST: Final = 2**63 - 1


def decimal(text: str) -> int:
    """Return the number from 0 to before 2^63 that `text` writes without leading zeros, or raise ValueError."""
    # Bounded before it is converted: int() of a text of megabytes takes as long as an attacker likes.
    number = int(text) if _DECIMAL.fullmatch(text) else _LARGEST + 1
    if number > _LARGEST:
        raise ValueError("not a number from 0 to 2^63 - 1 without leading zeros")
    return number


def to_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def from_base64(text: str) -> bytes:
    """Return what `text` encodes in standard base64 with padding and no spare bits set, or raise ValueError."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as exc:
        raise ValueError("not base64") from exc
    if to_base64(data) != text:
        raise ValueError("not base64 in its only form")
    return data


def hash_from_base64(text: str) -> bytes:
    """Return the hash that `text` encodes, or raise ValueError."""
    data = from_base64(text)
    if len(data) != HASH_BYTES:
        raise ValueError("not a hash of 32 bytes")
    return data
