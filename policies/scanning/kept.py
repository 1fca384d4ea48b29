# SPDX-License-Identifier: Apache-2.0
"""Compiled databases kept in a folder, for processes that start often: compiling takes seconds, loading none.

A database is found under a digest of all that it was compiled from, so that none is ever older than its patterns. It
is machine code in all but name, and hyperscan believes it: so a folder that others may write to is not used, and a file
that does not have its own digest, or that hyperscan does not load here (another kind of processor), is as good as none.
Whatever goes wrong with the folder, the database is compiled; by a process that must not, it is missed.
"""

import contextlib
import hashlib
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import hyperscan

from policies.scanning.source import CannotScan, Source

# Up to five for each set of detectors; those of all of ours have some 10 MB.
_MOST_FILES: Final = 60
_DIGEST_BYTES: Final = 32
_OTHERS_MAY_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


class NotCompiled(CannotScan):
    """A database is not where whoever may not compile was to find it."""


@dataclass(frozen=True, slots=True)
class KeptDatabases:
    """A folder, made when something is to be kept in it. Unless `compiles`, what is not there is missed."""

    folder: Path
    compiles: bool = True

    def of(self, source: Source) -> bytes:
        """Return the database of `source`, and keep it if it was not there. Raises CannotScan, NotCompiled."""
        if not source.expressions:
            return b""
        name = source.name
        database = self.get(name)
        if database is None:
            if not self.compiles:
                raise NotCompiled(f"{self.folder} has no patterns compiled for this: restart the node to compile them")
            database = source.compiled()
            self.put(name, database)
        return database

    def get(self, name: str) -> bytes | None:
        """Return what was kept under this name, if it can be loaded here."""
        try:
            if not self._is_ours():
                return None
            file = self.folder / name
            kept = file.read_bytes()
            digest, database = kept[:_DIGEST_BYTES], kept[_DIGEST_BYTES:]
            if digest != hashlib.sha256(database).digest():
                return None
            hyperscan.loadb(database, hyperscan.HS_MODE_BLOCK)
        except (OSError, hyperscan.error):
            return None
        with contextlib.suppress(OSError):  # a folder may be there to read only
            os.utime(file)  # what is in use is not the oldest
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
                with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
                    file.write(hashlib.sha256(database).digest() + database)
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
