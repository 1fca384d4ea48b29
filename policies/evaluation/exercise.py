# SPDX-License-Identifier: Apache-2.0
"""Which rules had a part in how one test came out.

Rules: an allow grant has a part in a request that was allowed, a deny grant in one that its policy denied; a reason
code where its guard gave it, whatever the guard's mode; a route where its operation was decided on; a limit where it
refused the size; an upstream where what was allowed goes to it; a rule for texts where it found something, one for tool
calls where it took the call and the call left, or was refused. Whether the
test looked at any of that is known to who asks.
"""

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from policies.contracts.decision import Decision, Effect, Mode, Outcome, PolicyAnswer
from policies.contracts.request import EvaluationRequest
from policies.contracts.snapshot import PolicySnapshot
from policies.contracts.tools import AskedCall
from policies.engines.casbin import CasbinAccess
from policies.engines.groups import selectors_of
from policies.evaluation.system_prompts import ENGINE, WITH_ROLES, rule_for
from policies.evaluation.tool_calls import CallRules, CallVerdict, taking
from policies.evaluation.upstreams import upstream_for
from policies.redaction.examination import Examined

Exercised: TypeAlias = tuple[str, str]


def by_decision(
    decision: Decision, request: EvaluationRequest, *, snapshot: PolicySnapshot, access: CasbinAccess
) -> Iterator[Exercised]:
    """Give the rules that had a part in `decision`, each as its policy and its name."""
    codes = {reason.code for reason in decision.reasons}
    if not decision.engines:  # refused on the head
        if "body-too-large" in codes:
            yield from _limits(request, snapshot)
        return
    yield from ((route.policy, route.id) for route in snapshot.routes if route.operation == request.action)
    answers = {answer.policy: answer for engine in decision.engines for answer in engine.answers}
    for policy, rows in access.rows_for(request):
        for *_, effect, grant in rows:
            if _had_a_part(effect, answers.get(policy), decision):
                yield policy, grant
    yield from _prompts(decision, request, snapshot)
    yield from _upstream(decision, request, snapshot)
    for guard in snapshot.guards:
        answer = answers.get(guard.id)
        if answer is None:
            continue
        yield from ((guard.id, reason.code) for reason in answer.reasons)
        if answer.outcome is Outcome.ALLOW:
            yield guard.id, "allow"
        if answer.obligations:
            yield guard.id, "obligations"


def _prompts(decision: Decision, request: EvaluationRequest, snapshot: PolicySnapshot) -> Iterator[Exercised]:
    """Give the rules for system prompts that were kept in what was allowed, or that said no. Without a text, none.

    Of an operation without system prompts, such as embeddings, a rule has nothing to keep.
    """
    has_system = any(route.operation == request.action and route.dialect in WITH_ROLES for route in snapshot.routes)
    said = {answer.policy: answer for each in decision.engines if each.engine == ENGINE for answer in each.answers}
    for policy in snapshot.prompts if said else ():
        rule = rule_for(policy, request, snapshot)
        denied = said[policy.id].outcome is Outcome.DENY
        if rule is not None and (denied or (has_system and decision.effect is Effect.ALLOW)):
            yield policy.id, rule.id


def _upstream(decision: Decision, request: EvaluationRequest, snapshot: PolicySnapshot) -> Iterator[Exercised]:
    """Give the rule that says where what was allowed goes."""
    if decision.effect is not Effect.ALLOW:
        return
    model = request.resource.id if request.resource.type == "model" else None
    name = upstream_for(snapshot, operation=request.action, model=model)
    yield from (
        (policy.id, name) for policy in snapshot.upstreams if any(name == each.name for each in policy.upstreams)
    )


def by_text(examined: Examined) -> Iterator[Exercised]:
    """Give the rules that found something in a text."""
    yield from ((finding.policy, finding.rule) for finding in examined.findings)


def by_calls(
    calls: Sequence[AskedCall],
    verdicts: Sequence[CallVerdict],
    request: EvaluationRequest,
    *,
    rules: CallRules,
    snapshot: PolicySnapshot,
) -> Iterator[Exercised]:
    """Give the rules that took one of `calls` and had their way with it, and the reason codes of guards."""
    for call, verdict in zip(calls, verdicts, strict=True):
        said = [*filter(None, [verdict.refused]), *verdict.observed]
        yield from ((each.reason.policy, each.reason.rule or each.reason.code) for each in said if each.reason.policy)
        for policy, rule in taking(call, rules=rules, request=request, snapshot=snapshot):
            if rule.effect is (Effect.ALLOW if verdict.refused is None else Effect.DENY):
                yield policy, rule.id


def _had_a_part(effect: str, answer: PolicyAnswer | None, decision: Decision) -> bool:
    if answer is None:
        return False
    if effect == Effect.DENY:
        return answer.outcome is Outcome.DENY
    allowed = answer.outcome is Outcome.ALLOW
    return allowed and (decision.effect is Effect.ALLOW or answer.mode is not Mode.ENFORCE)


def _limits(request: EvaluationRequest, snapshot: PolicySnapshot) -> Iterator[Exercised]:
    selectors = set(selectors_of(snapshot, request.subject))
    for limit in snapshot.limits:
        bound = limit.max_body_bytes
        if bound is not None and bound < request.facts.body_bytes and not selectors.isdisjoint(limit.subjects):
            yield limit.id, "max_body_bytes"
