# SPDX-License-Identifier: Apache-2.0
"""What the texts of a request that somebody thinks of come to: screening, system prompts, redaction.

Rules: the texts are judged by what judges them for requests. Nothing that is told of them has a character of them:
which rule, in what class of field, how often.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from policies.contracts.codec import JSON
from policies.contracts.decision import Decision, Effect, EngineAnswer, Mode, Outcome, PolicyAnswer, Reason
from policies.contracts.errors import EvaluationFailed
from policies.contracts.redaction import Direction, FieldClass
from policies.contracts.request import EvaluationRequest
from policies.contracts.snapshot import PolicySnapshot
from policies.engines.groups import selectors_of
from policies.evaluation import classifier, screening, system_prompts
from policies.evaluation.explained import Rule, Said, Stage
from policies.evaluation.pipeline import AskTexts
from policies.evaluation.system_prompts import WITH_ROLES, WITHOUT_ROLES, SystemTexts
from policies.redaction.engine import ActiveRules, Redaction
from policies.redaction.examination import Asked, examine, rules_of
from policies.redaction.findings import AnswerBlocked, Tally

MOST_TEXTS: Final = 64
MOST_CHARACTERS: Final = 16_384
_OF_SYSTEM: Final = frozenset({FieldClass.SYSTEM, FieldClass.DEVELOPER})
_BLOCKED: Final = {Direction.REQUEST: "request-blocked", Direction.ANSWER: "answer-blocked"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedText:
    """A text, and where it stands."""

    text: str
    direction: Direction = Direction.REQUEST
    field: FieldClass = FieldClass.USER


class AskedTexts:
    """The texts of one request before the policies for texts. Those of answers are looked at by redaction alone."""

    def __init__(self, texts: Sequence[AskedText], snapshot: PolicySnapshot) -> None:
        self._of_request = tuple(each for each in texts if each.direction is Direction.REQUEST)
        self._texts = tuple(texts)
        self._snapshot = snapshot
        self._tallies: dict[int, tuple[ActiveRules, Tally]] = {}  # with the rules, so that they keep their identity

    def judge(self, ask: AskTexts, request: EvaluationRequest) -> EngineAnswer:
        """Return what the policies of an engine say of them. Raises EvaluationFailed for an engine that is not known.

        Without any text of a request, nothing is said of it.
        """
        if ask.engine == system_prompts.ENGINE:
            said = self._said_as_system(request.action)
            return system_prompts.judge_prompts(self._snapshot, request, said).answer
        if ask.engine == classifier.ENGINE:
            return classifier.classifier_of(self._snapshot).neutral  # nobody asks a screen here
        if ask.engine != screening.ENGINE:
            raise EvaluationFailed(ask.engine, "nobody judges its texts")
        of_snapshot = screening.screening_of(self._snapshot)
        tally = self._looked(of_snapshot.rules_for(request, self._snapshot))
        return of_snapshot.judged(tally, request, self._snapshot).answer

    def stage(self, engine: str, request: EvaluationRequest, decision: Decision) -> Stage:
        """Return the stage of an engine for texts, as `decision` has its answers."""
        answers = next((each.answers for each in decision.engines if each.engine == engine), None)
        if answers is None:
            return Stage(name=engine, verdict="not-asked")
        of_prompts = engine == system_prompts.ENGINE
        found = Counter() if of_prompts else self._screened(request)
        said = tuple(
            self._prompts(answer, request) if of_prompts else _screening(answer, found, self._snapshot)
            for answer in answers
        )
        refused = any(each.outcome is not Outcome.NOT_APPLICABLE and each.mode is Mode.ENFORCE for each in answers)
        return Stage(name=engine, verdict="refuse" if refused else "pass", said=said)

    def redaction(self, request: EvaluationRequest, decision: Decision) -> Stage:
        """Return what redaction makes of the texts: the rules that found something, and what they do."""
        if decision.effect is not Effect.ALLOW:
            return Stage(name="redaction", verdict="not-asked")
        redaction, tally = Redaction.of(self._snapshot.redactions), Tally()
        counts: Counter[tuple[str, str, str, str]] = Counter()
        reason: Reason | None = None
        for each in self._texts:
            asked = Asked(
                direction=each.direction,
                operation=request.action,
                model=request.resource.id if request.resource.type == "model" else None,
                subject=frozenset(selectors_of(self._snapshot, request.subject)),
            )
            examined = examine(rules_of(redaction, asked), each.text, tally, field=each.field)
            counts.update((one.policy, one.rule, one.action, each.field.value) for one in examined.findings)
            if examined.blocked is not None and reason is None:
                reason = _blocked(examined.blocked, each.direction)
        said = tuple(
            Said(policy=policy.id, mode=policy.mode, outcome="applies", rules=rules, facts=_facts(counts, policy.id))
            for policy in self._snapshot.redactions
            if (rules := tuple(_redacting(counts, policy.id)))
        )
        return Stage(name="redaction", verdict="pass" if reason is None else "refuse", said=said, reason=reason)

    def _looked(self, rules: ActiveRules) -> Tally:
        """Return what `rules` find. Many changes of a request are under the same ones, and looking is what costs."""
        known = self._tallies.get(id(rules))
        if known is None:
            known = self._tallies[id(rules)] = (rules, Tally())
            for each in self._of_request:
                if not rules.idle:
                    rules.whole(each.text, known[1], field=each.field)
        return known[1]

    def _said_as_system(self, operation: str) -> SystemTexts | None:
        dialects = {route.dialect for route in self._snapshot.routes if route.operation == operation}
        if dialects & WITHOUT_ROLES:
            return SystemTexts(has_roles=False)
        if not dialects & WITH_ROLES:
            return None
        texts = tuple(each.text for each in self._of_request if each.field in _OF_SYSTEM)
        return SystemTexts(texts=texts, leads=not texts or self._of_request[0].field in _OF_SYSTEM)

    def _screened(self, request: EvaluationRequest) -> Counter[tuple[str, str, str, str]]:
        """Return how often each rule found something, with what it does, by class of field."""
        counts: Counter[tuple[str, str, str, str]] = Counter()
        of_snapshot = screening.screening_of(self._snapshot)
        for each in self._of_request:
            for found in of_snapshot.text(each.text, each.field, request, self._snapshot).found:
                counts[found.policy, found.rule, found.action, each.field.value] += found.count
        return counts

    def _prompts(self, answer: PolicyAnswer, request: EvaluationRequest) -> Said:
        (policy,) = (each for each in self._snapshot.prompts if each.id == answer.policy)
        rule = system_prompts.rule_for(policy, request, self._snapshot)
        if rule is None:
            return Said(policy=policy.id, mode=policy.mode, outcome=answer.outcome)
        role = "requires" if rule.insert is None else "inserts"
        names = list(rule.require) if rule.insert is None else [rule.insert]
        return Said(
            policy=policy.id,
            mode=policy.mode,
            outcome=answer.outcome,
            rules=(Rule(policy=policy.id, rule=rule.id, role=role),),
            facts={"prompts": names},
        )


def _screening(answer: PolicyAnswer, counts: Counter[tuple[str, str, str, str]], snapshot: PolicySnapshot) -> Said:
    (policy,) = (each for each in snapshot.screening if each.id == answer.policy)
    effects = {rule.id: rule.effect for rule in policy.rules}
    found = dict.fromkeys(rule for of, rule, _, _ in counts if of == policy.id)
    rules = tuple(
        Rule(policy=policy.id, rule=rule, role=f"{effects[rule]}s".replace("denys", "denies")) for rule in found
    )
    return Said(
        policy=policy.id, mode=policy.mode, outcome=answer.outcome, rules=rules, facts=_facts(counts, policy.id)
    )


def _redacting(counts: Counter[tuple[str, str, str, str]], policy: str) -> Iterator[Rule]:
    for of, rule, action in dict.fromkeys((of, rule, action) for of, rule, action, _ in counts):
        if of == policy:
            yield Rule(policy=policy, rule=rule, role=action)


def _facts(counts: Counter[tuple[str, str, str, str]], policy: str) -> dict[str, JSON] | None:
    """Return by rule how often it found something in which class of field."""
    found: dict[str, Counter[str]] = {}
    for (of, rule, _, field), count in sorted(counts.items()):
        if of == policy:
            found.setdefault(rule, Counter())[field] += count
    return {"found": dict(found)} if found else None


def _blocked(by: AnswerBlocked, direction: Direction) -> Reason:
    return Reason(code=_BLOCKED[direction], policy=by.policy, rule=by.rule)
