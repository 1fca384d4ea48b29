# SPDX-License-Identifier: Apache-2.0
"""Which rules of a snapshot are for a subject, an operation and a model: what an auditor asks about a day long past.

Rules: the selectors are judged by what judges them for requests, kind by kind, so that the two cannot disagree; a grant
is one whose row alone gives an answer. What a request has beyond the three (its size, its tools, its texts) is unknown
here: a guard is always for it, and a rule for tools whatever tools it names.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from policies.contracts.decision import Outcome
from policies.contracts.request import EvaluationRequest
from policies.contracts.snapshot import PolicySnapshot
from policies.engines.casbin import CasbinAccess
from policies.engines.groups import selectors_of
from policies.evaluation import recording, tool_calls
from policies.evaluation.upstreams import upstream_for
from policies.redaction.selection import selects


def concerning(snapshot: PolicySnapshot, request: EvaluationRequest) -> Mapping[str, tuple[str, ...]]:
    """Return the rules that are for `request`, by policy; none for a policy that is for it and has no rules."""
    found: dict[str, list[str]] = {}
    for policy, rule in _concerning(snapshot, request):
        rules = found.setdefault(policy, [])
        if rule:
            rules.append(rule)
    return {policy: tuple(dict.fromkeys(rules)) for policy, rules in found.items()}


def _concerning(snapshot: PolicySnapshot, request: EvaluationRequest) -> Iterator[tuple[str, str]]:
    selectors, operation = selectors_of(snapshot, request.subject), request.action
    model = request.resource.id if request.resource.type == "model" else None
    yield from _grants(snapshot, request, selectors)
    yield from ((guard.id, "") for guard in snapshot.guards)
    yield from ((identity.id, "") for identity in snapshot.identity)
    yield from ((route.policy, route.id) for route in snapshot.routes if route.operation == operation)
    yield from ((limit.id, "") for limit in snapshot.limits if not set(limit.subjects).isdisjoint(selectors))
    for redaction in snapshot.redactions:
        if selects(redaction, operation=operation, model=model, subject=selectors):
            yield redaction.id, ""
            for rule in redaction.rules:
                if selects(rule, operation=operation, model=model, subject=selectors):
                    yield redaction.id, rule.id
    for tools in snapshot.tools:
        for rule_of_tools in tools.rules:
            if tool_calls.is_for(rule_of_tools, selectors=selectors, operation=operation, model=model):
                yield tools.id, rule_of_tools.id
    yield from _of_texts(snapshot, operation, model, selectors)
    for logging in snapshot.logging:
        if recording.is_for(logging, selectors=selectors, operation=operation, model=model):
            yield logging.id, ""


def _of_texts(
    snapshot: PolicySnapshot, operation: str, model: str | None, selectors: tuple[str, ...]
) -> Iterator[tuple[str, str]]:
    for policy in snapshot.prompts:
        for rule in policy.rules:
            if selects(rule, operation=operation, model=model, subject=selectors):
                yield policy.id, rule.id
                break  # of a policy's rules the first counts
    for upstreams in snapshot.upstreams:
        name = upstream_for(snapshot, operation=operation, model=model)
        if any(rule.name == name for rule in upstreams.upstreams):
            yield upstreams.id, name
    for screening in snapshot.screening:
        for looking in screening.every_rule:
            if selects(looking, operation=operation, model=model, subject=selectors):
                yield screening.id, looking.id


def _grants(
    snapshot: PolicySnapshot, request: EvaluationRequest, selectors: tuple[str, ...]
) -> Iterator[tuple[str, str]]:
    for policy in snapshot.access:
        for grant in policy.grants:
            # Casbin is asked only of grants that name the subject at all: a policy may have thousands of others.
            if set(grant.subjects).isdisjoint(selectors):
                continue
            alone = CasbinAccess(replace(snapshot, access=(replace(policy, grants=(grant,)),)))
            if alone.evaluate(request).answers[0].outcome is not Outcome.NOT_APPLICABLE:
                yield policy.id, grant.id
