# SPDX-License-Identifier: Apache-2.0
"""Single changes of a request, to be decided: what would have to differ for another decision?

Rules: each differs from the request in one thing, so that whoever reads it knows what to change. What is tried comes
from the policy: its groups, models, operations, and the numbers that its guards have, with those on either side. Of
each kind there are at most so many, lest a large policy makes an answer late.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from policies.contracts.codec import JSON
from policies.contracts.request import EvaluationRequest, Resource
from policies.contracts.snapshot import PolicySnapshot
from policies.engines.groups import groups_of
from policies.evaluation.limits import body_limit

_MOST_OF_A_KIND: Final = 64
_NUMBER: Final = re.compile(r"\b[0-9]{1,9}\b", re.ASCII)
_LARGEST: Final = 2**53 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleChange:
    """`request` has `to` where `what` says; `+NAME` and `-NAME` are one more and one less in a list."""

    what: str
    to: JSON
    request: EvaluationRequest


def single_changes(request: EvaluationRequest, snapshot: PolicySnapshot) -> Iterator[SingleChange]:
    """Give single changes of `request`."""
    for kind in _KINDS:
        yield from islice(kind(request, snapshot), _MOST_OF_A_KIND)


def _of_groups(request: EvaluationRequest, snapshot: PolicySnapshot) -> Iterator[SingleChange]:
    subject = request.subject
    for group in sorted(set(_groups(snapshot)) - set(groups_of(snapshot, subject))):
        groups = tuple(sorted({*subject.groups, group}))
        changed = replace(request, subject=replace(subject, groups=groups))
        yield SingleChange(what="subject.groups", to=f"+{group}", request=changed)
    for group in sorted(subject.groups):
        groups = tuple(one for one in subject.groups if one != group)
        changed = replace(request, subject=replace(subject, groups=groups))
        yield SingleChange(what="subject.groups", to=f"-{group}", request=changed)


def _of_models(request: EvaluationRequest, snapshot: PolicySnapshot) -> Iterator[SingleChange]:
    if request.resource.type != "model":
        return
    models = {model for policy in snapshot.access for grant in policy.grants for model in grant.models}
    for model in sorted(models - {"*", request.resource.id}):
        yield SingleChange(what="model", to=model, request=replace(request, resource=Resource(type="model", id=model)))


def _of_operations(request: EvaluationRequest, snapshot: PolicySnapshot) -> Iterator[SingleChange]:
    for operation in sorted({route.operation for route in snapshot.routes} - {request.action}):
        names_model = request.resource.type == "model"
        resource = request.resource if names_model else Resource(type="route", id=operation)
        yield SingleChange(
            what="operation", to=operation, request=replace(request, action=operation, resource=resource)
        )


def _of_tokens(request: EvaluationRequest, snapshot: PolicySnapshot) -> Iterator[SingleChange]:
    for tokens in [None, *_numbers(snapshot)]:
        if tokens != request.facts.max_tokens:
            changed = replace(request, facts=replace(request.facts, max_tokens=tokens))
            yield SingleChange(what="max_tokens", to=tokens, request=changed)


def _of_tools(request: EvaluationRequest, _: PolicySnapshot) -> Iterator[SingleChange]:
    facts = request.facts
    for tool in dict.fromkeys(facts.tools):
        left = tuple(one for one in facts.tools if one != tool)
        yield SingleChange(what="tools", to=f"-{tool}", request=replace(request, facts=replace(facts, tools=left)))
    if len(set(facts.tools)) > 1:
        none = replace(facts, tools=(), tool_choice=None)
        yield SingleChange(what="tools", to=[], request=replace(request, facts=none))


def _of_shape(request: EvaluationRequest, snapshot: PolicySnapshot) -> Iterator[SingleChange]:
    facts, most = request.facts, body_limit(snapshot, request.subject)
    if facts.body_bytes > most:
        changed = replace(request, facts=replace(facts, body_bytes=most))
        yield SingleChange(what="body_bytes", to=most, request=changed)
    turned = replace(request, facts=replace(facts, stream=not facts.stream))
    yield SingleChange(what="stream", to=not facts.stream, request=turned)
    if facts.n != 1:
        yield SingleChange(what="n", to=1, request=replace(request, facts=replace(facts, n=1)))


_KINDS: Final[tuple[Callable[[EvaluationRequest, PolicySnapshot], Iterator[SingleChange]], ...]] = (
    _of_groups,
    _of_models,
    _of_operations,
    _of_tokens,
    _of_tools,
    _of_shape,
)


def _groups(snapshot: PolicySnapshot) -> Iterator[str]:
    yield from snapshot.groups
    for policy in snapshot.access:
        for grant in policy.grants:
            yield from (name.removeprefix("group:") for name in grant.subjects if name.startswith("group:"))


def _numbers(snapshot: PolicySnapshot) -> list[int]:
    """Return the numbers that guards may compare with: those of their modules and data, and those on either side."""
    found: set[int] = set()
    for guard in snapshot.guards:
        found.update(map(int, _NUMBER.findall(guard.module)))
        found.update(_numbers_in(guard.data))
    near = {number + step for number in found for step in (-1, 0, 1)}
    return sorted(number for number in near if 0 < number <= _LARGEST)


def _numbers_in(value: JSON) -> Iterator[int]:
    if isinstance(value, Mapping):
        for member in value.values():
            yield from _numbers_in(member)
    elif isinstance(value, list | tuple):
        for member in value:
            yield from _numbers_in(member)
    elif type(value) is int:
        yield value
