# SPDX-License-Identifier: Apache-2.0
"""Appends frames to the segments of a spool, each time durably. For one thread, that of `clients/spool.py`.

Facts: zeros are written ahead of the records, AHEAD_BYTES at a time. Writing over them changes neither the file's size
nor its extents, so that most writes wait for their own block and not for the file system's journal. `O_DSYNC` makes
writing and syncing one call: between two calls the thread would have to get the interpreter's lock back.

Warning: after a failed write nobody knows what the disk holds. The segment is cut back to what was durable before and
left, and the next write opens a new one. It is never written to again, since the shipper may have read on in it; one
that was left empty is deleted when the next one is there.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from proxy_addons.clients.segments import MAGIC, segment_path, segments, size_of, whole_bytes
from proxy_addons.durable import sync_directory

# Some 150 records: so few writes change the file's size that they do not show, and a kill leaves little to cut off.
AHEAD_BYTES: Final = 256 * 1024


class SpoolFull(Exception):
    """There are as many bytes in the spool as it may have."""


class SegmentWriter:
    """Writes to `directory`, which belongs to it alone. Cuts off a torn frame and starts a segment of its own."""

    def __init__(self, directory: Path, *, segment_bytes: int, high_water_bytes: int) -> None:
        self._directory = directory
        self._segment_bytes = segment_bytes
        self._high_water_bytes = high_water_bytes
        self._segment: int | None = None  # its descriptor; None: the next write opens a new segment
        self._segment_size = 0  # of its frames; zeros written ahead follow them
        self._allocated = 0  # of the file, with those zeros
        self._left_empty: Path | None = None
        self._total = size_of(directory)
        self._number = self._recover()

    def _recover(self) -> int:
        """Cut the torn end off the last segment, and return its number (0 where there is none)."""
        found = segments(self._directory)
        if not found:
            return 0
        last = found[-1]
        descriptor = os.open(last.path, os.O_RDWR | os.O_CLOEXEC)
        try:
            size, whole = os.fstat(descriptor).st_size, whole_bytes(descriptor)
            if whole < size:
                os.ftruncate(descriptor, whole)
                # Else the torn end could be back after a power loss, in a segment that is no longer the last.
                os.fsync(descriptor)
                self._total -= size - whole
        finally:
            os.close(descriptor)
        return last.number

    def append(self, frames: bytes) -> None:
        """Make `frames` durable; without any, find out whether some could be. Raises SpoolFull, OSError."""
        wanted = len(frames) or AHEAD_BYTES
        if self._total + wanted > self._high_water_bytes:
            # The shipper deletes what is acknowledged, so the sum kept here is an upper bound: count again.
            self._total = size_of(self._directory) - (self._allocated - self._segment_size)
            if self._total + wanted > self._high_water_bytes:
                raise SpoolFull("the spool is full: records are not being shipped")
        if self._segment is None or self._segment_size >= self._segment_bytes:
            self._rotate()
        if not self._segment_size and frames:
            frames = MAGIC + frames
        try:
            self._write_through(frames)
        except OSError:
            self._abandon_segment()
            raise
        self._segment_size += len(frames)
        self._total += len(frames)

    def _write_through(self, frames: bytes) -> None:
        descriptor = self._segment
        if descriptor is None:
            raise OSError("no segment is open")
        at, end = self._segment_size, self._segment_size + len(frames)
        if not frames or end > self._allocated:
            frames += bytes(max(0, min(AHEAD_BYTES, self._segment_bytes - end)))
            self._allocated = at + len(frames)
        rest = memoryview(frames)
        # On a nearly full disk there is room for the records and none for zeros. A trial wants room for all of them.
        while rest and (at < end or end == self._segment_size):
            written = os.pwrite(descriptor, rest, at)
            rest, at = rest[written:], at + written

    def _rotate(self) -> None:
        self.close()
        # O_EXCL: a segment that is already there was written by somebody else, and is not to be written to.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_DSYNC | os.O_CLOEXEC
        self._number += 1
        descriptor = os.open(segment_path(self._directory, self._number), flags, 0o600)
        try:
            sync_directory(self._directory)
        except OSError:
            os.close(descriptor)  # its name may be lost, and every record in it
            raise
        self._segment = descriptor
        if self._left_empty is not None:
            # Else a full disk would get a file for every request that it refuses.
            self._left_empty.unlink(missing_ok=True)
            self._left_empty = None

    def _abandon_segment(self) -> None:
        if not self._segment_size:
            self._left_empty = segment_path(self._directory, self._number)
        self.close()

    def close(self) -> None:
        """Cut off what follows the last record. Where that fails, a reader can tell it from records."""
        descriptor, size, longer = self._segment, self._segment_size, self._allocated > self._segment_size
        self._segment, self._segment_size, self._allocated = None, 0, 0
        if descriptor is None:
            return
        if longer:
            with suppress(OSError):
                os.ftruncate(descriptor, size)
        os.close(descriptor)
