# SPDX-License-Identifier: Apache-2.0
"""Asks the judges of detectors about what their patterns matched in one copy of a text."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from policies.detectors.contract import BEFORE, Candidate
from policies.scanning.budget import Budget
from policies.scanning.copy import ScanCopy, Scanned
from policies.scanning.scanner import End, Scanner
from policies.scanning.table import PatternTable

# How many code points before a finding may have a say in whether it is one.
LOOKBEHIND: Final = 512
_MOST_BYTES: Final = 4  # of a character in UTF-8
# More bytes than any mark has that ends a finding.
_LONGEST_MARK: Final = 128

# For each detector: whether it is lenient; None where nobody asks for it.
Wanted: TypeAlias = Sequence[bool | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`text[start:end]`, in code points. `detector` is its number, `score` is above 0 and at most 1.

    `head` is where what made it one ends: before `end` where it lasts until something has passed, which a stream has
    not seen yet when it must be told from others.
    """

    start: int
    end: int
    head: int
    detector: int
    score: float


@dataclass(frozen=True, slots=True)
class Judged:
    """A finding. With `block_from` it lasts until something has passed that stands behind there, and has all in it.

    `waits_for` is that, where it was not seen.
    """

    finding: Finding
    block_from: int | None = None
    waits_for: re.Pattern[bytes] | None = None


class Candidates:
    """The candidates of one search: for each detector those wanted, and none that begins before `start`."""

    def __init__(self, table: PatternTable, scanner: Scanner, wanted: Wanted, budget: Budget, start: int) -> None:
        self._table = table
        self._scanner = scanner
        self._wanted = wanted
        self._budget = budget
        self._start = start
        # For patterns of findings that last until something has passed: from where that was looked for, and its place.
        self._marks: dict[int, tuple[int, End | None]] = {}

    def judged(self, copy: Scanned, ends: Collection[End]) -> Iterator[Judged]:
        """Give the findings in one copy, the last and longest first. Raises BudgetSpent."""
        taken: dict[int, list[End]] = {}
        self._marks.clear()
        for end, numbers in sorted(self._wanted_ends(ends).items(), reverse=True):
            starts = sorted(
                (start, number) for number, start in self._scanner.starts(copy.data, end, numbers, self._budget)
            )
            for start, number in starts:
                for span in self._values(copy.data, number, start, end):
                    yield from self._asked(copy, number, span, taken)

    def _wanted_ends(self, ends: Collection[End]) -> dict[int, list[int]]:
        by_end: dict[int, list[int]] = {}
        table, wanted = self._table, self._wanted
        for number, end in ends:
            if not table.is_mark(number) and any(wanted[owner] is not None for owner in table.owners[number]):
                by_end.setdefault(end, []).append(number)
        return by_end

    def _values(self, data: bytes, number: int, start: int, end: int) -> Iterator[End]:
        pattern = self._table.values[number]
        if pattern is None:
            yield start, end
        elif match := pattern.fullmatch(data, start, end):
            yield match.span(1)

    def _asked(self, copy: Scanned, number: int, span: End, taken: dict[int, list[End]]) -> Iterator[Judged]:
        start, end = span
        place = copy.original(start, end)
        if place[0] < self._start or start == end:
            return
        for owner in self._table.owners[number]:
            lenient = self._wanted[owner]
            # None that ends behind this one is still to come: those taken that begin behind it are done with.
            within = taken[owner] = [other for other in taken.get(owner, ()) if other[0] < end]
            if lenient is None or any(first <= start and end <= last for first, last in within):
                continue
            self._budget.judge()
            value = copy.data[start:end].decode("utf-8", "replace")
            candidate = Candidate(value=value, before=_before(copy, start, place[0]), lenient=lenient)
            score = self._table.detectors[owner].judge(candidate)
            if score is None:
                continue
            within.append(span)
            first, behind = place
            finding = Finding(start=first, end=behind, head=behind, detector=owner, score=score)
            yield self._judged(copy, number, finding, end)

    def _judged(self, copy: Scanned, number: int, finding: Finding, end: int) -> Judged:
        until = self._table.until_of[number]
        if until is None:
            return Judged(finding)
        passed = self._passed(copy.data, number, until, end)
        if passed is not None:
            behind = copy.original(passed[1] - 1, passed[1])[1]
        elif isinstance(copy, ScanCopy):
            behind = len(copy.text)  # with what has no part in the copy
        else:
            behind = copy.original(len(copy.data) - 1, len(copy.data))[1]
        return Judged(replace(finding, end=behind), block_from=finding.end, waits_for=None if passed else until)

    def _passed(self, data: bytes, number: int, until: re.Pattern[bytes], end: int) -> End | None:
        """Return the first place behind `end` of what ends a finding of a pattern.

        The last is asked for first: so what was searched for the one before need not be searched again.
        """
        from_, known = self._marks.get(number, (-1, None))
        to = from_ + _LONGEST_MARK if end <= from_ else len(data)
        found = until.search(data, end, to)
        if found is not None or end > from_:
            known = found.span() if found else None
        self._marks[number] = end, known
        return known


def _before(copy: Scanned, start: int, place: int) -> str:
    """Return what stands before a value, as far as a stream is sure to have it."""
    from_ = max(0, start - BEFORE * _MOST_BYTES)
    before = copy.data[from_:start].decode("utf-8", "ignore")[-BEFORE:]
    # Where characters of the text have no part in its copy, few of the copy may reach back far.
    while before and copy.original(start - len(before.encode()), start)[0] < place - LOOKBEHIND:
        before = before[1:]
    return before
