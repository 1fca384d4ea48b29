# SPDX-License-Identifier: Apache-2.0
"""Finds what the detectors of a snapshot find in a text, or in the part of a stream that has arrived.

Theory. A candidate is a match that a judge is asked about. For each detector every match is one, whichever others there
are, and of those that it takes the ones within another are left out: so what is found at a place depends on the text
there alone, and a stream finds the same as a whole text does, as long as it sees LOOKBEHIND code points before what is
undecided. What may still become a finding is known from the patterns (`Scanner.opening`): all before it is decided.

What is encoded in a text is scanned in views of it (`decoded.py`), each a copy with a map back to the text.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

from policies.detectors.contract import Detector
from policies.scanning.budget import Budget, DecodingSpent
from policies.scanning.candidates import LOOKBEHIND, Candidates, Finding, Judged, Wanted
from policies.scanning.copy import ScanCopy, Scanned
from policies.scanning.databases import Databases
from policies.scanning.decoded import DEPTH, ends_encoded, open_from, smuggles, views
from policies.scanning.kept import KeptDatabases
from policies.scanning.scanner import Scanner
from policies.scanning.table import PatternTable

__all__ = ["LOOKBEHIND", "Budget", "Finder", "Finding", "Found", "Wanted"]

# How many code points before the undecided are enough to see whether a stream goes on within something encoded.
_WITHIN_ENCODED: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is certain of a text: findings that begin before `decided`, in order of their beginnings.

    `undecoded`: more is encoded in it than the budget has; nothing is certain of what was not decoded.
    With `until`, the last of them lasts until that has passed in a copy of what is behind `until_from`, and hides what
    is in it.
    """

    findings: tuple[Finding, ...]
    decided: int
    until: re.Pattern[bytes] | None = None
    until_from: int = 0
    undecoded: bool = False


class Finder:
    """Immutable, and safe to be asked by several threads. Detectors are named by their number."""

    __slots__ = ("_clean", "_scanner", "_table", "detectors")

    def __init__(
        self,
        detectors: Sequence[Detector],
        databases: Databases | None = None,
        *,
        kept: KeptDatabases | None = None,
    ) -> None:
        """Raises ExpressionError, CannotScan. Without `databases` they are compiled, which takes seconds."""
        self.detectors = tuple(detectors)
        self._table = PatternTable(detectors)
        self._clean: dict[frozenset[str], frozenset[str]] = {}
        self._scanner = Scanner(self._table.compiled(kept) if databases is None else databases)

    def quiet(self, text: str, start: int) -> int | None:
        """Return up to where `text` is decided if nothing at all is to be seen in `text[start:]`, else None.

        What stands before `start` is decided. This is how nearly every event of a stream goes.
        """
        from_ = max(0, start - _WITHIN_ENCODED)
        copy = ScanCopy.of(text[from_:])
        data = copy.data
        if smuggles(copy.text) or ends_encoded(data):
            return None
        if self._scanner.sees(data, begun=from_ > 0):
            return None
        opens = self._scanner.opening(data)
        if opens == len(data):
            return len(text)
        # What begins within what was decided is no finding: that was written already.
        return max(start, from_ + copy.original(opens, opens + 1)[0])

    def find(
        self, text: str, *, wanted: Wanted, budget: Budget, depth: int = DEPTH, start: int = 0, final: bool = True
    ) -> Found:
        """Return what is certain of `text[start:]`; what stands before was decided, and may only be looked at.

        `final`: nothing follows, and all is decided. What is encoded is decoded `depth` times. Raises BudgetSpent
        where more would have to be judged than the budget has.
        """
        copy = ScanCopy.of(text)
        ends = self._scanner.ends(copy.data, final=final)
        decided = len(text) if final else self._opening(copy, len(text))
        if not ends and not smuggles(text) and (final or not ends_encoded(copy.data)):
            return Found(findings=(), decided=max(decided, start))
        candidates = Candidates(self._table, self._scanner, wanted, budget, start)
        judged = list(candidates.judged(copy, ends))
        if not final:
            decided = min(decided, _place(copy, open_from(copy.data), decided))
        since = copy.byte_of(start)
        undecoded = False
        try:
            for view in views(copy, budget, depth=depth, since=since, final=final):
                goes_on = not final and view.continues
                within = list(candidates.judged(view, self._scanner.ends(view.data, final=not goes_on)))
                if goes_on:
                    waiting = [each.finding.start for each in within if each.waits_for is not None]
                    opens = min(self._scanner.opening(view.data), open_from(view.data))
                    decided = min(decided, _place(view, opens, decided), *waiting)
                judged += [Judged(each.finding, each.block_from) for each in within]
        except DecodingSpent:
            undecoded = True
        found = _certain(judged, max(decided, start), final=final)
        return replace(found, undecoded=True) if undecoded else found

    def clean_among(self, words: frozenset[str]) -> frozenset[str]:
        """Return those of some constant `words` in which no detector finds anything, however lenient.

        Remembers what it returns, and in what: `words` are to be few different sets.
        """
        clean = self._clean.get(words)
        if clean is None:
            wanted = (True,) * len(self.detectors)
            clean = self._clean[words] = frozenset(word for word in words if self._is_clean(word, wanted))
        return clean

    def _is_clean(self, word: str, wanted: Wanted) -> bool:
        found = self.find(word, wanted=wanted, budget=Budget())
        return not found.findings and not found.undecoded

    def _opening(self, copy: Scanned, otherwise: int) -> int:
        return _place(copy, self._scanner.opening(copy.data), otherwise)


def _place(copy: Scanned, offset: int, otherwise: int) -> int:
    """Return the code point of the text that the byte at `offset` stems from; `otherwise` behind the last byte."""
    return copy.original(offset, offset + 1)[0] if offset < len(copy.data) else otherwise


def _certain(judged: Collection[Judged], decided: int, *, final: bool) -> Found:
    """Return what is certain: nothing within a block is a finding, and none is that something undecided may touch."""
    findings: list[Finding] = []
    blocked_to = 0
    reached: dict[int, int] = {}
    for each in sorted(judged, key=_order):
        finding = each.finding
        # What a detector finds in the text it may find in a view again.
        within = finding.end <= reached.get(finding.detector, 0)
        if finding.start < blocked_to or finding.start >= decided or within:
            continue
        reached[finding.detector] = finding.end
        findings.append(finding)
        if each.block_from is not None:
            blocked_to = finding.end
            if each.waits_for is not None and not final:
                return Found(
                    findings=tuple(findings),
                    decided=finding.end,
                    until=each.waits_for,
                    until_from=each.block_from,
                )
    for finding in reversed(findings):
        if finding.end > decided:
            decided = finding.start
    return Found(findings=tuple(each for each in findings if each.start < decided), decided=decided)


def _order(each: Judged) -> tuple[int, int, int]:
    finding = each.finding
    return finding.start, -finding.end, finding.detector
