# SPDX-License-Identifier: Apache-2.0
"""The worker's end of the spool: a record is on disk when `write` returns.

Theory: what the event loop writes in one of its rounds is a group, handed over once at the round's end. One thread of
its own takes all groups handed over, appends them with one synchronous write, and wakes all who waited by one call;
what arrives meanwhile is the next flush. So a flush grows with the load, no timer delays a lone record, and the event
loop never waits for a disk. Each flush costs a wake-up and two requests to the disk, some 100 µs of processor time
however few records it has.

Facts: zeros are written ahead of the records, AHEAD_BYTES at a time. Writing over them changes neither the file's size
nor its extents, so that most flushes wait for their own block and not for the file system's journal. `O_DSYNC` makes
writing and syncing one call: between two calls the thread would have to get the interpreter's lock back.

Warning: after a failed write nobody knows what the disk holds. The flush's writers get SpoolUnavailable, the segment is
cut back to what was durable before and left, and the next flush opens a new one. It is never written to again, since
the shipper may have read on in it; one that was left empty is deleted when the next one is there. Until a flush
succeeds, or a trial of the thread's own does, `writable` says no.
"""

import asyncio
import fcntl
import os
import secrets
import threading
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Final, Self

import orjson

from policies.contracts.record import DecisionRecord, Source
from proxy_addons.clients.segments import MAX_LINE_BYTES, frame, segment_path, segments, size_of, whole_bytes
from proxy_addons.durable import private_directory, sync_directory

SEGMENT_BYTES: Final = 4 * 1024 * 1024
HIGH_WATER_BYTES: Final = 256 * 1024 * 1024
# Some 150 records: so few flushes change the file's size that they do not show, and a kill leaves little to cut off.
AHEAD_BYTES: Final = 256 * 1024
# How soon a disk that has room again is noticed. A trial writes AHEAD_BYTES.
_TRIAL_EVERY_S: Final = 0.5


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
        self._segment: int | None = None  # its descriptor; None: the next flush opens a new segment
        self._segment_size = 0  # of its frames; zeros written ahead follow them
        self._allocated = 0  # of the file, with those zeros
        self._left_empty: Path | None = None
        self._total = 0
        self._number = self._recover()
        self._group: _Group | None = None  # of this round of the event loop
        self._handed: SimpleQueue[_Group | None] = SimpleQueue()  # None: close
        self._guard = threading.Lock()
        self._closed = False
        self._writable = True
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

    @property
    def writable(self) -> bool:
        """False while records cannot be written: what is asked meanwhile is better refused before it costs anything."""
        return self._writable

    async def write(self, record: DecisionRecord) -> None:
        """Return once `record` is durable. Raises SpoolUnavailable where it is not and will not be."""
        line = _line(record)
        if len(line) > MAX_LINE_BYTES:
            raise SpoolUnavailable(f"a record has {len(line)} bytes, more than {MAX_LINE_BYTES}")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        with self._guard:
            if self._closed:
                raise SpoolUnavailable("the spool is closed")
            group = self._group
            if group is None or group.loop is not loop:
                self._hand_over()
                group = self._group = _Group(loop)
                loop.call_soon(self._end_round, group)
            group.frames.append(frame(line))
            group.waiting.append(done)
        await done

    def close(self) -> None:
        """Write what is queued, then give back directory and thread."""
        with self._guard:
            if self._closed:
                return
            self._closed = True
            self._hand_over()
            self._handed.put(None)
        if self._thread.is_alive():
            self._thread.join()
        self._leave_segment()
        os.close(self._lock)

    def _end_round(self, group: "_Group") -> None:
        with self._guard:
            if self._group is group:
                self._hand_over()

    def _hand_over(self) -> None:
        if self._group is not None:
            self._handed.put(self._group)
            self._group = None

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

    # ── on the thread ──

    def _flush_until_closed(self) -> None:
        while (groups := self._next_groups()) is not None:
            try:
                self._append(b"".join([framed for group in groups for framed in group.frames]))
            except OSError as exc:
                problem: str | None = f"the spool cannot be written ({exc.strerror})"
            except SpoolUnavailable as exc:
                problem = str(exc)
            else:
                problem = None
            self._writable = problem is None
            waiting: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
            for group in groups:
                waiting.setdefault(group.loop, []).extend(group.waiting)
            for loop, futures in waiting.items():
                if not loop.is_closed():
                    loop.call_soon_threadsafe(_wake, futures, problem)

    def _next_groups(self) -> "list[_Group] | None":
        """Return all groups handed over, at least one unless it is time for a trial; None at the end."""
        try:
            first = self._handed.get(timeout=None if self._writable else _TRIAL_EVERY_S)
        except Empty:
            return []
        groups = []
        while first is not None:
            groups.append(first)
            try:
                first = self._handed.get_nowait()
            except Empty:
                return groups
        if groups:
            self._handed.put(None)  # for the next call
            return groups
        return None

    def _append(self, frames: bytes) -> None:
        """Make `frames` durable; without any, find out whether some could be."""
        wanted = len(frames) or AHEAD_BYTES
        if self._total + wanted > self._high_water_bytes:
            # The shipper deletes what is acknowledged, so the sum kept here is an upper bound: count again.
            self._total = size_of(self._directory) - (self._allocated - self._segment_size)
            if self._total + wanted > self._high_water_bytes:
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
        self._leave_segment()
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
        self._leave_segment()

    def _leave_segment(self) -> None:
        """Cut off what follows the last record, and close. Where that fails, a reader tells the rest from records."""
        descriptor, size, longer = self._segment, self._segment_size, self._allocated > self._segment_size
        self._segment, self._segment_size, self._allocated = None, 0, 0
        if descriptor is None:
            return
        if longer:
            with suppress(OSError):
                os.ftruncate(descriptor, size)
        os.close(descriptor)


class _Group:
    """Frames of one round of an event loop, and those who wait for them."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.frames: list[bytes] = []
        self.waiting: list[asyncio.Future[None]] = []


def _wake(waiting: list["asyncio.Future[None]"], problem: str | None) -> None:
    for done in waiting:
        if done.done():  # the writer was cancelled; its record is kept
            continue
        if problem is None:
            done.set_result(None)
        else:
            done.set_exception(SpoolUnavailable(problem))


def _line(record: DecisionRecord) -> bytes:
    """Return what `record.to_line` does, in a quarter of its time."""
    texts = {"envelope": record.envelope.decode(), "payload": record.payload.decode()}
    return orjson.dumps(texts, option=orjson.OPT_APPEND_NEWLINE)


def _lock(directory: Path) -> int:
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        os.close(descriptor)
        raise SpoolUnavailable(f"another process writes to {directory}") from exc
    return descriptor
