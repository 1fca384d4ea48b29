# SPDX-License-Identifier: Apache-2.0
"""Where the sockets stand. A Unix socket's path has at most 107 bytes, however deep the node's directory is.

The pool writes the directory it chose to `opa/directory`; the node reads it from there and never guesses.
"""

import os
import re
import stat
import tempfile
from pathlib import Path
from typing import Final

from proxy_addons.durable import private_directory, write_durably

_LONGEST_SOCKET_PATH: Final = 107  # sun_path of Linux has 108 bytes, the last one is NUL
_NAME: Final = re.compile(r"([0-9]{20})\.sock")
_SHORT_PREFIX: Final = "gatehouse-opa-"


def socket_path(directory: Path, serial: int) -> Path:
    """Return where the OPA that serves bundle `serial` listens."""
    return directory / f"{serial:020d}.sock"


def serial_of(name: str) -> int | None:
    """Return the serial in a socket's file name, None for another file."""
    found = _NAME.fullmatch(name)
    return int(found[1]) if found else None


def choose_directory(opa_dir: Path, *, runtime_dir: str | None) -> Path:
    """Return a directory of mode 0700 for the sockets, and write its path to `opa_dir/directory`.

    It is `opa_dir` itself where that is short enough; else a fresh one below `runtime_dir` (XDG_RUNTIME_DIR) or /tmp.
    A fresh one recorded by an earlier run is used again if it is still ours alone, so that a kill leaves no litter.
    """
    private_directory(opa_dir)
    record = opa_dir / "directory"
    directory = opa_dir if _fits(opa_dir) else _recorded(record) or _fresh(runtime_dir)
    write_durably(record, os.fsencode(directory))
    return directory


def recorded_directory(opa_dir: Path) -> Path | None:
    """Return the directory the pool chose, None while it has not."""
    try:
        return Path(os.fsdecode((opa_dir / "directory").read_bytes()))
    except FileNotFoundError:
        return None


def _fits(directory: Path) -> bool:
    return len(os.fsencode(socket_path(directory, 0))) <= _LONGEST_SOCKET_PATH


def _recorded(record: Path) -> Path | None:
    directory = recorded_directory(record.parent)
    if directory is None or not directory.name.startswith(_SHORT_PREFIX) or not _fits(directory):
        return None
    try:
        found = directory.lstat()
    except OSError:
        return None
    # Names in /tmp are anybody's to take: only a real directory of this user that nobody else can enter will do.
    alone = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and stat.S_IMODE(found.st_mode) == 0o700  # noqa: PLR2004  # a mode reads best as one
    return directory if alone else None


def _fresh(runtime_dir: str | None) -> Path:
    parents = [Path(runtime_dir)] if runtime_dir else []
    for parent in [*parents, Path("/tmp")]:  # noqa: S108  # mkdtemp makes a directory of mode 0700 under a random name
        if parent.is_dir() and _fits(parent / (_SHORT_PREFIX + "12345678")):
            return Path(tempfile.mkdtemp(prefix=_SHORT_PREFIX, dir=parent))
    raise OSError("no directory is short enough for a Unix socket")
