# SPDX-License-Identifier: Apache-2.0
"""Explain a decision: what each stage says of a request, and what would have to differ for another decision.

Theory: the decision is that of the very pipeline; the stages are told from its answers and from what judges selectors
for requests, so that an explanation cannot disagree with what it explains. What would have to differ is not derived
from rules, which combine in too many ways: single changes of the request are tried, a bounded number, and those with
which the decision is another are told. A change that is not told was not tried, or changes nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from policies.contracts.codec import JSON
from policies.contracts.decision import Decision, Effect, Mode, Outcome, PolicyAnswer
from policies.contracts.request import EvaluationRequest
from policies.contracts.snapshot import GuardPolicy, PolicySnapshot
from policies.engines.casbin import CasbinAccess
from policies.engines.groups import groups_of, selectors_of
from policies.evaluation.bulk import GuardMany, decide_many
from policies.evaluation.concerning import concerning
from policies.evaluation.counterfactuals import single_changes
from policies.evaluation.expected import expected_of
from policies.evaluation.explained import Rule, Said, Stage
from policies.evaluation.explaining_credentials import AskedCredential, credential_stages
from policies.evaluation.explaining_texts import AskedText, AskedTexts
from policies.evaluation.head import head_code
from policies.evaluation.limits import body_limit, rates_for


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A single change with which the decision is another: verified by deciding it."""

    what: str
    to: JSON
    effect: Effect
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """`decision` is what the engines say; a stage before or behind them may refuse what it allows (`Stage.reason`).

    `tried` counts the changes that were decided; `differences` are those that matter.
    """

    request: EvaluationRequest
    groups: tuple[str, ...]
    decision: Decision
    stages: tuple[Stage, ...]
    differences: tuple[Difference, ...]
    tried: int


async def explain_request(
    request: EvaluationRequest,
    *,
    snapshot: PolicySnapshot,
    access: CasbinAccess,
    guards: GuardMany,
    texts: Sequence[AskedText] | None = None,
    credential: AskedCredential | None = None,
) -> Explained:
    """Return the explanation of `request`. Rates are not counted; without `texts` none are judged.

    Raises EvaluationFailed where an engine is gone.
    """
    given = None if texts is None else AskedTexts(texts, snapshot)
    changes = list(single_changes(request, snapshot))
    asked = [request, *(change.request for change in changes)]
    judge = None if given is None else given.judge
    decision, *others = await decide_many(asked, snapshot=snapshot, access=access, guards=guards, texts=judge)
    before = () if credential is None else tuple(credential_stages(credential, request, snapshot))
    return Explained(
        request=request,
        groups=groups_of(snapshot, request.subject),
        decision=decision,
        stages=(*before, *_stages(request, decision, snapshot, access, given)),
        differences=tuple(
            Difference(what=change.what, to=change.to, effect=other.effect, reasons=_codes(other))
            for change, other in zip(changes, others, strict=True)
            if other.effect is not decision.effect
        ),
        tried=len(changes),
    )


def _codes(decision: Decision) -> tuple[str, ...]:
    return tuple(sorted({reason.code for reason in decision.reasons}))


def _stages(
    request: EvaluationRequest,
    decision: Decision,
    snapshot: PolicySnapshot,
    access: CasbinAccess,
    texts: AskedTexts | None,
) -> Iterator[Stage]:
    head = head_code(request, snapshot)
    rules, scored = _apart(concerning(snapshot, request), snapshot)
    yield _route(request, snapshot)
    yield _size(request, snapshot)
    answers = {engine.engine: engine.answers for engine in decision.engines}
    yield _access(request, answers.get("casbin", ()), access, asked=head is None)
    guarded = [answer for name in ("opa", "rego-embedded", "guard") for answer in answers.get(name, ())]
    yield _guards(guarded, snapshot, asked=head is None)
    for engine, judging in expected_of(snapshot).texts:
        if texts is None:
            yield Stage(name=engine, verdict="unknown", said=_concerned(judging.modes, rules, outcome="unknown"))
        else:
            yield texts.stage(engine, request, decision)
    allowed = decision.effect is Effect.ALLOW
    yield _rates(request, snapshot, asked=allowed)
    if scoring := expected_of(snapshot).classifier.modes:
        yield _of_texts("classifier", scoring, scored, asked=allowed)  # nobody asks a screen here
    if texts is None:
        redactions = {policy.id: policy.mode for policy in snapshot.redactions}
        yield _of_texts("redaction", redactions, rules, asked=allowed)
    else:
        yield texts.redaction(request, decision)
    yield _of_texts("tools", {policy.id: policy.mode for policy in snapshot.tools}, rules, asked=allowed)
    yield from _behind(snapshot, rules, allowed=allowed)


def _apart(
    rules: Mapping[str, tuple[str, ...]], snapshot: PolicySnapshot
) -> tuple[Mapping[str, tuple[str, ...]], Mapping[str, tuple[str, ...]]]:
    """Return `rules` without those for the classifier, and those."""
    scoring = {policy.id: {rule.id for rule in policy.classifier} for policy in snapshot.screening}
    others, scored = dict(rules), {}
    for policy in rules.keys() & scoring.keys():
        scored[policy] = tuple(rule for rule in rules[policy] if rule in scoring[policy])
        others[policy] = tuple(rule for rule in rules[policy] if rule not in scoring[policy])
    return (
        {policy: ids for policy, ids in others.items() if ids or not scored.get(policy)},
        {policy: ids for policy, ids in scored.items() if ids},
    )


def _behind(snapshot: PolicySnapshot, rules: Mapping[str, tuple[str, ...]], *, allowed: bool) -> Iterator[Stage]:
    """Give the stages that refuse nothing: where the request goes, and what is kept of it."""
    if snapshot.upstreams:
        modes = {policy.id: Mode.ENFORCE for policy in snapshot.upstreams}
        said = _concerned(modes, rules, role="sends") if allowed else ()
        yield Stage(name="upstream", verdict="pass" if allowed else "not-asked", said=said)
    if snapshot.logging:
        modes = {policy.id: Mode.ENFORCE for policy in snapshot.logging}
        yield Stage(name="logging", verdict="pass", said=_concerned(modes, rules))


def _of_texts(name: str, modes: Mapping[str, Mode], concerned: Mapping[str, tuple[str, ...]], *, asked: bool) -> Stage:
    """Return the stage of policies that act on texts or calls: which of their rules are for the request."""
    said = _concerned(modes, concerned)
    return Stage(name=name, verdict="not-asked" if not asked else "unknown" if said else "pass", said=said)


def _concerned(
    modes: Mapping[str, Mode],
    concerned: Mapping[str, tuple[str, ...]],
    *,
    outcome: str = "applies",
    role: str = "applies",
) -> tuple[Said, ...]:
    return tuple(
        Said(
            policy=policy,
            mode=mode,
            outcome=outcome,
            rules=tuple(Rule(policy=policy, rule=rule, role=role) for rule in concerned[policy]),
        )
        for policy, mode in modes.items()
        if policy in concerned
    )


def _route(request: EvaluationRequest, snapshot: PolicySnapshot) -> Stage:
    routes = [route for route in snapshot.routes if route.operation == request.action]
    said = tuple(
        Said(
            policy=route.policy,
            mode=Mode.ENFORCE,
            outcome=Outcome.ALLOW,
            rules=(Rule(policy=route.policy, rule=route.id, role="routes"),),
            facts={"method": route.method, "path": route.path},
        )
        for route in routes
    )
    return Stage(name="route", verdict="pass" if routes else "refuse", said=said)


def _size(request: EvaluationRequest, snapshot: PolicySnapshot) -> Stage:
    selectors = set(selectors_of(snapshot, request.subject))
    size, most = request.facts.body_bytes, body_limit(snapshot, request.subject)
    said = tuple(
        Said(
            policy=limit.id,
            mode=limit.mode,
            outcome=Outcome.DENY if size > limit.max_body_bytes else Outcome.NOT_APPLICABLE,
            rules=(Rule(policy=limit.id, rule="max_body_bytes", role="limits"),),
            facts={"max_body_bytes": limit.max_body_bytes},
        )
        for limit in snapshot.limits
        if limit.max_body_bytes is not None and not selectors.isdisjoint(limit.subjects)
    )
    return Stage(name="size", verdict="refuse" if size > most else "pass", said=said)


def _access(request: EvaluationRequest, answers: Sequence[PolicyAnswer], access: CasbinAccess, *, asked: bool) -> Stage:
    if not asked:
        return Stage(name="access", verdict="not-asked")
    rows = dict(access.rows_for(request))
    said = tuple(
        Said(
            policy=answer.policy,
            mode=answer.mode,
            outcome=answer.outcome,
            rules=tuple(
                Rule(policy=answer.policy, rule=grant, role="allows" if effect == Effect.ALLOW else "denies")
                for effect, grant in dict.fromkeys((row[-2], row[-1]) for row in rows.get(answer.policy, ()))
            ),
        )
        for answer in answers
    )
    return Stage(name="access", verdict=_verdict(answers, needs_allow=True), said=said)


def _guards(answers: Sequence[PolicyAnswer], snapshot: PolicySnapshot, *, asked: bool) -> Stage:
    if not asked:
        return Stage(name="guards", verdict="not-asked")
    given = {answer.policy: answer for answer in answers}
    said = tuple(_guard(guard, given[guard.id]) for guard in snapshot.guards if guard.id in given)
    return Stage(name="guards", verdict=_verdict(answers, needs_allow=False), said=said)


def _guard(guard: GuardPolicy, answer: PolicyAnswer) -> Said:
    rules = [Rule(policy=guard.id, rule=reason.code, role="denies") for reason in answer.reasons]
    if answer.outcome is Outcome.ALLOW:
        rules.append(Rule(policy=guard.id, rule="allow", role="allows"))
    if answer.obligations:
        rules.append(Rule(policy=guard.id, rule="obligations", role="obliges"))
    facts: dict[str, JSON] = {"reads": list(guard.reads)} if guard.reads is not None else {}
    return Said(policy=guard.id, mode=guard.mode, outcome=answer.outcome, rules=tuple(rules), facts=facts or None)


def _rates(request: EvaluationRequest, snapshot: PolicySnapshot, *, asked: bool) -> Stage:
    said = tuple(
        Said(
            policy=applied.policy,
            mode=applied.mode,
            outcome="not-counted",
            facts={"requests": applied.rate.requests, "per_s": applied.rate.per_s},
        )
        for applied in rates_for(snapshot, request.subject)
    )
    return Stage(name="rates", verdict="not-asked" if not asked else "unknown" if said else "pass", said=said)


def _verdict(answers: Iterable[PolicyAnswer], *, needs_allow: bool) -> str:
    outcomes = {answer.outcome for answer in answers if answer.mode is Mode.ENFORCE}
    if outcomes & {Outcome.DENY, Outcome.ERROR}:
        return "refuse"
    # Where nothing allows, another engine still may: access by itself then neither passes nor refuses.
    return "pass" if Outcome.ALLOW in outcomes or not needs_allow else "neutral"
