# SPDX-License-Identifier: Apache-2.0
"""One detector over one text: what it finds is replaced, blocked or only counted, what it decided leaves."""

from dataclasses import dataclass
from typing import Final

from policies.detectors.detector import Detector, Scan
from policies.redaction.findings import AnswerBlocked, AppliedRule, Tally

BLOCK: Final = "block"


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorRules:
    """What is done about the findings of one detector, which the clues know by its `place`.

    `deciding` is the rule that replaces or blocks; None where there are only `observing` ones, which change nothing.
    """

    detector: Detector
    place: int
    deciding: AppliedRule | None
    observing: tuple[AppliedRule, ...] = ()
    reversible: bool = False

    @property
    def blocks(self) -> bool:
        return self.deciding is not None and self.deciding.action == BLOCK


class Stage:
    """Keeps what its detector has not decided, and before it what the detector must still see.

    `reach` is how much it keeps of what was decided, at least the detector's lookbehind.
    """

    __slots__ = ("_detector", "_path", "_placeholder", "_reach", "_rules", "_start", "_tally", "_text", "_until")

    def __init__(self, rules: DetectorRules, tally: Tally, *, before: str = "", reach: int = 0, path: str = "") -> None:
        self._path = path
        self._rules = rules
        self._detector = rules.detector
        self._placeholder = f"[redacted:{rules.detector.name}]"
        self._tally = tally
        self._reach = max(reach, rules.detector.lookbehind)
        self._text = before
        self._start = len(before)  # where the undecided begins in `_text`
        self._until = ""  # the end of the finding we are inside of; empty outside

    @property
    def inside(self) -> bool:
        """Whether a finding has begun whose end was not seen: what comes is dropped."""
        return bool(self._until)

    @property
    def seen(self) -> str:
        """What was decided and is still kept."""
        return self._text[: self._start]

    @property
    def held(self) -> str:
        return self._text[self._start :]

    def feed(self, text: str, *, clue: bool = True, scan: Scan | None = None) -> str:
        """Return what is decided now. `clue` False says that in what is kept, with `text`, there is no clue.

        `scan` is what the detector has said of what is kept with `text`, where it was asked already.
        """
        return self._advance(text, final=False, clue=clue, scan=scan) if text else ""

    def finish(self) -> str:
        return self._advance("", final=True)

    def whole(self, text: str) -> str:
        """Return the redaction of a text that is all there, for a stage that was fed nothing."""
        return self._advance(text, final=True)

    def _advance(self, more: str, *, final: bool, clue: bool = True, scan: Scan | None = None) -> str:
        text, start = self._text + more, self._start
        leaving: list[str] = []
        while True:
            if self._until:
                start, closed = self._close(text, start)
                if not closed:
                    break
            if scan is None:
                scan = self._scan(text, start, final=final, clue=clue)
            for finding in scan.findings:
                span = text[finding.start : finding.end]
                self._report(span)
                leaving += (text[start : finding.start], self._shown(span))
                start = finding.end
            leaving.append(text[start : scan.decided_to])
            start = scan.decided_to
            if scan.opening is None:
                break
            # What is inside comes later, or never: the remark is on what began it.
            self._report(text[scan.opening.start : scan.opening.end])
            leaving.append(self._placeholder)
            start = scan.opening.end
            self._until = scan.opening.until
            scan = None
        kept = max(0, start - self._reach)
        self._text, self._start = text[kept:], start - kept
        return "".join(leaving)

    def _scan(self, text: str, start: int, *, final: bool, clue: bool) -> Scan:
        if clue:
            return self._detector.scan(text, start, final=final)
        return Scan((), self._detector.undecided_from(text, start))

    def _close(self, text: str, start: int) -> tuple[int, bool]:
        """Return where the open finding ends and True, or from where its end may still begin and False."""
        found = text.find(self._until, start)
        if found == -1:
            return max(start, len(text) - len(self._until) + 1), False
        end = found + len(self._until)
        self._until = ""
        return end, True

    def _shown(self, span: str) -> str:
        """Return what stands in place of `span`: a pseudonym where the rule is reversible and there is one to give."""
        if self._rules.reversible and self._tally.pseudonyms is not None:
            return self._tally.pseudonyms.of(self._detector.name, span) or self._placeholder
        return self._placeholder

    def _report(self, span: str) -> None:
        for observing in self._rules.observing:
            self._count(observing, span)
        if rule := self._rules.deciding:
            self._count(rule, span)
            if rule.action == BLOCK:
                raise AnswerBlocked(policy=rule.policy, rule=rule.rule, detector=rule.detector)

    def _count(self, rule: AppliedRule, span: str) -> None:
        self._tally.add(rule)
        self._tally.remark(rule, kind=self._detector.name, path=self._path, span=span)


class Lookout(Stage):
    """A stage that only counts: the text passes at once and unchanged, whatever the detector would have held."""

    __slots__ = ()

    def feed(self, text: str, *, clue: bool = True, scan: Scan | None = None) -> str:
        super().feed(text, clue=clue, scan=scan)
        return text

    def finish(self) -> str:
        super().finish()
        return ""

    def whole(self, text: str) -> str:
        super().whole(text)
        return text


def stage_of(rules: DetectorRules, tally: Tally, *, before: str = "", reach: int = 0, path: str = "") -> Stage:
    """Return a new stage for these rules. `before` is decided already, and only there to be looked at."""
    kind = Stage if rules.deciding else Lookout
    return kind(rules, tally, before=before, reach=reach, path=path)
