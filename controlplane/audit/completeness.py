# SPDX-License-Identifier: Apache-2.0
"""Is this all that happened? Read entry by entry, in bounded memory, from whoever is doubted.

Nothing here says that an entry is genuine: integrity does. An entry that cannot be read as what it should be is counted
and passed over. Where more is going on than memory is meant for, there is no verdict rather than a wrong one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from controlplane.audit.intervals import Intervals
from controlplane.audit.source_boots import Boot, BootReport, BootVerdict

# Together 250 MiB at their fullest; an honest log of 10 million entries needs a few.
MAX_BOOTS: Final = 100_000
MAX_OPEN_REQUESTS: Final = 500_000
MAX_RUNS: Final = 500_000
DROP_ACTION: Final = "retention_drop_announced"
_DROPPED_CLASS: Final = "records"
_LARGEST: Final = 2**63 - 1
_LONGEST_TEXT: Final = 128
_OWN_KINDS: Final = frozenset({"start", "heartbeat", "stop", "loss"})

Members = Mapping[str, Any]


class TooMuch(Exception):
    """More sources, open requests or missing runs than memory is meant for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletenessReport:
    """What an archive says of completeness. `unjudged` is empty, or says why there is no verdict.

    `beyond_drops` counts numbers that sources lack beyond the entries that were dropped, whose numbers nobody knows.
    """

    boots: tuple[BootReport, ...]
    unreadable: int
    dropped: int
    unrecorded_drops: int
    beyond_drops: int = 0
    unjudged: str = ""

    @property
    def holds(self) -> bool:
        known = {BootVerdict.COMPLETE, BootVerdict.LOST}
        odd = self.unreadable or self.unrecorded_drops or self.beyond_drops
        return not odd and all(boot.verdict in known for boot in self.boots)


class Completeness:
    """Takes the entries of a range in order.

    `from_first` says that the range begins where the log does, `to_last` that it ends where the log did.
    """

    def __init__(self, *, from_first: bool, to_last: bool) -> None:
        self._from_first = from_first
        self._to_last = to_last
        self._boots: dict[tuple[str, str], Boot] = {}
        self._standing: dict[str, list[Boot]] = {}
        self._open: dict[str, Boot] = {}
        self._newest_at = 0.0
        self._unreadable = 0
        self._dropped = Intervals()
        self._drops = 0
        self._recorded = Intervals()
        self._runs = 0
        self._unjudged = ""

    def drop(self, index: int) -> None:
        """Note an entry whose envelope was dropped."""
        self._drops += 1
        if self._unjudged:
            return
        self._dropped.add(index, index + 1)
        self._open.clear()  # the end of any of them may be what was dropped
        if len(self._dropped) > MAX_RUNS:
            self._unjudged = f"more than {MAX_RUNS} runs of entries were dropped"

    def add(self, members: object) -> None:
        """Note an entry's envelope, as it was parsed."""
        if self._unjudged:
            return
        try:
            self._read(_object(members))
        except TooMuch as exc:
            self._unjudged = str(exc)
        except (KeyError, TypeError, ValueError, OverflowError):
            self._unreadable += 1

    def report(self) -> CompletenessReport:
        """Judge what was read."""
        for boot in self._open.values():
            boot.unfinished += 1
        self._open.clear()
        unrecorded = self._dropped.without(self._recorded).total
        if unrecorded and not self._to_last and not self._unjudged:
            self._unjudged = f"{unrecorded} entries were dropped, and what records it may lie behind the range"
        boots = [boot.report(newest_at=self._newest_at, drops=self._drops) for boot in self._boots.values()]
        return CompletenessReport(
            # One that only its successor names, in a range that begins behind it, is not of this archive.
            boots=tuple(sorted(filter(_is_told_of, boots), key=lambda boot: (boot.source, boot.boot))),
            unreadable=self._unreadable,
            dropped=self._drops,
            unrecorded_drops=unrecorded if self._to_last else 0,
            beyond_drops=max(0, sum(boot.dropped for boot in boots) - self._drops),
            unjudged=self._unjudged,
        )

    def _read(self, members: Members) -> None:
        kind = _text(members["kind"])
        at_s = datetime.fromisoformat(_text(members["time"])).timestamp()
        source = members.get("source")
        if source is not None:
            self._read_numbered(kind, members, _object(source), at_s)
        elif kind == "gap":
            self._read_gap(_object(members["gap"]))
        elif kind == "admin" and members["action"] == DROP_ACTION:
            self._read_drop(_object(members["detail"]))
        self._newest_at = max(self._newest_at, at_s)

    def _read_numbered(self, kind: str, members: Members, source: Members, at_s: float) -> None:
        seq = _number(source["seq"])
        boot = self._boot(source)
        runs = len(boot.missing)
        late = boot.number(seq, drops=self._drops)
        if len(boot.missing) > runs:
            self._count_run()
        if kind == "admission" and not late:
            # One that came late may have ended before it came.
            self._open[_text(members["request_id"])] = boot
            if len(self._open) > MAX_OPEN_REQUESTS:
                raise TooMuch(f"more than {MAX_OPEN_REQUESTS} requests are open at once")
        elif kind == "terminal":
            self._open.pop(_text(members["request_id"]), None)
        elif kind in _OWN_KINDS:
            self._read_own(kind, members, boot, seq)
            if not late:
                boot.hear(at_s)

    def _read_own(self, kind: str, members: Members, boot: Boot, seq: int) -> None:
        if kind == "start":
            boot.start(seq)
            self._follow(boot, members.get("previous"))
        elif kind == "stop":
            boot.stopped = True
        elif kind == "loss":
            boot.declared += _number(members["count"], least=0)
            for first, last in members.get("numbers") or ():
                boot.given_up.add(_number(first), _number(last) + 1)
                self._count_run()

    def _read_gap(self, told: Members) -> None:
        boot = self._boot({"id": told["source_id"], "boot_id": told["boot_id"]})
        # One that was closed needs no explanation: its numbers are there.
        if told["state"] == "open":
            boot.gaps.add(_number(told["first_seq"]), _number(told["last_seq"]) + 1)
            self._count_run()

    def _read_drop(self, detail: Members) -> None:
        if detail["class"] == _DROPPED_CLASS:
            self._recorded.add(_number(detail["first_index"], least=0), _number(detail["last_index"], least=0) + 1)
            self._count_run()

    def _follow(self, boot: Boot, previous: object) -> None:
        """Note that `boot` began, and that others of its source are over."""
        for before in self._standing[boot.source]:
            before.followed = before is not boot
        self._standing[boot.source] = [boot]
        if previous is not None:
            told = _object(previous)
            wrote = _number(told["seq"], least=0)
            before = self._boot({"id": boot.source, "boot_id": told["boot_id"]})
            before.followed = True
            before.wrote = max(before.wrote, wrote)

    def _boot(self, source: Members) -> Boot:
        key = _text(source["id"]), _text(source["boot_id"])
        boot = self._boots.get(key)
        if boot is None:
            if len(self._boots) == MAX_BOOTS:
                raise TooMuch(f"there are more than {MAX_BOOTS} boots of sources")
            low = 1 if self._from_first and not self._drops else None
            boot = self._boots[key] = Boot(*key, low, drops_seen=self._drops)
            self._standing.setdefault(boot.source, []).append(boot)
        return boot

    def _count_run(self) -> None:
        self._runs += 1
        if self._runs > MAX_RUNS:
            raise TooMuch(f"there are more than {MAX_RUNS} runs of missing numbers")


def _is_told_of(boot: BootReport) -> bool:
    return bool(boot.entries or boot.lost or boot.missing)


def _object(value: object) -> Members:
    if not isinstance(value, dict):
        raise TypeError("not an object")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
        raise TypeError("not a text of that length")
    return value


def _number(value: object, *, least: int = 1) -> int:
    if type(value) is not int or not least <= value <= _LARGEST:
        raise TypeError("not a number of that size")
    return value
