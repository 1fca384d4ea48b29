# SPDX-License-Identifier: Apache-2.0
"""A disk that forgets what was not synced, as a loss of power makes it.

Calls about files below one folder are done and noted. From the notes it is known at any place of the run what is on the
disk for certain, and what may be: content by blocks, and names. `after_loss_of_power` puts one of the possible outcomes
into a folder, as chance has it: whatever was not synced may be there, in part, out of order, or not at all.
"""

import os
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

BLOCK = 512


@dataclass
class Inode:
    """A file's content as it is known to be on disk, and changes that may be there: each given to a byte array."""

    kept: bytearray = field(default_factory=bytearray)
    unsynced: list[Callable[[bytearray], None]] = field(default_factory=list)

    def sync(self) -> None:
        for change in self.unsynced:
            change(self.kept)
        self.unsynced.clear()


@dataclass
class Disk:
    """Inodes by number, names that are durable, and changes of names that are not yet: None takes a name away."""

    inodes: dict[int, Inode] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)
    unsynced: list[tuple[str, int | None]] = field(default_factory=list)

    def sync_names(self) -> None:
        for name, inode in self.unsynced:
            if inode is None:
                self.names.pop(name, None)
            else:
                self.names[name] = inode
        self.unsynced.clear()

    def after_loss_of_power(self, folder: Path, dice: random.Random) -> None:
        """Put into `folder` what may be left."""
        names = dict(self.names)
        for name, inode in self.unsynced:
            if dice.random() < 0.5:
                if inode is None:
                    names.pop(name, None)
                else:
                    names[name] = inode
        for name, inode in names.items():
            content = bytearray(self.inodes[inode].kept)
            for change in self.inodes[inode].unsynced:
                if dice.random() < 0.5:
                    change(content)
            (folder / name).write_bytes(content)


class ForgetfulDisk:
    """Notes what is done below `folder`. `moments` are the disk before each call was over, and what had been promised.

    A write that is under way has its blocks among the changes that may be there.
    """

    def __init__(self, folder: Path) -> None:
        self.promised: list[int] = []
        self.moments: list[tuple[Disk, tuple[int, ...]]] = []
        self._folder = str(folder)
        self._disk = Disk()
        self._descriptors: dict[int, tuple[int, bool]] = {}  # to inode, and whether its writes are synchronous
        self._directories: set[int] = set()
        self._guard = threading.RLock()

    @contextmanager
    def in_place(self) -> Iterator["ForgetfulDisk"]:
        with pytest.MonkeyPatch.context() as patched:
            for name in ("open", "close", "pwrite", "ftruncate", "fsync", "posix_fallocate", "rename", "unlink"):
                patched.setattr(os, name, self._noting(getattr(os, name), getattr(self, f"_{name}")))
            yield self

    def _noting(self, real: Callable[..., Any], note: Callable[..., None]) -> Callable[..., Any]:
        def call(*asked: Any, **options: Any) -> Any:
            with self._guard:
                if not self._ours(asked[0]):
                    return real(*asked, **options)
                result = real(*asked, **options)
                note(result, *asked)
                return result

        return call

    def _ours(self, subject: object) -> bool:
        if isinstance(subject, int):
            return subject in self._descriptors or subject in self._directories
        return isinstance(subject, str | os.PathLike) and os.fspath(subject).startswith(self._folder)

    def _moment(self) -> None:
        self.moments.append((deepcopy(self._disk), tuple(self.promised)))

    def _open(self, descriptor: int, path: Path, flags: int, _mode: int = 0) -> None:
        if flags & os.O_DIRECTORY:
            self._directories.add(descriptor)
            return
        number, name = os.fstat(descriptor).st_ino, Path(path).name
        if name not in self._current_names():
            self._disk.inodes[number] = Inode()
            self._disk.unsynced.append((name, number))
        self._descriptors[descriptor] = number, bool(flags & os.O_DSYNC)
        if flags & os.O_TRUNC:
            self._disk.inodes[number].unsynced.append(lambda content: content.clear())
        self._moment()

    def _current_names(self) -> dict[str, int]:
        disk = deepcopy(Disk({}, self._disk.names, self._disk.unsynced))
        disk.sync_names()
        return disk.names

    def _close(self, _: None, descriptor: int) -> None:
        self._descriptors.pop(descriptor, None)
        self._directories.discard(descriptor)

    def _pwrite(self, written: int, descriptor: int, content: bytes, at: int) -> None:
        number, synchronous = self._descriptors[descriptor]
        inode = self._disk.inodes[number]
        content = bytes(content)[:written]
        before = len(inode.unsynced)
        for begin in range(-(at % BLOCK), written, BLOCK):
            piece = content[max(0, begin) : begin + BLOCK]
            inode.unsynced.append(Overwrite(at + max(0, begin), piece))
        self._moment()
        if synchronous:
            # The content of this write and its length. What else is unsynced of the file stays so.
            for change in inode.unsynced[before:]:
                change(inode.kept)
            del inode.unsynced[before:]
            self._moment()

    def _ftruncate(self, _: None, descriptor: int, size: int) -> None:
        self._disk.inodes[self._descriptors[descriptor][0]].unsynced.append(Truncate(size))
        self._moment()

    def _posix_fallocate(self, _: None, descriptor: int, at: int, length: int) -> None:
        self._disk.inodes[self._descriptors[descriptor][0]].unsynced.append(Lengthen(at + length))
        self._moment()

    def _fsync(self, _: None, descriptor: int) -> None:
        if descriptor in self._directories:
            self._disk.sync_names()
        else:
            self._disk.inodes[self._descriptors[descriptor][0]].sync()
        self._moment()

    def _rename(self, _: None, old: Path, new: Path) -> None:
        number = self._current_names()[Path(old).name]
        # Each name for itself, so that both may be there, or neither: harsher than a journal is.
        self._disk.unsynced += [(Path(new).name, number), (Path(old).name, None)]
        self._moment()

    def _unlink(self, _: None, path: Path) -> None:
        self._disk.unsynced.append((Path(path).name, None))
        self._moment()


@dataclass(frozen=True)
class Overwrite:
    at: int
    content: bytes

    def __call__(self, file: bytearray) -> None:
        file.extend(bytes(max(0, self.at + len(self.content) - len(file))))
        file[self.at : self.at + len(self.content)] = self.content


@dataclass(frozen=True)
class Truncate:
    size: int

    def __call__(self, file: bytearray) -> None:
        del file[self.size :]
        file.extend(bytes(self.size - len(file)))


@dataclass(frozen=True)
class Lengthen:
    size: int

    def __call__(self, file: bytearray) -> None:
        file.extend(bytes(max(0, self.size - len(file))))
