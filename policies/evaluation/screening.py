# SPDX-License-Identifier: Apache-2.0
"""What screening rules find in the texts of a request, and what becomes of the request for it.

Theory: redaction's engine looks for things in folded and decoded texts in linear time, with a bound on what a text may
cost. A screening rule is given to it as a detector and a rule that only looks, so that both see the same of a text.

Rules: every rule looks for itself, and no finding hides another. A text that costs more to look at than one may is
refused by every policy that could refuse it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from policies.contracts.decision import EngineAnswer, Mode, Outcome, PolicyAnswer, Reason
from policies.contracts.request import EvaluationRequest
from policies.contracts.screening import SCREENED, ScreenEffect, ScreeningPolicy, ScreeningRule
from policies.contracts.snapshot import (
    CustomDetector,
    CustomPattern,
    Direction,
    FieldClass,
    PolicySnapshot,
    RedactionAction,
    RedactionPolicy,
    RedactionRule,
)
from policies.detectors.custom import expression_of
from policies.engines.groups import selectors_of
from policies.engines.per_snapshot import per_snapshot
from policies.redaction.engine import ActiveRules, Redaction
from policies.redaction.findings import Tally
from policies.redaction.selection import selects
from policies.scanning.fold import folded
from policies.scanning.kept import KeptDatabases

ENGINE: Final = "screening"
_KIND: Final = "SCREENED"
# Between two words of a phrase: any white space, and marks such as a comma or a dash.
_BETWEEN: Final = r"[^A-Za-z0-9]{1,8}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Screened:
    """`count` findings of one rule; `action` is its effect, or the mode of a policy that does not enforce."""

    policy: str
    rule: str
    action: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedScreen:
    answer: EngineAnswer
    found: tuple[Screened, ...] = ()


class Screening:
    """The screening policies of one snapshot. Built once, off the path of requests; immutable."""

    __slots__ = ("_neutral", "_policies", "_redaction")

    def __init__(self, policies: Sequence[ScreeningPolicy], redaction: Redaction) -> None:
        self._policies = tuple(policy for policy in policies if policy.rules)
        self._redaction = redaction
        neutral = (
            PolicyAnswer(policy=each.id, mode=each.mode, outcome=Outcome.NOT_APPLICABLE) for each in self._policies
        )
        self._neutral = EngineAnswer(engine=ENGINE, answers=tuple(neutral))

    @classmethod
    def of(cls, policies: Sequence[ScreeningPolicy], *, kept: KeptDatabases | None = None) -> Self:
        """Return the screening by `policies`. Raises ValueError for a pattern that cannot be looked for."""
        return cls(policies, Redaction.of(as_redactions(policies), kept=kept))

    def rules_for(self, request: EvaluationRequest, snapshot: PolicySnapshot) -> ActiveRules:
        """Return what is looked for in the texts of `request`."""
        return self._redaction.rules_for(
            (),
            direction=Direction.REQUEST,
            operation=request.action,
            model=_model(request),
            subject=selectors_of(snapshot, request.subject),
        )

    def judged(self, tally: Tally, request: EvaluationRequest, snapshot: PolicySnapshot) -> JudgedScreen:
        """Return what becomes of a request in whose texts `tally` was found."""
        counts = {(found.policy, found.rule): found.count for found in tally.findings}
        if not counts and not tally.unscanned:
            return JudgedScreen(answer=self._neutral)
        answers, found = [], []
        for policy, neutral in zip(self._policies, self._neutral.answers, strict=True):
            rules = [rule for rule in policy.rules if (policy.id, rule.id) in counts]
            for rule in rules:
                action = str(rule.effect if policy.mode is Mode.ENFORCE else policy.mode)
                count = counts[policy.id, rule.id]
                found.append(Screened(policy=policy.id, rule=rule.id, action=action, count=count))
            reasons = [
                Reason(code=rule.reason, policy=policy.id, rule=rule.id)
                for rule in rules
                if rule.effect is ScreenEffect.DENY
            ]
            if tally.unscanned and not reasons and _could_deny(policy, request, snapshot):
                reasons.append(Reason(code=SCREENED, policy=policy.id))
            answers.append(
                PolicyAnswer(policy=policy.id, mode=policy.mode, outcome=Outcome.DENY, reasons=tuple(reasons))
                if reasons
                else neutral
            )
        return JudgedScreen(answer=EngineAnswer(engine=ENGINE, answers=tuple(answers)), found=tuple(found))

    def text(self, text: str, field: FieldClass, request: EvaluationRequest, snapshot: PolicySnapshot) -> JudgedScreen:
        """Return what becomes of `request` if it says `text` and nothing else."""
        rules, tally = self.rules_for(request, snapshot), Tally()
        if not rules.idle:
            rules.whole(text, tally, field=field)
        return self.judged(tally, request, snapshot)


@per_snapshot
def screening_of(snapshot: PolicySnapshot) -> Screening:
    """Return the screening of `snapshot`, its patterns compiled here: for those who are not on the path of requests."""
    return Screening.of(snapshot.screening)


def as_redactions(policies: Sequence[ScreeningPolicy]) -> tuple[RedactionPolicy, ...]:
    """Return the policies as redaction's engine takes them: each rule a detector of its own, looked for and no more."""
    return tuple(
        RedactionPolicy(
            id=policy.id,
            version=policy.version,
            mode=Mode.OBSERVE,
            operations=(),
            models=(),
            rules=tuple(map(_looking, policy.rules)),
            detectors=tuple(map(detector_of, policy.rules)),
        )
        for policy in policies
        if policy.rules
    )


def detector_of(rule: ScreeningRule) -> CustomDetector:
    expressions = dict.fromkeys((*map(_phrase, rule.phrases), *rule.expressions))
    patterns = tuple(CustomPattern(expression=each, ignore_case=True) for each in expressions)
    return CustomDetector(id=rule.id, kind=_KIND, patterns=patterns)


def _phrase(phrase: str) -> str:
    return _BETWEEN.join(expression_of(word) for word in folded(phrase).split())


def _looking(rule: ScreeningRule) -> RedactionRule:
    return RedactionRule(
        id=rule.id,
        detectors=(rule.id,),
        action=RedactionAction.ANNOTATE,
        directions=(Direction.REQUEST,),
        fields=rule.fields,
        operations=rule.operations,
        models=rule.models,
        subjects=rule.subjects,
    )


def _could_deny(policy: ScreeningPolicy, request: EvaluationRequest, snapshot: PolicySnapshot) -> bool:
    selectors, model = selectors_of(snapshot, request.subject), _model(request)
    return any(
        rule.effect is ScreenEffect.DENY and selects(rule, operation=request.action, model=model, subject=selectors)
        for rule in policy.rules
    )


def _model(request: EvaluationRequest) -> str | None:
    return request.resource.id if request.resource.type == "model" else None
