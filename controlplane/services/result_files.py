# SPDX-License-Identifier: Apache-2.0
"""The folder that results of jobs are in: readable by its owner alone, and no larger than it may be.

A result appears under its name only when all of it is on the disk. What was begun has another name, so that what a
killed process left behind can be told apart and removed.
"""

import contextlib
import hashlib
import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from controlplane.services.errors import Conflict

_BEGUN: Final = ".part"
# What is left for the end is on the disk within seconds, also of a slow one: a job's lease outlasts it.
_SYNC_EVERY_BYTES: Final = 64 * 1024 * 1024
# What a file of ours is called, begun or whole: an identifier of an operation and what follows it.
_LEFT: Final = re.compile(r"op_[0-9A-Z]+\.[a-z0-9.]+", re.ASCII)
# What a name may be: ours are an identifier and a suffix, and nothing that leads elsewhere.
_NAME: Final = re.compile(r"[A-Za-z0-9_]+(?:\.[a-z0-9]+)+", re.ASCII)


class FolderFull(Exception):
    """The results would take more than they may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultFiles:
    """`folder` is None where none was set: then nothing is exported."""

    folder: Path | None
    max_bytes: int

    def require(self) -> Path:
        """Return the folder. Raises Conflict where there is none."""
        if self.folder is None:
            raise Conflict(
                "exports-off",
                "This control plane has no folder for results: set GATEHOUSE_EXPORT_DIR to one that replicas share.",
            )
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self.folder

    @contextlib.contextmanager
    def begin(self, name: str, *, fence: int, room: int) -> Iterator["GrowingFile"]:
        """Yield a file of at most `room` bytes; what was not kept at the end of the block is removed.

        `fence` tells this attempt from earlier ones, whose files are removed: their processes died or lost the job.
        """
        folder, name = self.require(), _checked(name)
        for left in folder.glob(f"{name}.*{_BEGUN}"):
            left.unlink(missing_ok=True)
        begun = folder / f"{name}.{fence}{_BEGUN}"
        descriptor = os.open(begun, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield GrowingFile(file=file, begun=begun, path=folder / name, room=room)
        finally:
            begun.unlink(missing_ok=True)

    def path(self, name: str) -> Path | None:
        """Return where a result is; None where it is not."""
        path = self.require() / _checked(name)
        return path if path.is_file() else None

    def remove(self, names: Collection[str]) -> None:
        if self.folder is not None:
            for name in names:
                (self.folder / _checked(name)).unlink(missing_ok=True)

    def sweep(self, *, keep: Collection[str], before: float) -> None:
        """Remove what is no result (any more) and was last written to before `before` (seconds since 1970)."""
        if self.folder is None or not self.folder.is_dir():
            return
        for path in self.folder.iterdir():
            if path.name not in keep and _LEFT.fullmatch(path.name) and path.stat().st_mtime < before:
                path.unlink(missing_ok=True)


@dataclass(slots=True, kw_only=True)
class GrowingFile:
    """What a job writes to, from its beginning to its end. It counts and hashes as it goes."""

    file: BinaryIO
    begun: Path
    path: Path
    room: int
    size_bytes: int = 0
    _unsynced: int = 0
    _hash: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def write(self, part: bytes) -> int:
        """Append, and return how many bytes that were. Raises FolderFull where there is no room for them."""
        if self.size_bytes + len(part) > self.room:
            raise FolderFull
        self.size_bytes += len(part)
        self._hash.update(part)
        written = self.file.write(part)
        self._unsynced += written
        if self._unsynced >= _SYNC_EVERY_BYTES:
            self._sync()
        return written

    def flush(self) -> None:
        self.file.flush()

    def keep(self) -> tuple[int, str]:
        """Give the file its name, durably, and return its size and digest. Nothing may be written afterwards."""
        self._sync()
        self.begun.rename(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return self.size_bytes, f"sha256:{self._hash.hexdigest()}"

    def _sync(self) -> None:
        self.file.flush()
        os.fsync(self.file.fileno())
        self._unsynced = 0


def _checked(name: str) -> str:
    if _NAME.fullmatch(name) is None:
        raise ValueError("not the name of a result")
    return name
