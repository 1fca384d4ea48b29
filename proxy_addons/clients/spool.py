# SPDX-License-Identifier: Apache-2.0
"""The worker's end of the spool: a record is on disk when `write` returns.

Theory: what is written while the event loop has work is a group, handed over at the end of the first of its rounds that
adds nothing. One thread of its own takes all groups handed over, appends them with one synchronous write, and wakes all
who waited by one call; what arrives meanwhile is the next flush. So a flush grows with the load, no timer delays a lone
record, and the event loop never waits for a disk. That matters: a flush costs a wake-up and two requests to the disk,
some 100 µs of processor time however few records it has.

Rules: a record gets its number when it is written, so that one that is lost leaves no hole. While there is only the
reserve left, `writable` says no, and what is written then are refusals, up to half of it, and the ends of requests that
were let in before. What is lost is counted, and told by a record of the source's own once there is room.
"""

import asyncio
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Final, Self

from policies.contracts.record import DecisionRecord, LossReason, Source
from proxy_addons.clients.flusher import HEARTBEAT_EVERY_S, Flusher
from proxy_addons.clients.losses import Losses
from proxy_addons.clients.segment_writer import SegmentWriter
from proxy_addons.clients.segments import MAX_LINE_BYTES
from proxy_addons.clients.source_records import SourceRecords, SourceScope
from proxy_addons.clients.spool_groups import Group, Pending, SpoolUnavailable, wake
from proxy_addons.clients.spool_lock import SpoolBusy, SpoolLock

__all__ = ["HIGH_WATER_BYTES", "RESERVE_BYTES", "SEGMENT_BYTES", "Spool", "SpoolBounds", "SpoolUnavailable"]

SEGMENT_BYTES: Final = 4 * 1024 * 1024
HIGH_WATER_BYTES: Final = 256 * 1024 * 1024
RESERVE_BYTES: Final = 4 * 1024 * 1024
# What may wait for a disk that is slower than those who do not wait for it.
_MOST_QUEUED_BYTES: Final = 16 * 1024 * 1024
# A group that still grows is waited for up to this many records: a round of a busy loop.
_LARGE_GROUP: Final = 16
# For so long a write that succeeded says that another one would.
_FRESH_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolBounds:
    """When the next segment begins, how much may wait to be shipped, what is kept for when there is no room."""

    segment_bytes: int = SEGMENT_BYTES
    high_water_bytes: int = HIGH_WATER_BYTES
    reserve_bytes: int = RESERVE_BYTES
    heartbeat_s: float = HEARTBEAT_EVERY_S


class Spool:
    """Appends records to `directory`, which it locks: two processes never write to one spool.

    `open` takes the lock, cuts off a torn frame and starts a segment of its own. Raises SpoolUnavailable where
    another process has the directory, OSError where it cannot be written.
    """

    def __init__(self, directory: Path, scope: SourceScope, bounds: SpoolBounds) -> None:
        self.losses = Losses()
        self._own = SourceRecords(scope, secrets.token_hex(16))
        try:
            self._lock = SpoolLock(directory)
        except SpoolBusy as exc:
            raise SpoolUnavailable(str(exc)) from exc
        try:
            segments = SegmentWriter(
                directory,
                segment_bytes=bounds.segment_bytes,
                high_water_bytes=bounds.high_water_bytes,
                reserve_bytes=bounds.reserve_bytes,
            )
        except OSError:
            self._lock.close()
            raise
        self._segments = segments
        self._flusher = Flusher(segments, self._lock, self._own, self.losses, heartbeat_s=bounds.heartbeat_s)
        self.flushes = self._flusher.flushes
        self._group: Group | None = None  # of this round of the event loop
        self._handed: SimpleQueue[Group | None] = SimpleQueue()  # None: close
        self._guard = threading.Lock()
        self._closed = False
        self._queued_bytes = 0
        self._thread = threading.Thread(target=self._flush_until_closed, name="spool", daemon=True)

    @classmethod
    def hold(cls, directory: Path, scope: SourceScope, bounds: SpoolBounds | None = None) -> Self:
        """Return the spool locked, before anything is written to it: until `begin`, no segment of before goes away."""
        return cls(directory, scope, bounds or SpoolBounds())

    @classmethod
    def open(cls, directory: Path, scope: SourceScope, bounds: SpoolBounds | None = None) -> Self:
        spool = cls.hold(directory, scope, bounds)
        spool.begin()
        return spool

    def begin(self) -> None:
        """Write that the source began, and from now on what is given to it. A second time changes nothing."""
        if self._thread.ident is None:
            self._flusher.look_after()  # so that all know from the first request on whether there is room
            self._thread.start()

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
        """Return the source of a record that is to be written here. It gets its number when it is."""
        return self._own.unnumbered

    def claim(self) -> dict[str, str | int]:
        """Return whose records are here, and up to which number they are durable."""
        source = self._own.unnumbered
        return {"id": source.id, "boot_id": source.boot_id, "last_seq": self._flusher.durable_seq}

    def before_next_segment(self, do: Callable[[], None]) -> None:
        """Have `do` called, on the spool's thread, each time that a segment is about to follow on another."""
        self._segments.before_next = do

    @property
    def writable(self) -> bool:
        """False while there is no more than the reserve: what is asked then is better refused before it costs much."""
        return self._flusher.writable

    @property
    def proved(self) -> bool:
        """Whether a write succeeded so lately that another one will do."""
        return self._flusher.writable and time.monotonic() - self._flusher.proved_at_s < _FRESH_S

    async def prove(self) -> bool:
        """Return `writable` after a look at the disk: it may have filled up since the last write."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        with self._guard:
            if self._closed:
                return False
            self._join().asking.append(done)
        await done
        return self._flusher.writable

    async def write(self, record: DecisionRecord, *, admitted: bool = True, again: bool = False) -> None:
        """Return once `record` is durable. Raises SpoolUnavailable where it is not and will not be.

        `admitted` is a record of a request that was let in: it may use all of the reserve. `again` is one that the
        caller will write later if it fails now: it is not counted as lost.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._take(Pending.of(record, admitted=admitted, done=done, again=again))
        await done

    def post(self, record: DecisionRecord) -> "asyncio.Future[None] | None":
        """Have `record` written, and go on at once: it is counted where it is lost.

        Return what is done once it is durable or counted; None where it is counted already.
        """
        pending = Pending.of(record, admitted=False, done=None)
        if self._queued_bytes > _MOST_QUEUED_BYTES:
            self.losses.add([pending.outcome()], LossReason.TOO_MANY, at=self._own.now())
            return None
        try:
            self._take(pending)
        except SpoolUnavailable:
            return None  # it was counted, or the process ends
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        with self._guard:
            self._join().asking.append(done)
        return done

    def close(self) -> None:
        """Write what is queued, then give back directory and thread."""
        with self._guard:
            if self._closed:
                return
            self._closed = True
            self._hand_over()
            self._handed.put(None)
        if self._thread.ident is not None:
            self._thread.join()
        self._lock.close()

    def _take(self, pending: Pending) -> None:
        if len(pending.line) > MAX_LINE_BYTES:
            self.losses.add([pending.outcome()], LossReason.TOO_LARGE, at=self._own.now())
            raise SpoolUnavailable(f"a record has {len(pending.line)} bytes, more than {MAX_LINE_BYTES}")
        with self._guard:
            if self._closed:
                raise SpoolUnavailable("the spool is closed")
            self._queued_bytes += len(pending.line)
            self._join().pending.append(pending)

    def _join(self) -> Group:
        """Return the group of this round, with the lock held."""
        loop = asyncio.get_running_loop()
        group = self._group
        if group is None or group.loop is not loop:
            self._hand_over()
            group = self._group = Group(loop)
            loop.call_soon(self._end_round, group, 0)
        return group

    def _end_round(self, group: Group, before: int) -> None:
        """Hand `group` over where the round that ends has added nothing to it, or it is large enough."""
        with self._guard:
            if self._group is not group:
                return
            if before < len(group) < _LARGE_GROUP:
                group.loop.call_soon(self._end_round, group, len(group))
            else:
                self._hand_over()

    def _hand_over(self) -> None:
        if self._group is not None:
            self._handed.put(self._group)
            self._group = None

    # ── on the thread ──

    def _flush_until_closed(self) -> None:
        groups: list[Group] | None = []
        try:
            while groups is not None:
                if groups:
                    self._flusher.flush(groups)
                self._flusher.look_after()
                groups = self._next_groups()
            self._flusher.stop()
        finally:
            self._abandon(groups or [])

    def _next_groups(self) -> list[Group] | None:
        """Return all groups handed over, none where there is something else to do; None at the end."""
        groups: list[Group] = []
        try:
            first = self._handed.get(timeout=self._flusher.due_in_s())
            while first is not None:
                groups.append(first)
                first = self._handed.get_nowait()
        except Empty:
            self._count_off(groups)
            return groups
        if groups:
            self._handed.put(None)  # for the next call
            self._count_off(groups)
            return groups
        return None

    def _count_off(self, groups: list[Group]) -> None:
        with self._guard:
            self._queued_bytes -= sum(len(each.line) for group in groups for each in group.pending)

    def _abandon(self, groups: list[Group]) -> None:
        """Where the thread ended for a reason that nobody foresaw: nobody waits for it in vain."""
        self._flusher.writable = False
        with self._guard:
            self._closed = True
            self._hand_over()
        while not self._handed.empty():
            groups.extend(filter(None, [self._handed.get_nowait()]))
        wake(groups, [each for group in groups for each in group.pending], "the spool has ended")
