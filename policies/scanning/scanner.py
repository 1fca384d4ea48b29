# SPDX-License-Identifier: Apache-2.0
"""Finds where the patterns of a snapshot match, all at once and in time that grows with the text alone.

Conventions: `data` is the bytes of a scan copy. A form looks at one character beside a match; where the text begins or
ends there is none, and a line feed stands for it, which touches nothing.
"""

import threading
from collections.abc import Collection
from typing import Any, Final, TypeAlias

import hyperscan

from policies.scanning.budget import BYTES_A_CANDIDATE, Budget
from policies.scanning.databases import MAX_MATCH_BYTES, Databases
from policies.scanning.literals import LiteralScanner
from policies.scanning.source import CannotScan

_EDGE: Final = b"\n"
# Nearly all matches are shorter than this. Where one may not be, so many times as far is looked.
_NEAR: Final = 128
_FARTHER: Final = 8

End: TypeAlias = tuple[int, int]


class Scanner:
    """Immutable, and safe to be asked by several threads. Patterns are named by their number in what was compiled."""

    __slots__ = ("_alphabets", "_ends", "_literals", "_lock", "_longest", "_openings", "_starts", "_widths")

    def __init__(self, databases: Databases) -> None:
        """Raises CannotScan where the databases are not of this version of hyperscan or this kind of processor."""
        self._ends = _loaded(databases.ends)
        self._starts = _loaded(databases.starts)
        self._openings = _loaded(databases.openings)
        self._literals = LiteralScanner(databases.literals) if databases.literals.literals else None
        self._widths = databases.widths
        self._longest = databases.longest
        self._alphabets = databases.alphabets
        self._lock = threading.Lock()  # a database works in a memory of its own

    def sees(self, data: bytes, *, begun: bool) -> bool:
        """Whether `ends` would return anything for `data`, behind which something follows."""
        scanned = data if begun else _EDGE + data
        with self._lock:
            if self._ends is not None:
                try:
                    self._ends.scan(scanned, match_event_handler=_stop)
                except hyperscan.ScanTerminated:
                    return True
            return self._literals is not None and bool(self._literals.ends(data, begun=begun, final=False))

    def ends(self, data: bytes, *, begun: bool = False, final: bool = True) -> Collection[End]:
        """Return pairs of a pattern's number and an offset where a match of it ends, in order of the offsets.

        `begun`: something stands before `data`, and its first byte belongs to that. Unless `final`, something follows,
        and a match that nothing stands behind yet is not told.
        """
        found: list[End] = []
        before = 1 if begun else 2

        def note(number: int, _start: int, end: int, _flags: int, _context: object) -> None:
            found.append((number, end - before))

        scanned = data if begun else _EDGE + data
        with self._lock:
            if self._ends is not None:
                self._ends.scan(scanned + _EDGE if final else scanned, match_event_handler=note)
            if self._literals is not None and (texts := self._literals.ends(data, begun=begun, final=final)):
                found = sorted(found + texts, key=_offset)
        return found

    def starts(self, data: bytes, end: int, numbers: Collection[int], budget: Budget | None = None) -> Collection[End]:
        """Return pairs of one of `numbers` and an offset where a match of that pattern begins that ends at `end`.

        Takes from `budget` what looking far back costs: a pattern that goes over anything is looked for in all of a
        long text, from each of its ends. Raises BudgetSpent.
        """
        known = [(number, end - width) for number in numbers if (width := self._widths[number])]
        if len(known) == len(numbers) or self._starts is None:
            return known
        wanted = frozenset(numbers)

        def note(number: int, _start: int, to: int, _flags: int, _context: object) -> None:
            if number in wanted:
                known.append((number, end - to + 1))

        turned = _turned(data[max(0, end - self._reach(data, end, wanted)) : end])
        if budget is not None and len(turned) >= BYTES_A_CANDIDATE:
            budget.judge(len(turned) // BYTES_A_CANDIDATE)
        with self._lock:
            self._starts.scan(turned, match_event_handler=note)
        return known

    def _reach(self, data: bytes, end: int, numbers: Collection[int]) -> int:
        """Return how far before `end` is all that a match of `numbers` has, which ends there, and what touches it."""
        longest, alphabets = self._longest, self._alphabets
        reach = max([longest[number] for number in numbers]) + 1
        near = _NEAR
        while near < reach:
            seen = data[max(0, end - near) : end]
            # No match reaches over a byte that none of its pattern has.
            if all(longest[number] < near or seen.translate(None, alphabets[number]) for number in numbers):
                return near
            near *= _FARTHER
        return reach

    def opening(self, data: bytes) -> int:
        """Return the offset from which on the end of `data` may be the beginning of a match; its length if none is."""
        farthest = [1]
        with self._lock:
            if self._openings is not None:
                turned = _turned(data[-MAX_MATCH_BYTES:])
                self._openings.scan(turned, match_event_handler=_note_last, context=farthest)
            first = len(data) - farthest[0] + 1
            return first if self._literals is None else min(first, self._literals.opening(data))


def _stop(_number: int, _start: int, _end: int, _flags: int, _context: object) -> bool:
    return True


def _note_last(_number: int, _start: int, end: int, _flags: int, farthest: Any) -> None:
    farthest[0] = end  # they come in order


def _loaded(serialised: bytes) -> hyperscan.Database | None:
    if not serialised:
        return None
    try:
        database = hyperscan.loadb(serialised, hyperscan.HS_MODE_BLOCK)
        database.scratch = hyperscan.Scratch(database)
    except hyperscan.error as exc:
        raise CannotScan(str(exc)) from exc
    return database


def _offset(end: End) -> int:
    return end[1]


def _turned(data: bytes) -> bytes:
    return data[::-1] + _EDGE
