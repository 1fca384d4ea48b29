# SPDX-License-Identifier: Apache-2.0
"""The rules that hold for one direction of one exchange."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from policies.contracts.snapshot import Direction, FieldClass
from policies.redaction.field_rules import FieldRules
from policies.redaction.findings import AnswerBlocked, FindingCount, Tally
from policies.redaction.looking import look
from policies.redaction.rewriting import Rewriter
from policies.redaction.selection import Selected
from policies.redaction.stream import StreamRedactor
from policies.redaction.terms import Terms, united
from policies.scanning.finder import Finder


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactedText:
    """What is left of a text. Where it is `blocked`, nothing."""

    text: str
    findings: tuple[FindingCount, ...] = ()
    blocked: bool = False


_NOTHING: Final = Finder(())
_NO_TERMS: Final = united(())


@dataclass(frozen=True, slots=True, eq=False)
class ActiveRules:
    """The rules of one direction of an exchange. Immutable; any number of texts may use it."""

    finder: Finder
    terms: Terms
    idle: bool
    enforcing: bool
    _fields: Mapping[FieldClass, FieldRules]

    @classmethod
    def of(cls, selected: Selected, finder: Finder, key: bytes | None) -> Self:
        """Return the rules that were selected. `key` is the tenant's, for hashes."""
        # Most rules select no class of fields, and one FieldRules serves all that are alike.
        alike = {uses: FieldRules.of(uses, selected, finder, key) for uses in selected.fields.values()}
        return cls(
            finder=finder,
            terms=selected.terms,
            idle=selected.idle,
            enforcing=selected.enforcing,
            _fields={of: alike[uses] for of, uses in selected.fields.items()},
        )

    @classmethod
    def none(cls) -> Self:
        """Return the rules of an exchange for which there are none."""
        selected = Selected(
            direction=Direction.ANSWER, fields=dict.fromkeys(FieldClass, ()), terms=_NO_TERMS, policies=()
        )
        return cls.of(selected, _NOTHING, None)

    def field(self, of: FieldClass) -> FieldRules:
        """Return the rules for texts of one class."""
        return self._fields[of]

    def looking(self, field: FieldClass) -> tuple[str, ...]:
        """Return the rules that look at texts of the class `field`, each as `POLICY/RULE`."""
        rules = self._fields[field]
        uses = [*filter(None, rules.deciding), *(use for uses in rules.observing for use in uses)]
        return tuple(sorted({f"{use.policy}/{use.rule}" for use in uses}))

    def clean_among(self, words: frozenset[str]) -> frozenset[str]:
        """Return those of some constant `words` in which no detector finds anything. Remembers what it returns."""
        return words if self.idle else self.finder.clean_among(words)

    def stream(
        self, tally: Tally | None = None, *, field: FieldClass = FieldClass.ASSISTANT_TEXT, path: str = ""
    ) -> StreamRedactor:
        """Return a redactor for one text that arrives in pieces. Its findings are added to `tally`, if given."""
        return StreamRedactor(self._fields[field], Tally() if tally is None else tally, path)

    def whole(self, text: str, tally: Tally, *, field: FieldClass = FieldClass.ASSISTANT_TEXT, path: str = "") -> str:
        """Return the redaction of a text that is all there. Raises AnswerBlocked."""
        rules = self._fields[field]
        if rules.idle:
            return text
        tally.judging.arrived(len(text))
        found = look(rules, text, tally, path=path).findings
        return Rewriter(rules, tally, path).rewritten(text, found, start=0, end=len(text)) if found else text

    def text(self, text: str) -> RedactedText:
        """Return the redaction of a text that is all there, with what was found. A block is a value here."""
        tally = Tally()
        try:
            left = self.whole(text, tally)
        except AnswerBlocked:
            return RedactedText(text="", findings=tally.findings, blocked=True)
        return RedactedText(text=left, findings=tally.findings)
