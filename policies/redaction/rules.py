# SPDX-License-Identifier: Apache-2.0
"""The rules that hold for one answer."""

from dataclasses import dataclass

from policies.redaction.findings import AnswerBlocked, FindingCount, Tally
from policies.redaction.stream import DetectorRules, StreamRedactor, redact_whole


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactedText:
    """What is left of a text. Where it is `blocked`, nothing."""

    text: str
    findings: tuple[FindingCount, ...] = ()
    blocked: bool = False


@dataclass(frozen=True, slots=True)
class ActiveRules:
    """The rules of one answer by detector, in the order of precedence. Immutable; any number of texts may use it."""

    by_detector: tuple[DetectorRules, ...] = ()

    @property
    def idle(self) -> bool:
        """Whether no rule looks at the answer at all."""
        return not self.by_detector

    @property
    def enforcing(self) -> bool:
        """Whether a rule may change the answer."""
        return any(rules.deciding for rules in self.by_detector)

    def stream(self, tally: Tally | None = None) -> StreamRedactor:
        """Return a redactor for one text that arrives in pieces. Its findings are added to `tally`, if given."""
        return StreamRedactor(self.by_detector, Tally() if tally is None else tally)

    def whole(self, text: str, tally: Tally) -> str:
        """Return the redaction of a text that is all there. Raises AnswerBlocked."""
        return redact_whole(self.by_detector, text, tally)

    def text(self, text: str) -> RedactedText:
        """Return the redaction of a text that is all there, with what was found. A block is a value here."""
        tally = Tally()
        try:
            left = self.whole(text, tally)
        except AnswerBlocked:
            return RedactedText(text="", findings=tally.findings, blocked=True)
        return RedactedText(text=left, findings=tally.findings)
