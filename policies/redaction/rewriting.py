# SPDX-License-Identifier: Apache-2.0
"""Writes a text again without what the rules act on, and remarks on all that was found."""

from collections.abc import Sequence

from policies.contracts.snapshot import RedactionAction
from policies.redaction.field_rules import FieldRules
from policies.redaction.findings import AnswerBlocked, AppliedRule, Tally
from policies.redaction.replacement import replacement
from policies.redaction.selection import RuleUse
from policies.redaction.spans import acted_on
from policies.scanning.finder import Finding


class Rewriter:
    """Writes texts of one field at `path`. What it does is added to `tally`."""

    __slots__ = ("_path", "_rules", "_tally")

    def __init__(self, rules: FieldRules, tally: Tally, path: str) -> None:
        self._rules = rules
        self._tally = tally
        self._path = path

    def rewritten(self, text: str, findings: Sequence[Finding], *, start: int, end: int) -> str:
        """Return `text[start:end]` without its findings, which stand in order. Raises AnswerBlocked."""
        rules = self._rules
        for finding in findings:
            for rule in rules.looking_at(finding):
                self._note(rule, finding, text[finding.start : finding.head])
        parts: list[str] = []
        at = start
        for span in acted_on(findings, rules):
            # Of a finding that lasts until something passes a stream has seen the beginning alone.
            value = text[span.start : span.finding.head if span.finding.head < span.finding.end else span.end]
            self._note(span.rule, span.finding, value)
            detector = rules.finder.detectors[span.finding.detector]
            if span.rule.action in (RedactionAction.BLOCK, RedactionAction.CUT):
                raise AnswerBlocked(policy=span.rule.policy, rule=span.rule.rule, detector=detector.name)
            before = text[span.start - 1 : span.start]
            written = replacement(span.rule, detector, value, before=before, tally=self._tally, key=rules.key)
            parts += (text[at : span.start], written)
            at = span.end
        parts.append(text[at:end])
        return "".join(parts)

    def _note(self, rule: RuleUse, finding: Finding, value: str) -> None:
        detector = self._rules.finder.detectors[finding.detector]
        applied = AppliedRule(detector=detector.name, policy=rule.policy, rule=rule.rule, action=rule.said)
        self._tally.add(applied)
        self._tally.remark(applied, kind=detector.kind, path=self._path, span=value)
