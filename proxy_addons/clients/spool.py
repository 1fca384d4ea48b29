# SPDX-License-Identifier: Apache-2.0
"""The worker's end of the spool: a record is on disk when `write` returns.

Theory: what is written while the event loop has work is a group, handed over at the end of the first of its rounds that
adds nothing. One thread of its own takes all groups handed over, appends them with one synchronous write, and wakes all
who waited by one call; what arrives meanwhile is the next flush. So a flush grows with the load, no timer delays a lone
record, and the event loop never waits for a disk. That matters: a flush costs a wake-up and two requests to the disk,
some 100 µs of processor time however few records it has.

Rules: the writers of a flush that failed get SpoolUnavailable. Until a flush succeeds, or a trial of the thread's own
does, `writable` says no.
"""

import asyncio
import fcntl
import os
import secrets
import threading
import time
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Final, Self

import orjson

from policies.contracts.record import DecisionRecord, Source
from proxy_addons.clients.segment_writer import SegmentWriter, SpoolFull
from proxy_addons.clients.segments import MAX_LINE_BYTES, frame
from proxy_addons.core.series import Histogram
from proxy_addons.durable import private_directory

SEGMENT_BYTES: Final = 4 * 1024 * 1024
HIGH_WATER_BYTES: Final = 256 * 1024 * 1024
# A group that still grows is waited for up to this many records: a round of a busy loop.
_LARGE_GROUP: Final = 16
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
        private_directory(directory)
        self.flushes = Histogram()  # written by the thread alone
        self._source_id = source_id
        self._boot_id = secrets.token_hex(16)
        self._seq = 0
        self._lock = _lock(directory)
        self._segments = SegmentWriter(directory, segment_bytes=segment_bytes, high_water_bytes=high_water_bytes)
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
                loop.call_soon(self._end_round, group, 0)
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
        self._segments.close()
        os.close(self._lock)

    def _end_round(self, group: "_Group", before: int) -> None:
        """Hand `group` over where the round that ends has added nothing to it, or it is large enough."""
        with self._guard:
            if self._group is not group:
                return
            if before < len(group.frames) < _LARGE_GROUP:
                group.loop.call_soon(self._end_round, group, len(group.frames))
            else:
                self._hand_over()

    def _hand_over(self) -> None:
        if self._group is not None:
            self._handed.put(self._group)
            self._group = None

    # ── on the thread ──

    def _flush_until_closed(self) -> None:
        while (groups := self._next_groups()) is not None:
            began_ns = time.monotonic_ns()
            try:
                self._segments.append(b"".join([framed for group in groups for framed in group.frames]))
            except OSError as exc:
                problem: str | None = f"the spool cannot be written ({exc.strerror})"
            except SpoolFull as exc:
                problem = str(exc)
            else:
                problem = None
                self.flushes.observe(time.monotonic_ns() - began_ns)
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
