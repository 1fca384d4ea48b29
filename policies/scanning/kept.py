# SPDX-License-Identifier: Apache-2.0
"""Compiled databases kept in a folder, for commands that are started often: compiling takes seconds, loading none.

A database is found under a digest of all that it was compiled from, so that none is ever older than its patterns. It
is machine code in all but name, and hyperscan believes it: so a folder that others may write to is not used, and a file
that does not have its own digest, or that hyperscan does not load here (another kind of processor), is as good as none.
Whatever goes wrong with the folder, the database is compiled.
"""

import contextlib
import hashlib
import os
import platform
import secrets
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import hyperscan

# Three for each set of detectors; those of all of ours have some 10 MB.
_MOST_FILES: Final = 24
_DIGEST_BYTES: Final = 32
_OTHERS_MAY_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True, slots=True)
class KeptDatabases:
    """A folder, made when something is to be kept in it."""

    folder: Path

    def get(self, name: str) -> bytes | None:
        """Return what was kept under this name, if it can be loaded here."""
        try:
            if not self._is_ours():
                return None
            kept = (self.folder / name).read_bytes()
            digest, database = kept[:_DIGEST_BYTES], kept[_DIGEST_BYTES:]
            if digest != hashlib.sha256(database).digest():
                return None
            hyperscan.loadb(database, hyperscan.HS_MODE_BLOCK)
        except (OSError, hyperscan.error):
            return None
        return database

    def put(self, name: str, database: bytes) -> None:
        """Keep it, if that can be done."""
        with contextlib.suppress(OSError):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self._is_ours():
                return
            # Written beside and renamed: nobody reads half of it.
            new = self.folder / f".{secrets.token_hex(8)}"
            try:
                new.write_bytes(hashlib.sha256(database).digest() + database)
                new.replace(self.folder / name)
            finally:
                new.unlink(missing_ok=True)
            self._forget_oldest()

    def _is_ours(self) -> bool:
        found = self.folder.lstat()
        ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
        return ours and not found.st_mode & _OTHERS_MAY_WRITE

    def _forget_oldest(self) -> None:
        files = sorted(self.folder.iterdir(), key=lambda file: file.stat().st_mtime, reverse=True)
        for file in files[_MOST_FILES:]:
            file.unlink(missing_ok=True)


def name_of(expressions: Sequence[str], numbers: Sequence[int], flags: int) -> str:
    """Return the name of the database that is compiled from these."""
    version = hyperscan.__version__  # type: ignore[attr-defined]  # which its stubs do not know
    said = repr((version, platform.machine(), flags, list(numbers), list(expressions)))
    return hashlib.sha256(said.encode()).hexdigest()
