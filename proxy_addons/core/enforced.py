# SPDX-License-Identifier: Apache-2.0
"""What is owed to a request that policy allowed: the rules for it and its answer, and what they found."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from policies.contracts.decision import Decision, Effect, Verdict
from policies.contracts.request import EvaluationRequest
from policies.contracts.scope import Scope
from policies.contracts.snapshot import Direction, RedactionAction, Route
from policies.contracts.tools import RefusedCall
from policies.engines.groups import selectors_of
from policies.evaluation.tool_calls import CallJudge, judge_of
from policies.redaction.engine import ActiveRules, FindingCount
from policies.redaction.findings import Tally
from proxy_addons.core.active import ActivePolicy
from proxy_addons.core.exchange import AppliedFinding, Exchange
from proxy_addons.core.restoring import Shared

# What is done about a refused tool call (OnRefusal) has words of these.
_CHANGING: Final = frozenset(RedactionAction) - {RedactionAction.ANNOTATE}
# What stands in place of a detector where a tool call was refused.
TOOL_CALL: Final = "tool-call"


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """An exchange that has all that enforcement of its answer needs."""

    policy: ActivePolicy
    route: Route
    evaluation: EvaluationRequest
    rules: ActiveRules
    scope: Scope
    shared: Shared
    judge: CallJudge | None


def allowed(exchange: Exchange) -> Allowed:
    """Return what is owed to `exchange`. Raises LookupError unless a decision allowed it."""
    policy, route, asked, decision = exchange.policy, exchange.route, exchange.evaluation, exchange.decision
    if policy is None or route is None or asked is None or decision is None or decision.effect is not Effect.ALLOW:
        raise LookupError("no decision allowed this exchange")
    if exchange.credential is None:
        raise LookupError("nobody asked")
    rules = _rules(policy, route, asked, decision, Direction.ANSWER)
    if exchange.tally is None:
        exchange.tally = Tally()
    return Allowed(
        policy=policy,
        route=route,
        evaluation=asked,
        rules=rules,
        scope=exchange.credential.scope,
        shared=Shared(exchange.tally, exchange.restoring),
        judge=judge_of(decision, asked, rules=policy.calls, guard=policy.guard, snapshot=policy.snapshot),
    )


def rules_for_request(exchange: Exchange) -> ActiveRules:
    """Return the rules for the request itself. Raises LookupError unless a decision allowed it."""
    policy, route, asked, decision = exchange.policy, exchange.route, exchange.evaluation, exchange.decision
    if policy is None or route is None or asked is None or decision is None or decision.effect is not Effect.ALLOW:
        raise LookupError("no decision allowed this exchange")
    return _rules(policy, route, asked, decision, Direction.REQUEST)


def _rules(
    policy: ActivePolicy, route: Route, asked: EvaluationRequest, decision: Decision, direction: Direction
) -> ActiveRules:
    return policy.redaction.rules_for(
        tuple([obligation.policy for obligation in decision.obligations]),
        operation=route.operation,
        model=asked.resource.id if asked.resource.type == "model" else None,
        subject=selectors_of(policy.snapshot, asked.subject),
        direction=direction,
    )


def applied(findings: Iterable[FindingCount]) -> tuple[AppliedFinding, ...]:
    """Return the findings as the exchange and the record have them."""
    return tuple(
        AppliedFinding(
            detector=found.detector,
            policy=found.policy,
            rule=found.rule,
            action=found.action,
            count=found.count,
        )
        for found in findings
    )


def refused(calls: Sequence[RefusedCall]) -> tuple[AppliedFinding, ...]:
    """Return refused tool calls as findings, which are counted by policy, rule and action. Their names stand apart."""
    counted = Counter((call.reason.policy, call.reason.rule, call.action) for call in calls)
    return tuple(
        AppliedFinding(detector=TOOL_CALL, policy=policy, rule=rule, action=action, count=count)
        for (policy, rule, action), count in sorted(counted.items())
    )


def changes(action: str) -> bool:
    """Whether what this action is done about is changed. Other actions are the modes in which a policy only looks."""
    return action in _CHANGING


def verdict_of(findings: Iterable[AppliedFinding]) -> Verdict:
    """Return the verdict on an answer that left whole: whether something changed it, or only looked."""
    changed = any(changes(found.action) for found in findings)
    return Verdict.REDACTED if changed else Verdict.FORWARDED
