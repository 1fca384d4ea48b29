# SPDX-License-Identifier: Apache-2.0
"""What every redactor of the same rules shares: the rules in the order of precedence, and where to look for clues."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from policies.detectors.clues import Clues
from policies.detectors.detector import Scan
from policies.redaction.findings import Tally
from policies.redaction.stage import DetectorRules, Stage, stage_of

_NOTHING: Final[frozenset[int]] = frozenset()


class Met(NamedTuple):
    """What the first detector that finds something in a text has found: its place, and what it said of the text."""

    place: int
    scan: Scan


class Chain:
    """Immutable; any number of texts may use it. `clues` may know detectors that have no rule here."""

    __slots__ = ("_clean_among", "_clues", "_places", "blocking", "changes", "may_sleep", "reach", "rules")

    def __init__(self, rules: Sequence[DetectorRules], clues: Clues) -> None:
        self.rules = tuple(rules)
        self._clues = clues
        self._clean_among: dict[frozenset[str], frozenset[str]] = {}
        self._places = frozenset(rule.place for rule in self.rules)
        self.blocking = frozenset(rule.place for rule in self.rules if rule.blocks)
        # How much of what was decided any detector must still see.
        self.reach = max((rule.detector.lookbehind for rule in self.rules), default=0)
        self.changes = any(rule.deciding for rule in self.rules)
        # A rule that only looks lets text pass undecided, so that no one copy of the text stands for all stages.
        self.may_sleep = bool(self.rules) and all(rule.deciding for rule in self.rules)

    def seen(self, text: str, start: int = 0) -> frozenset[int]:
        """Return the places of the detectors that may find something in `text[start:]`, seeing what stands before."""
        seen = self._clues.seen(text)
        return self._within_reach(self._places.intersection(seen), text, start) if seen else _NOTHING

    def _within_reach(self, seen: frozenset[int], text: str, start: int) -> frozenset[int]:
        """Return `seen` without those detectors that do not look back as far as to their clue.

        Behind a finding its clue stays in what is kept for others, as long as the farthest of them looks back.
        """
        for rule in self.rules:
            from_ = start - rule.detector.lookbehind
            if from_ > 0 and rule.place in seen and rule.place not in self._clues.seen(text[from_:]):
                seen -= {rule.place}
        return seen

    def whole(self, text: str, tally: Tally, *, path: str = "") -> str:
        """Return what a StreamRedactor would leave of a text that is all there. Raises AnswerBlocked."""
        if self.rules and (seen := self.seen(text)):
            for rule in self.rules:
                if rule.place in seen:
                    text = stage_of(rule, tally, path=path).whole(text)
        return text

    def clean_among(self, words: frozenset[str]) -> frozenset[str]:
        """Return those of some constant `words` in which no detector can find anything. Remembers what it returns."""
        clean = self._clean_among.get(words)
        if clean is None:
            clean = self._clean_among[words] = frozenset(
                word for word in words if not self.rules or not self.seen(word)
            )
        return clean

    def undecided_from(self, text: str, start: int, seen: frozenset[int]) -> int | Met:
        """Return from where on stages that have all seen `text` would hold it, or what the first of them finds.

        `seen` are the places of those that may find something.
        """
        end = len(text)
        for rule in self.rules:
            if rule.place in seen:
                scan = rule.detector.scan(text, start, final=False)
                if scan.findings or scan.opening is not None:
                    return Met(rule.place, scan)
                undecided = scan.decided_to
            else:
                undecided = rule.detector.undecided_from(text, start)
            if undecided < end:
                text, end = text[:undecided], undecided
        return end

    def stages(self, tally: Tally, *, before: str = "", path: str = "") -> tuple[Stage, ...]:
        """Return new stages, all of which have seen `before` and decided it."""
        return tuple(stage_of(rule, tally, before=before, reach=self.reach, path=path) for rule in self.rules)
