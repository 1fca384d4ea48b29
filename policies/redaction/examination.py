# SPDX-License-Identifier: Apache-2.0
"""One text examined for somebody who asks what redaction does to it: what is left, and each finding with its place.

This is for commands and for the API. What stands between a client and a model counts findings and never says where
they were (`policies.redaction.findings`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from policies.contracts.decision import Mode
from policies.contracts.snapshot import (
    Direction,
    FieldClass,
    RedactionAction,
    RedactionPolicy,
    RedactionRule,
    Strictness,
)
from policies.detectors.catalogue import ALL
from policies.redaction.engine import Redaction
from policies.redaction.field_rules import FieldRules
from policies.redaction.findings import AnswerBlocked, Tally
from policies.redaction.looking import look
from policies.redaction.rewriting import Rewriter
from policies.redaction.rules import ActiveRules
from policies.redaction.selection import RuleUse
from policies.redaction.spans import acted_on
from policies.scanning.finder import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Of what kind of exchange is asked: what policies and rules select by. What is None narrows nothing.

    `subject` are the selectors that mean the subject: `user:alice`, `group:staff`.
    """

    direction: Direction = Direction.ANSWER
    operation: str | None = None
    model: str | None = None
    subject: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedFinding:
    """`text[start:end]` in code points, what it is, how sure its detector is (0 to 1), and whose rule acts on it."""

    kind: str
    detector: str
    start: int
    end: int
    score: float
    policy: str
    rule: str
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What is left of a text. Where it is `blocked`, nothing; the findings are all there nevertheless."""

    text: str
    findings: tuple[PlacedFinding, ...]
    blocked: AnswerBlocked | None = None


def everything(*, strict: bool = False, detectors: tuple[str, ...] = (ALL,)) -> RedactionPolicy:
    """Return a policy that replaces whatever `detectors` find, of requests and answers, in any field."""
    rule = RedactionRule(
        id="everything",
        detectors=detectors,
        action=RedactionAction.REPLACE,
        directions=tuple(Direction),
        strictness=Strictness.STRICT if strict else Strictness.LENIENT,
    )
    return RedactionPolicy(id="everything", version="1", mode=Mode.ENFORCE, operations=(), models=(), rules=(rule,))


def rules_of(redaction: Redaction, asked: Asked) -> ActiveRules:
    """Return the rules that hold where the decision obliges to every policy that selects the exchange."""
    obliged = redaction.applicable(
        operation=asked.operation, model=asked.model, subject=asked.subject, direction=asked.direction
    )
    return redaction.rules_for(
        obliged, direction=asked.direction, operation=asked.operation, model=asked.model, subject=asked.subject
    )


def examine(active: ActiveRules, text: str, tally: Tally, *, field: FieldClass = FieldClass.ASSISTANT_TEXT) -> Examined:
    """Return what the rules make of a text that is all there. The texts of one conversation share a `tally`."""
    rules = active.field(field)
    findings: tuple[PlacedFinding, ...] = ()
    try:
        tally.judging.arrived(len(text))
        found = () if rules.idle else look(rules, text, tally).findings
        findings = tuple(sorted(_placed(rules, found), key=lambda each: (each.start, each.end, each.policy, each.rule)))
        left = Rewriter(rules, tally, "").rewritten(text, found, start=0, end=len(text))
    except AnswerBlocked as blocked:
        return Examined(text="", findings=findings, blocked=blocked)
    return Examined(text=left, findings=findings)


def _placed(rules: FieldRules, found: Sequence[Finding]) -> Iterator[PlacedFinding]:
    """Give every span that a rule acts on, and every finding that rules only look at."""
    for span in acted_on(found, rules):
        yield _of(rules, span.rule, span.finding, span.start, span.end)
    for finding in found:
        for rule in rules.looking_at(finding):
            yield _of(rules, rule, finding, finding.start, finding.end)


def _of(rules: FieldRules, rule: RuleUse, finding: Finding, start: int, end: int) -> PlacedFinding:
    detector = rules.finder.detectors[finding.detector]
    return PlacedFinding(
        kind=detector.kind,
        detector=detector.name,
        start=start,
        end=end,
        score=finding.score,
        policy=rule.policy,
        rule=rule.rule,
        action=rule.said,
    )
