# SPDX-License-Identifier: Apache-2.0
"""One text examined for somebody who asks what redaction does to it: what is left, and each finding with its place.

This is for commands and for the API. What stands between a client and a model counts findings and never says where
they were (`policies.redaction.findings`).
"""

from dataclasses import dataclass
from typing import Final

from policies.contracts.decision import Mode
from policies.contracts.snapshot import (
    Direction,
    FieldClass,
    RedactionAction,
    RedactionPolicy,
    RedactionRule,
    Strictness,
)
from policies.detectors.registry import DETECTOR_NAMES
from policies.redaction.engine import Redaction
from policies.redaction.findings import AnswerBlocked, AppliedRule, Tally
from policies.redaction.rules import ActiveRules

_KINDS: Final = {
    "private-key-header": "secret.private-key",
    "payment-card": "CREDIT_CARD",
    "aws-access-key": "secret.aws-access-key",
    "email": "EMAIL_ADDRESS",
}


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


def everything(*, strict: bool = False, detectors: tuple[str, ...] = DETECTOR_NAMES) -> RedactionPolicy:
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
    operation, model = asked.operation, asked.model
    if operation is None:
        obliged = tuple(policy.id for policy in redaction.policies if policy.mode is Mode.ENFORCE)
    else:
        obliged = redaction.applicable(operation=operation, model=model)
    return redaction.rules_for(
        obliged, operation=operation, model=model, subject=asked.subject, direction=asked.direction
    )


def examine(active: ActiveRules, text: str, tally: Tally, *, field: FieldClass = FieldClass.ASSISTANT_TEXT) -> Examined:
    """Return what the rules make of a text that is all there. The texts of one conversation share a `tally`."""
    findings = tuple(_findings(active, text))
    try:
        return Examined(text=active.whole(text, tally, field=field), findings=findings)
    except AnswerBlocked as blocked:
        return Examined(text="", findings=findings, blocked=blocked)


def _findings(active: ActiveRules, text: str) -> list[PlacedFinding]:
    found: list[PlacedFinding] = []
    for each in active.chain.rules:
        scan = each.detector.scan(text, 0, final=True)
        spans = [(finding.start, finding.end) for finding in scan.findings]
        if scan.opening is not None:
            behind = text.find(scan.opening.until, scan.opening.end)
            spans.append((scan.opening.start, len(text) if behind == -1 else behind + len(scan.opening.until)))
        found += [
            _placed(rule, start, end)
            for start, end in spans
            if not any(start < other.end and other.start < end for other in found)
            for rule in ([each.deciding] if each.deciding else each.observing)
        ]
    return sorted(found, key=lambda finding: (finding.start, finding.policy, finding.rule))


def _placed(rule: AppliedRule, start: int, end: int) -> PlacedFinding:
    return PlacedFinding(
        kind=_KINDS[rule.detector],
        detector=rule.detector,
        start=start,
        end=end,
        score=1.0,
        policy=rule.policy,
        rule=rule.rule,
        action=rule.action,
    )
