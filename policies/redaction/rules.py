# SPDX-License-Identifier: Apache-2.0
"""The rules that hold for one answer."""

from dataclasses import dataclass
from typing import Final, Self

from policies.contracts.snapshot import FieldClass
from policies.detectors.clues import Clues
from policies.redaction.chain import Chain
from policies.redaction.findings import AnswerBlocked, FindingCount, Tally
from policies.redaction.stream import StreamRedactor
from policies.redaction.terms import Terms, united


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactedText:
    """What is left of a text. Where it is `blocked`, nothing."""

    text: str
    findings: tuple[FindingCount, ...] = ()
    blocked: bool = False


_NO_RULES: Final = Chain((), Clues(()))
_NO_TERMS: Final = united(())


@dataclass(frozen=True, slots=True)
class ActiveRules:
    """The rules of one answer, in the order of precedence. Immutable; any number of texts may use it."""

    chain: Chain = _NO_RULES
    terms: Terms = _NO_TERMS

    @classmethod
    def none(cls) -> Self:
        """Return the rules of an exchange for which there are none."""
        return cls()

    @property
    def idle(self) -> bool:
        """Whether no rule looks at the answer at all."""
        return not self.chain.rules

    @property
    def enforcing(self) -> bool:
        """Whether a rule may change the answer."""
        return self.chain.changes

    def looking(self, field: FieldClass) -> tuple[str, ...]:  # noqa: ARG002  # no rule selects by it yet
        """Return the rules that look at texts of the class `field`, each as `POLICY/RULE`."""
        stages = self.chain.rules
        applied = [rule for stage in stages for rule in (*filter(None, (stage.deciding,)), *stage.observing)]
        return tuple(sorted({f"{rule.policy}/{rule.rule}" for rule in applied}))

    def clean_among(self, words: frozenset[str]) -> frozenset[str]:
        """Return those of some constant `words` in which no rule can find anything. Remembers what it returns."""
        return self.chain.clean_among(words)

    def stream(
        self,
        tally: Tally | None = None,
        *,
        field: FieldClass = FieldClass.ASSISTANT_TEXT,  # noqa: ARG002  # no rule selects by it yet
        path: str = "",
    ) -> StreamRedactor:
        """Return a redactor for one text that arrives in pieces. Its findings are added to `tally`, if given."""
        return StreamRedactor(self.chain, Tally() if tally is None else tally, path=path)

    def whole(
        self,
        text: str,
        tally: Tally,
        *,
        field: FieldClass = FieldClass.ASSISTANT_TEXT,  # noqa: ARG002  # no rule selects by it yet
        path: str = "",
    ) -> str:
        """Return the redaction of a text that is all there. Raises AnswerBlocked."""
        return self.chain.whole(text, tally, path=path)

    def text(self, text: str) -> RedactedText:
        """Return the redaction of a text that is all there, with what was found. A block is a value here."""
        tally = Tally()
        try:
            left = self.whole(text, tally)
        except AnswerBlocked:
            return RedactedText(text="", findings=tally.findings, blocked=True)
        return RedactedText(text=left, findings=tally.findings)
