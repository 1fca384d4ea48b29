# SPDX-License-Identifier: Apache-2.0
"""One boot of a source, judged by what it wrote: its numbers, its start and end, its heartbeats, its requests.

A boot is judged only as far as the archive can tell: what lies before the range, and what retention dropped, is not
held against it. The verdicts are those of `docs/spec/log.md`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from controlplane.audit.intervals import Intervals

LONGEST_SILENCE_S: Final = 180.0
"""Three heartbeats: fewer may come late from a machine that is only busy."""

_RUNS_NAMED: Final = 3


class BootVerdict(StrEnum):
    """The worst that is known of a boot, best first."""

    COMPLETE = "complete"
    LOST = "lost"
    UNFINISHED = "unfinished"
    SILENT = "silent"
    UNEXPLAINED = "unexplained"


@dataclass(frozen=True, slots=True, kw_only=True)
class BootReport:
    """What an archive says of one boot.

    `lost` counts records that are known to be lost, `missing` numbers that nobody explains, `dropped` those that
    retention can have dropped, `in_flight` requests that may still end.
    """

    source: str
    boot: str
    verdict: BootVerdict
    first_seq: int | None
    last_seq: int | None
    entries: int
    lost: int
    missing: int
    repeated: int
    unfinished: int
    in_flight: int
    dropped: int
    why: tuple[str, ...]


@dataclass(slots=True)
class Boot:
    """What has been read of one boot so far.

    `low` is the least number that it must have: 1, or None where the range or a drop hides how it began. `gaps` are
    numbers that the log says are missing, `given_up` those that the source says nobody will ever give out again.
    """

    source: str
    boot: str
    low: int | None
    last: int = 0
    entries: int = 0
    missing: Intervals = field(default_factory=Intervals)
    gaps: Intervals = field(default_factory=Intervals)
    given_up: Intervals = field(default_factory=Intervals)
    declared: int = 0
    repeated: int = 0
    dropped: int = 0
    drops_seen: int = 0
    starts: int = 0
    odd_start: bool = False
    stopped: bool = False
    followed: bool = False
    wrote: int = 0
    heard_at: float | None = None
    longest_silence_s: float = 0.0
    unfinished: int = 0

    def number(self, seq: int, *, drops: int) -> bool:
        """Note that number `seq` is there, `drops` entries of the log having been dropped so far.

        Return whether it is a late one: others with higher numbers came before.
        """
        self.entries += 1
        if self.low is None:
            self.low, self.last = seq, seq - 1
        if seq > self.last:
            self._skip(seq, drops=drops)
            self.last, self.drops_seen = seq, drops
            return False
        if seq < self.low:
            self.missing.add(seq + 1, self.low)
            self.low = seq
        elif not self.missing.take(seq):
            self.repeated += 1
        return True

    def _skip(self, seq: int, *, drops: int) -> None:
        """Note that nothing from the last number to before `seq` is there."""
        jump = seq - self.last - 1
        if 0 < jump <= drops - self.drops_seen:
            self.dropped += jump
        else:
            self.missing.add(self.last + 1, seq)

    def start(self, seq: int) -> None:
        """Note that number `seq` is the boot's start."""
        self.starts += 1
        self.odd_start |= self.starts > 1 or seq != 1

    def hear(self, at_s: float) -> None:
        """Note a record of the source itself, of which there is one every minute."""
        if self.heard_at is not None:
            self.longest_silence_s = max(self.longest_silence_s, at_s - self.heard_at)
        self.heard_at = at_s if self.heard_at is None else max(at_s, self.heard_at)

    def report(self, *, newest_at: float, drops: int) -> BootReport:
        """Judge the boot, `newest_at` being the latest time in the archive and `drops` all that was dropped of it."""
        unexplained, lost = self._missing(drops)
        silent_s = 0.0 if self.heard_at is None else newest_at - self.heard_at
        ended = self.stopped or (self.followed and silent_s > LONGEST_SILENCE_S)
        unfinished = self.unfinished if ended else 0
        found = {
            BootVerdict.UNEXPLAINED: [*self._odd(), *self._named(unexplained)],
            BootVerdict.SILENT: list(self._silence(silent_s, drops=drops)),
            BootVerdict.UNFINISHED: [f"{unfinished} requests have no end"] if unfinished else [],
            BootVerdict.LOST: [f"{lost} records are known to be lost"] if lost else [],
        }
        return BootReport(
            source=self.source,
            boot=self.boot,
            verdict=next((verdict for verdict, why in found.items() if why), BootVerdict.COMPLETE),
            first_seq=self.low if self.entries else None,
            last_seq=self.last if self.entries else None,
            entries=self.entries,
            lost=lost,
            missing=unexplained.total,
            repeated=self.repeated,
            unfinished=unfinished,
            in_flight=self.unfinished - unfinished,
            dropped=self.dropped,
            why=tuple(text for why in found.values() for text in why),
        )

    def _missing(self, drops: int) -> tuple[Intervals, int]:
        """Return the numbers that nobody explains, and how many records are known to be lost."""
        if self.low is not None:
            self._skip(self.wrote + 1, drops=drops)  # its successor found more in the spool than arrived
        for begin, end in self.gaps:
            self.missing.add(max(begin, self.last + 1), end)
        explained = Intervals()
        for known in (self.gaps, self.given_up):
            for run in known:
                explained.add(*run)
        unexplained = self.missing.without(explained)
        # What a source gives up is among what it declares lost.
        return unexplained, self.declared + self.missing.without(unexplained).without(self.given_up).total

    def _odd(self) -> Iterator[str]:
        if self.odd_start:
            yield "it has a start that is not its first number"
        if self.heard_at is not None and not self.starts and self.low == 1:
            yield "it has no start"
        if self.repeated:
            yield f"{self.repeated} numbers came again"

    def _silence(self, silent_s: float, *, drops: int) -> Iterator[str]:
        if self.longest_silence_s > LONGEST_SILENCE_S and not self.dropped:
            yield f"it was silent for {self.longest_silence_s:.0f} s between two of its own records"
        if silent_s > LONGEST_SILENCE_S and not self.stopped and not self.followed and drops == self.drops_seen:
            yield f"it neither stopped nor was followed, and was silent for the last {silent_s:.0f} s"

    def _named(self, numbers: Intervals) -> Iterator[str]:
        runs = [f"{begin}" if end == begin + 1 else f"{begin}-{end - 1}" for begin, end in numbers]
        if runs:
            more = f" and {len(runs) - _RUNS_NAMED} more runs" if len(runs) > _RUNS_NAMED else ""
            yield f"no entry explains why {', '.join(runs[:_RUNS_NAMED])}{more} are missing"
