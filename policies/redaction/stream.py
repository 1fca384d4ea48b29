# SPDX-License-Identifier: Apache-2.0
"""Redaction of a text while it arrives: a chain of stages, one for each detector, in the order of precedence.

Theory: a stage turns the text it has seen into the redaction of that text, and gives away what its detector calls
decided. What a stage has given away is thus a prefix of what it gives for the whole text, wherever the text was cut; a
chain of such stages is one too. A detector sees the text that the detectors before it have left, so that findings never
overlap.
"""

from dataclasses import dataclass

from policies.detectors.detector import Detector
from policies.redaction.findings import AnswerBlocked, AppliedRule, FindingCount, Tally

BLOCK = "block"


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorRules:
    """What is done about the findings of one detector.

    `deciding` is the rule that replaces or blocks; None where there are only `observing` ones, which change nothing.
    """

    detector: Detector
    deciding: AppliedRule | None
    observing: tuple[AppliedRule, ...] = ()


class StreamRedactor:
    """Redacts one text that arrives in pieces. After AnswerBlocked it MUST NOT be used again."""

    def __init__(self, rules: tuple[DetectorRules, ...], tally: Tally) -> None:
        self._stages = tuple(_stage(rule, tally) for rule in rules)
        self._tally = tally

    def feed(self, text: str) -> str:
        """Return what may leave now that `text` has arrived.

        Raises AnswerBlocked once a blocking finding is certain; nothing of it was returned before.
        """
        for stage in self._stages:
            text = stage.feed(text)
        return text

    def finish(self) -> str:
        """Return what was held, redacted; nothing more arrives. Raises AnswerBlocked as `feed` does."""
        rest = ""
        for stage in self._stages:
            rest = stage.feed(rest) + stage.finish()
        return rest

    @property
    def findings(self) -> tuple[FindingCount, ...]:
        return self._tally.findings


def redact_whole(rules: tuple[DetectorRules, ...], text: str, tally: Tally) -> str:
    """Return what a StreamRedactor would leave of a text that is all there. Raises AnswerBlocked.

    Nearly every text of an answer is short and clean: it costs one scan a detector, and no stage.
    """
    for rule in rules:
        scan = rule.detector.scan(text, 0, final=True)
        if scan.findings or scan.opening is not None:
            text = _stage(rule, tally).whole(text)
    return text


def _stage(rule: DetectorRules, tally: Tally) -> "_Stage":
    return _Stage(rule, tally) if rule.deciding else _Lookout(rule, tally)


class _Stage:
    """One detector over one text. Keeps what is undecided, and before it what the detector must still see."""

    def __init__(self, rules: DetectorRules, tally: Tally) -> None:
        self._rules = rules
        self._detector = rules.detector
        self._placeholder = f"[redacted:{rules.detector.name}]"
        self._tally = tally
        self._text = ""
        self._start = 0  # where the undecided begins in `_text`
        self._until = ""  # the end of the finding we are inside of; empty outside

    def feed(self, text: str) -> str:
        return self._advance(text, final=False) if text else ""

    def finish(self) -> str:
        return self._advance("", final=True)

    def whole(self, text: str) -> str:
        return self._advance(text, final=True)

    def _advance(self, more: str, *, final: bool) -> str:
        text, start = self._text + more, self._start
        leaving: list[str] = []
        while True:
            if self._until:
                start, closed = self._close(text, start)
                if not closed:
                    break
            scan = self._detector.scan(text, start, final=final)
            for finding in scan.findings:
                leaving += (text[start : finding.start], self._placeholder)
                start = finding.end
                self._report()
            leaving.append(text[start : scan.decided_to])
            start = scan.decided_to
            if scan.opening is None:
                break
            leaving.append(self._placeholder)
            start = scan.opening.end
            self._until = scan.opening.until
            self._report()
        seen = max(0, start - self._detector.lookbehind)
        self._text, self._start = text[seen:], start - seen
        return "".join(leaving)

    def _close(self, text: str, start: int) -> tuple[int, bool]:
        """Return where the open finding ends and True, or from where its end may still begin and False."""
        found = text.find(self._until, start)
        if found == -1:
            return max(start, len(text) - len(self._until) + 1), False
        end = found + len(self._until)
        self._until = ""
        return end, True

    def _report(self) -> None:
        for observing in self._rules.observing:
            self._tally.add(observing)
        if rule := self._rules.deciding:
            self._tally.add(rule)
            if rule.action == BLOCK:
                raise AnswerBlocked(policy=rule.policy, rule=rule.rule, detector=rule.detector)


class _Lookout(_Stage):
    """A stage that only counts: the text passes at once and unchanged, whatever the detector would have held."""

    def feed(self, text: str) -> str:
        super().feed(text)
        return text

    def finish(self) -> str:
        super().finish()
        return ""

    def whole(self, text: str) -> str:
        super().whole(text)
        return text
