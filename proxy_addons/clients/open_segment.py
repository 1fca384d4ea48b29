# SPDX-License-Identifier: Apache-2.0
"""A segment that is being written to, each time durably. For one thread, that of `clients/spool.py`.

Facts: zeros are written ahead of the records. Writing over them changes neither the file's size nor its extents, so
that most writes wait for their own block and not for the file system's journal. `O_DSYNC` makes writing and syncing one
call: between two calls the thread would have to get the interpreter's lock back.
"""

import errno
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from proxy_addons.clients.segments import MAGIC, frame
from proxy_addons.durable import sync_directory

_FLAGS: Final = os.O_WRONLY | os.O_DSYNC | os.O_CLOEXEC
# A block: what a disk is asked to take to see whether it takes anything.
_PROBE_BYTES: Final = 4096


class OpenSegment:
    """The segment at `path`, empty until now. After a failed `append` nobody knows what it holds: it is to be left."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.size = 0  # of what is known to be durable
        self._descriptor = descriptor
        self._allocated = os.fstat(descriptor).st_size

    @classmethod
    def create(cls, path: Path) -> "OpenSegment":
        """Raises OSError; there is then no file."""
        # O_EXCL: a segment that is already there was written by somebody else, and is not to be written to.
        descriptor = os.open(path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o600)
        return cls._named(path, descriptor)

    @classmethod
    def from_reserve(cls, reserve: Path, path: Path) -> "OpenSegment":
        """Make the file `reserve`, whose zeros the disk has room for, the segment at `path`. Raises OSError."""
        descriptor = os.open(reserve, _FLAGS)
        try:
            reserve.rename(path)
        except OSError:
            os.close(descriptor)
            raise
        return cls._named(path, descriptor)

    @classmethod
    def _named(cls, path: Path, descriptor: int) -> "OpenSegment":
        try:
            sync_directory(path.parent)
            return cls(path, descriptor)
        except OSError:
            os.close(descriptor)  # its name may be lost, and with it every record
            with suppress(OSError):
                path.unlink(missing_ok=True)
            raise

    @property
    def room_bytes(self) -> int:
        """What can be written without asking the disk for more."""
        return self._allocated - self.size

    def allocate(self, wanted: int) -> None:
        """See to it that there is room for `wanted` bytes. Raises OSError; what is durable stays so."""
        at, end = self._allocated, self.size + wanted
        while at < end:
            at += os.pwrite(self._descriptor, bytes(end - at), at)
            self._allocated = at

    def probe(self) -> None:
        """Find out whether the disk takes a write. Raises OSError."""
        self.check_name()
        self.allocate(_PROBE_BYTES)
        os.pwrite(self._descriptor, bytes(_PROBE_BYTES), self.size)

    def check_name(self) -> None:
        """Raise FileNotFoundError where somebody deleted the file: what is written to it is lost."""
        if not os.fstat(self._descriptor).st_nlink:
            raise FileNotFoundError(errno.ENOENT, "the segment was deleted", str(self.path))

    def append(self, lines: Sequence[bytes]) -> None:
        """Make `lines` durable. Raises OSError."""
        begins = b"" if self.size else MAGIC
        rest, at = memoryview(begins + b"".join(map(frame, lines))), self.size
        while rest:
            written = os.pwrite(self._descriptor, rest, at)
            rest, at = rest[written:], at + written
        self.size = at
        self._allocated = max(self._allocated, at)

    def leave(self) -> None:
        """Cut off what follows the last durable record. Where that fails, a reader can tell it from records."""
        if self.room_bytes:
            with suppress(OSError):
                os.ftruncate(self._descriptor, self.size)
        with suppress(OSError):  # everything in it is durable
            os.close(self._descriptor)
