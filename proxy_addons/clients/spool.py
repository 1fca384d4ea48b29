# SPDX-License-Identifier: Apache-2.0
"""The worker's end of the spool: a record is on disk when `write` returns.

Theory: `write` queues the line and waits. One thread of its own takes everything queued, appends it with one `write`
and one `fdatasync`, and wakes all who waited; what arrives meanwhile is the next group. So the group grows with the
load, no timer delays a lone record, and the event loop never waits for a disk.

Warning: after a failed `fdatasync` nobody knows what disk holds. The group's writers get SpoolUnavailable, the segment
is cut back to what was durable before and left, and the next group opens a new one. It is never written to again, since
the shipper may have read on in it; one that was left empty is deleted when the next one is there.
"""

import asyncio
import fcntl
import os
import secrets
import threading
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from policies.contracts.record import DecisionRecord, Source
from proxy_addons.clients.segments import MAX_LINE_BYTES, frame, segment_path, segments, size_of, whole_bytes
from proxy_addons.durable import private_directory, sync_directory

SEGMENT_BYTES: Final = 4 * 1024 * 1024
HIGH_WATER_BYTES: Final = 256 * 1024 * 1024


class SpoolUnavailable(Exception):
    """A record that is not durable and will not be. The text names no content."""


class Spool:
    """Appends records to `directory`, which it locks: two processes never write to one spool.

    `open` takes the lock, cuts off a torn frame and starts a segment of its own. Raises SpoolUnavailable where
    another process has the directory, OSError where it cannot be written.
    """

    def __init__(self, directory: Path, *, source_id: str, segment_bytes: int, high_water_bytes: int) -> None:
        self._directory = private_directory(directory)
        self._source_id = source_id
        self._boot_id = secrets.token_hex(16)
        self._seq = 0
        self._segment_bytes = segment_bytes
        self._high_water_bytes = high_water_bytes
        self._lock = _lock(directory)
        self._segment: int | None = None  # its descriptor; None: the next group opens a new segment
        self._segment_size = 0
        self._left_empty: Path | None = None
        self._total = 0
        self._number = self._recover()
        self._waiting: deque[_Group] = deque()
        self._wake = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._flush_until_closed, name="spool", daemon=True)

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        source_id: str,
        segment_bytes: int = SEGMENT_BYTES,
        high_water_bytes: int = HIGH_WATER_BYTES,
    ) -> Self:
        spool = cls(directory, source_id=source_id, segment_bytes=segment_bytes, high_water_bytes=high_water_bytes)
        spool._thread.start()
        return spool

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def next_source(self) -> Source:
        """Return the source of the next record. Every number given out and not written is a gap that will be found."""
        self._seq += 1
        return Source(id=self._source_id, boot_id=self._boot_id, seq=self._seq)

    async def write(self, record: DecisionRecord) -> None:
        """Return once `record` is durable. Raises SpoolUnavailable where it is not and will not be."""
        line = record.to_line()
        if len(line) > MAX_LINE_BYTES:
            raise SpoolUnavailable(f"a record has {len(line)} bytes, more than {MAX_LINE_BYTES}")
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        with self._wake:
            if self._closed:
                raise SpoolUnavailable("the spool is closed")
            # Writers that wait for the same flush on the same loop are one group, woken by one call.
            if not self._waiting or self._waiting[-1].loop is not loop:
                self._waiting.append(_Group(loop))
            self._waiting[-1].add(frame(line), done)
            self._wake.notify()
        await done

    def close(self) -> None:
        """Write what is queued, then give back directory and thread."""
        with self._wake:
            if self._closed:
                return
            self._closed = True
            self._wake.notify()
        if self._thread.is_alive():
            self._thread.join()
        if self._segment is not None:
            os.close(self._segment)
        os.close(self._lock)

    def _recover(self) -> int:
        """Cut the torn end off the last segment, and return its number (0 where there is none)."""
        found = segments(self._directory)
        self._total = size_of(self._directory)
        if not found:
            return 0
        last = found[-1]
        size, whole = last.path.stat().st_size, whole_bytes(last.path)
        if whole < size:
            os.truncate(last.path, whole)
            self._total -= size - whole
        return last.number

    def _flush_until_closed(self) -> None:
        while True:
            with self._wake:
                while not self._waiting and not self._closed:
                    self._wake.wait()
                if not self._waiting:
                    return
                groups = list(self._waiting)
                self._waiting.clear()
            for group in groups:
                try:
                    self._append(b"".join(group.frames))
                except OSError as exc:
                    group.finish(SpoolUnavailable(f"the spool cannot be written ({exc.strerror})"))
                except SpoolUnavailable as exc:
                    group.finish(exc)
                else:
                    group.finish(None)

    def _append(self, frames: bytes) -> None:
        if self._total + len(frames) > self._high_water_bytes:
            # The shipper deletes what is acknowledged, so the sum kept here is an upper bound: count again.
            self._total = size_of(self._directory)
            if self._total + len(frames) > self._high_water_bytes:
                raise SpoolUnavailable("the spool is full: records are not being shipped")
        if self._segment is None or self._segment_size >= self._segment_bytes:
            self._rotate()
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
        rest = memoryview(frames)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fdatasync(descriptor)

    def _rotate(self) -> None:
        if self._segment is not None:
            os.close(self._segment)
            self._segment = None
        # O_EXCL: a segment that is already there was written by somebody else, and is not to be appended to.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._number += 1
        descriptor = os.open(segment_path(self._directory, self._number), flags, 0o600)
        try:
            sync_directory(self._directory)
        except OSError:
            os.close(descriptor)  # its name may be lost, and every record in it
            raise
        self._segment, self._segment_size = descriptor, 0
        if self._left_empty is not None:
            # Else a full disk would get a file for every request that it refuses.
            self._left_empty.unlink(missing_ok=True)
            self._left_empty = None

    def _abandon_segment(self) -> None:
        descriptor, self._segment = self._segment, None
        if descriptor is None:
            return
        try:
            os.ftruncate(descriptor, self._segment_size)
        except OSError:
            # The rest of a frame stays; whoever reads the segment finds it torn and goes on with the next one.
            return
        finally:
            os.close(descriptor)
        if not self._segment_size:
            self._left_empty = segment_path(self._directory, self._number)


class _Group:
    """Frames that become durable together, and those who wait for them, all on one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.frames: list[bytes] = []
        self._futures: list[asyncio.Future[None]] = []

    def add(self, framed: bytes, done: "asyncio.Future[None]") -> None:
        self.frames.append(framed)
        self._futures.append(done)

    def finish(self, error: SpoolUnavailable | None) -> None:
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self._wake_all, error)

    def _wake_all(self, error: SpoolUnavailable | None) -> None:
        for done in self._futures:
            if done.done():  # the writer was cancelled; its record is kept
                continue
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(SpoolUnavailable(str(error)))


def _lock(directory: Path) -> int:
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        os.close(descriptor)
        raise SpoolUnavailable(f"another process writes to {directory}") from exc
    return descriptor
