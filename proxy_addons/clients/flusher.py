# SPDX-License-Identifier: Apache-2.0
"""What the spool's thread does: numbers records, writes them, tells who waited, and writes what the source itself says.

Rules: a number is used up when its record is durable. Where a write failed and the disk may hold some of it, its
numbers are never given to anything else: the shipper may have sent what it found there.
"""

import time
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from proxy_addons.clients.losses import Losses
from proxy_addons.clients.segment_writer import RecordsLost, SegmentWriter, SpoolFull
from proxy_addons.clients.segments import HEADER, MAGIC
from proxy_addons.clients.source_records import SourceRecords, source_of
from proxy_addons.clients.spool_groups import Group, Pending, outcomes_of, wake
from proxy_addons.clients.spool_lock import SpoolBusy, SpoolLock
from proxy_addons.core.series import Histogram

_log: Final = structlog.get_logger()

# How soon a disk that has room again is noticed.
_TRIAL_EVERY_S: Final = 0.5
# How soon it is noticed that somebody deleted the segment that is written to.
_NAME_EVERY_S: Final = 1.0
HEARTBEAT_EVERY_S: Final = 60.0


class Flusher:
    """Used by the spool's thread alone, but for what has no underscore: that all may read."""

    def __init__(
        self, segments: SegmentWriter, lock: SpoolLock, own: SourceRecords, losses: Losses, *, heartbeat_s: float
    ) -> None:
        self.flushes = Histogram()
        self.writable = True
        self.proved_at_s = 0.0
        self.durable_seq = 0  # the last number whose record is durable
        self._segments = segments
        self._lock = lock
        self._own = own
        self._losses = losses
        self._heartbeat_s = heartbeat_s
        self._previous = None if segments.last_line is None else source_of(segments.last_line)
        self._seq = 0
        self._written = 0
        self._started = False
        self._beat_at_s = time.monotonic() + heartbeat_s
        self._try_at_s = 0.0
        self._name_at_s = 0.0

    def due_in_s(self) -> float:
        """Return when `look_after` has something to do again."""
        due_s = min(self._beat_at_s, self._try_at_s) if self._segments.scarce else self._beat_at_s
        return max(0.0, due_s - time.monotonic())

    def look_after(self) -> None:
        """Look for room where there is none, write what was lost meanwhile, and say that the source lives."""
        now_s = time.monotonic()
        if self._segments.scarce and now_s >= self._try_at_s:
            self._try()
        if now_s >= self._beat_at_s:
            self._beat_at_s = now_s + self._heartbeat_s
            self._append((), self._heartbeat)
            self._note()

    def flush(self, groups: Sequence[Group]) -> None:
        """Write all of `groups`, and wake those who wait."""
        began_ns = time.monotonic_ns()
        pending = [each for group in groups for each in group.pending]
        if began_ns / 1e9 >= self._name_at_s:
            self._name_at_s = began_ns / 1e9 + _NAME_EVERY_S
            self._segments.check_name()
            if self._segments.scarce:
                self._try()
        lost: list[Pending] = []
        if self._segments.scarce:
            pending, lost = self._what_the_reserve_is_for(pending)
            self._losses.add(outcomes_of(lost), self._segments.why, at=self._own.now())
        problem = "the spool has room for the ends of requests only"
        if pending:
            failed = self._append(pending)
            if failed is not None:
                lost, problem = lost + pending, str(failed)
            else:
                self.flushes.observe(time.monotonic_ns() - began_ns)
        else:
            self._segments.probe()
        self._note()
        wake(groups, lost, problem)

    def stop(self) -> None:
        """Say that the source ends, after all it had to say."""
        self._append((), self._stop)
        self._segments.close()

    def _what_the_reserve_is_for(self, pending: Sequence[Pending]) -> tuple[list[Pending], list[Pending]]:
        """Return those that may be written to the reserve, and the others: its second half is for admitted requests."""
        room = self._segments.reserve_room_bytes - len(MAGIC)
        kept: list[Pending] = []
        others: list[Pending] = []
        for each in pending:
            left = room - HEADER.size - len(each.line)
            if left < (0 if each.admitted else self._segments.reserve_bytes // 2):
                others.append(each)
            else:
                kept.append(each)
                room = left
        return kept, others

    def _append(self, pending: Sequence[Pending], last: Callable[[int], bytes] | None = None) -> RecordsLost | None:
        """Write what is owed of the source's own, then `pending`, then `last`. Return why nothing of it is durable."""
        first = seq = self._seq
        lines: list[bytes] = []
        if not self._started:
            seq += 1
            lines.append(self._own.start(seq, previous=self._previous))
        # One record tells of all that is lost before there is room again; the end of the process is the last chance.
        loss = None if self._segments.scarce and last != self._stop else self._losses.take()
        if loss is not None:
            seq += 1
            lines.append(self._own.loss(seq, loss))
        for each in pending:
            seq += 1
            lines.append(each.numbered(seq))
        if last is not None:
            seq += 1
            lines.append(last(seq))
        if not lines:
            return None
        try:
            self._segments.append(lines)
        except RecordsLost as exc:
            if loss is not None:
                self._losses.put_back(loss)
            in_doubt = (first + 1, seq) if exc.in_doubt else None
            if in_doubt:
                self._seq = seq
            self._losses.add(outcomes_of(pending), exc.why, at=self._own.now(), numbers=in_doubt)
            return exc
        self._seq = self.durable_seq = seq
        self._started = True
        self._written += len(pending)
        return None

    def _heartbeat(self, seq: int) -> bytes:
        return self._own.heartbeat(seq, written=self._written, lost=self._losses.total)

    def _stop(self, seq: int) -> bytes:
        return self._own.stop(seq, written=self._written, lost=self._losses.total)

    def _try(self) -> None:
        try:
            self._lock.hold_again()
            self._segments.make_room()
        except (OSError, SpoolFull, SpoolBusy):
            self._note()
            self._try_at_s = time.monotonic() + _TRIAL_EVERY_S
            return
        if not self._started or self._losses:
            self._append(())
        self._note()

    def _note(self) -> None:
        """Let all know whether there is room; say it once."""
        writable = not self._segments.scarce
        if writable:
            self.proved_at_s = time.monotonic()
        elif self.writable:
            self._try_at_s = 0.0  # a write may fail once and not again
            _log.error("spool_not_writable", why=self._segments.why.value)
        if writable and not self.writable:
            _log.info("spool_writable", lost_count=self._losses.total)
        self.writable = writable
