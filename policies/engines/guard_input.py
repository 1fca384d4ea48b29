# SPDX-License-Identifier: Apache-2.0
"""The one document guards decide by: `input`, as `docs/spec/policy-document.md` states it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from policies.contracts.codec import JSON
from policies.contracts.decision import EngineAnswer, Mode, Outcome
from policies.contracts.request import EvaluationRequest
from policies.contracts.snapshot import PolicySnapshot
from policies.contracts.tools import AskedCall
from policies.engines.groups import groups_of

# The united answer is the first of these that an enforcing policy gave: what refuses stands before what allows.
_STRONGEST_FIRST = (Outcome.ERROR, Outcome.DENY, Outcome.ALLOW)

# What no two requests share: an answer that depends on it is never asked for again.
_DIFFERS_EACH_TIME: Final = "context.time"

Field: TypeAlias = Callable[[EvaluationRequest, EngineAnswer, PolicySnapshot], JSON]

# Every field but that one by itself, so that a guard's key is made without the rest. A test holds them to guard_input.
FIELDS: Final[Mapping[str, Field]] = {
    "subject.type": lambda request, _access, _snapshot: request.subject.type,
    "subject.id": lambda request, _access, _snapshot: request.subject.id,
    "subject.groups": lambda request, _access, snapshot: groups_of(snapshot, request.subject),
    "action.name": lambda request, _access, _snapshot: request.action,
    "resource.type": lambda request, _access, _snapshot: request.resource.type,
    "resource.id": lambda request, _access, _snapshot: request.resource.id,
    "context.tenant": lambda request, _access, _snapshot: request.tenant,
    "context.environment": lambda request, _access, _snapshot: request.environment,
    "request.stream": lambda request, _access, _snapshot: request.facts.stream,
    "request.max_tokens": lambda request, _access, _snapshot: request.facts.max_tokens,
    "request.n": lambda request, _access, _snapshot: request.facts.n,
    "request.message_count": lambda request, _access, _snapshot: request.facts.message_count,
    "request.roles": lambda request, _access, _snapshot: request.facts.roles,
    "request.tools": lambda request, _access, _snapshot: request.facts.tools,
    "request.tool_choice": lambda request, _access, _snapshot: request.facts.tool_choice,
    "request.text_chars": lambda request, _access, _snapshot: request.facts.text_chars,
    "request.body_bytes": lambda request, _access, _snapshot: request.facts.body_bytes,
    "access.effect": lambda _request, access, _snapshot: united_effect(access),
    "subject.properties": lambda request, _access, _snapshot: _said(request, "subject"),
    "action.properties": lambda request, _access, _snapshot: _said(request, "action"),
    "resource.properties": lambda request, _access, _snapshot: _said(request, "resource"),
    "context.properties": lambda request, _access, _snapshot: _said(request, "context"),
}


def _said(request: EvaluationRequest, of: str) -> JSON:
    said: JSON = None if request.properties is None else getattr(request.properties, of)
    return said


def guard_input(
    request: EvaluationRequest,
    *,
    groups: tuple[str, ...],
    access: EngineAnswer,
) -> dict[str, JSON]:
    """Return `input` for `request` of a subject in `groups`, which the access engine answered with `access`."""
    asked: dict[str, Any] = {
        "subject": {"type": request.subject.type, "id": request.subject.id, "groups": groups},
        "action": {"name": request.action},
        "resource": {"type": request.resource.type, "id": request.resource.id},
        "context": {
            "tenant": request.tenant,
            "environment": request.environment,
            # RFC 3339 with Z, the form that `time.parse_rfc3339_ns` takes and the specification shows.
            "time": _rfc3339(request.at),
        },
        "request": request.facts.to_json(),
        "access": {"effect": united_effect(access)},
    }
    if request.properties is not None:
        given = request.properties
        asked["subject"]["properties"] = given.subject
        asked["action"]["properties"] = given.action
        asked["resource"]["properties"] = given.resource
        asked["context"]["properties"] = given.context
    return asked


def call_input(
    request: EvaluationRequest,
    *,
    groups: tuple[str, ...],
    access: EngineAnswer,
    calls: Sequence[AskedCall],
) -> dict[str, Any]:
    """Return `input` for the tool calls of one choice in the answer to `request`: what it was, and the calls beside."""
    asked = [{"index": call.index, "name": call.name, "arguments": call.arguments} for call in calls]
    return {**guard_input(request, groups=groups, access=access), "tool_calls": asked}


def _rfc3339(at: datetime) -> str:
    return f"{(at if at.tzinfo is UTC else at.astimezone(UTC)).isoformat()[:-6]}Z"


def united_effect(access: EngineAnswer) -> str:
    """Return what the enforcing policies of `access` say together: `allow`, `deny` or `not_applicable`.

    An error counts as `deny`: a guard that only acts on what access allows must not act on a failure.
    """
    given = {answer.outcome for answer in access.answers if answer.mode is Mode.ENFORCE}
    united = next((outcome for outcome in _STRONGEST_FIRST if outcome in given), Outcome.NOT_APPLICABLE)
    return str(Outcome.DENY if united is Outcome.ERROR else united)


def differs_each_time(path: str) -> bool:
    """Return whether the field at `path` of `input`, or one within it, differs each time. Empty: all of it."""
    return not path or overlap(path, _DIFFERS_EACH_TIME)


def overlap(one: str, other: str) -> bool:
    """Return whether one of two paths leads to the other: what is read at `request` is all of `request.max_tokens`."""
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")
