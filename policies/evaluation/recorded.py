# SPDX-License-Identifier: Apache-2.0
"""Ask again what was asked: from the `input` of a record's payload (`docs/spec/decision-record.md`) to the request.

Theory of the key: what `evaluate` comes to, without rates, is a function of the subject, the action, the resource, of
whether the head is refused, and of what guards read of the rest (`GuardPolicy.reads`). Two requests that agree in all
of these are one question to a snapshot, however many records there are of it.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any, Final

import orjson

from policies.contracts.decision import EngineAnswer
from policies.contracts.request import EvaluationRequest, RequestFacts, Resource, Subject
from policies.contracts.snapshot import PolicySnapshot
from policies.engines.guard_input import FIELDS, differs_each_time, overlap
from policies.evaluation.head import head_code
from policies.evaluation.limits import body_limit

_NO_ANSWER: Final = EngineAnswer(engine="", answers=())
_TEXTS: Final = frozenset({str})
_MOST_REMEMBERED: Final = 8_192
# These stand in the key anyway, or follow from what does.
_IMPLIED: Final = frozenset(
    {"subject.type", "subject.id", "subject.groups", "action.name", "resource.type", "resource.id"}
    | {"context.tenant", "context.environment", "access.effect"}
)


class InputUnreadable(ValueError):
    """A payload that is not of the specified form. The text names members, never values."""


def request_of(payload: Mapping[str, Any], *, request_id: str, tenant: str, environment: str) -> EvaluationRequest:
    """Return the request that `payload` tells of, as it is asked in `environment`. Raises InputUnreadable."""
    subject, asked = _object(payload, "subject"), _object(payload, "input")
    resource = _object(asked, "resource")
    return EvaluationRequest(
        request_id=request_id,
        tenant=tenant,
        environment=environment,
        subject=Subject(
            type=_text(subject, "type"), id=_text(subject, "id"), groups=_texts("groups", subject.get("groups", []))
        ),
        action=_text(asked, "action"),
        resource=Resource(type=_text(resource, "type"), id=_text(resource, "id")),
        facts=_facts(_object(asked, "request")),
        at=_time(asked),
    )


class DistinctRequests:
    """Tells which requests are one question to `snapshot`."""

    def __init__(self, snapshot: PolicySnapshot) -> None:
        self._snapshot = snapshot
        reads = [guard.reads for guard in snapshot.guards]
        paths = {path for guard in reads for path in guard or ()}
        self.reads_everything = None in reads or any(differs_each_time(path) for path in paths)
        read = [
            at
            for at in FIELDS
            if at not in _IMPLIED and (self.reads_everything or any(overlap(at, path) for path in paths))
        ]
        self._fields = tuple(FIELDS[at] for at in read)
        # What else there is, a recorded request does not have.
        self._facts_read = tuple(at.removeprefix("request.") for at in read if at.startswith("request."))
        self._forms: set[tuple[object, ...]] = set()
        self._limits: dict[tuple[str, ...], int] = {}

    def key_of(self, request: EvaluationRequest) -> bytes | None:
        """Return the key of the question; None where it cannot be written exactly, and is asked by itself."""
        subject = request.subject
        at = request.at.isoformat() if self.reads_everything else None
        try:
            return orjson.dumps(
                (
                    *(subject.type, subject.id, subject.groups, request.action),
                    *(request.resource.type, request.resource.id, head_code(request, self._snapshot), at),
                    *[field(request, _NO_ANSWER, self._snapshot) for field in self._fields],
                )
            )
        except (orjson.JSONEncodeError, RecursionError):  # an integer beyond 64 bits, a lone surrogate
            return None

    def recorded_key(self, payload: Mapping[str, Any]) -> bytes | None:
        """Return the key of the question that `payload` tells of; never one of `key_of`.

        None where it is not plainly of the specified form: then the request is to be made, which says what is wrong.
        """
        try:
            subject, asked = payload["subject"], payload["input"]
            resource, facts = asked["resource"], asked["request"]
            groups, at = subject.get("groups", []), asked["time"]
            who = (subject["type"], subject["id"], *groups)
            what = (asked["action"], resource["type"], resource["id"])
            has_form = type(groups) is list and _TEXTS.issuperset(map(type, (*who, *what))) and self._has_form(facts)
            if not has_form or datetime.fromisoformat(at).tzinfo is None:
                return None
        except (AttributeError, KeyError, TypeError, ValueError):
            return None
        is_large = facts.get("body_bytes", 0) > self._body_limit(who)
        read = [facts.get(name) for name in self._facts_read]
        return b"r" + orjson.dumps((who, what, is_large, at if self.reads_everything else None, read))

    def _has_form(self, facts: Mapping[str, Any]) -> bool:
        """Return whether `facts` are such as `_facts` takes. What members of which types those are is remembered."""
        form = (*facts, *map(type, facts.values()))
        if form not in self._forms:
            try:
                _facts(facts)
            except InputUnreadable:
                return False
            if len(self._forms) >= _MOST_REMEMBERED:
                self._forms.clear()
            self._forms.add(form)
        return all(_TEXTS.issuperset(map(type, facts.get(name, ()))) for name in _LISTS)

    def _body_limit(self, who: tuple[str, ...]) -> int:
        limit = self._limits.get(who)
        if limit is None:
            if len(self._limits) >= _MOST_REMEMBERED:
                self._limits.clear()
            kind, name, *groups = who
            limit = body_limit(self._snapshot, Subject(type=kind, id=name, groups=tuple(groups)))
            self._limits[who] = limit
        return limit


def _facts(given: Mapping[str, Any]) -> RequestFacts:
    try:
        return RequestFacts(**{name: _FACTS[name](name, value) for name, value in given.items()})
    except KeyError as exc:
        raise InputUnreadable("request has a member that this release does not know") from exc


def _object(members: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = members.get(name)
    if not isinstance(found, dict):
        raise InputUnreadable(f"{name} is not an object")
    return found


def _text(members: Mapping[str, Any], name: str) -> str:
    found = members.get(name)
    if not isinstance(found, str):
        raise InputUnreadable(f"{name} is not a text")
    return found


def _time(asked: Mapping[str, Any]) -> datetime:
    try:
        at = datetime.fromisoformat(_text(asked, "time"))
    except ValueError as exc:
        raise InputUnreadable("time is no time") from exc
    if at.tzinfo is None:
        raise InputUnreadable("time has no zone")
    return at


def _boolean(name: str, value: Any) -> bool:
    if type(value) is not bool:
        raise InputUnreadable(f"{name} is not a boolean")
    return value


def _number(name: str, value: Any) -> int:
    if type(value) is not int:
        raise InputUnreadable(f"{name} is not a number")
    return value


def _number_or_none(name: str, value: Any) -> int | None:
    return None if value is None else _number(name, value)


def _text_or_none(name: str, value: Any) -> str | None:
    if value is not None and type(value) is not str:
        raise InputUnreadable(f"{name} is not a text")
    return value


def _texts(name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not _TEXTS.issuperset(map(type, value)):
        raise InputUnreadable(f"{name} is not a list of texts")
    return tuple(value)


_READERS: Final[Mapping[Any, Callable[[str, Any], Any]]] = {
    bool: _boolean,
    int: _number,
    int | None: _number_or_none,
    str | None: _text_or_none,
    tuple[str, ...]: _texts,
}
# By the type of the member, so that a fact that comes to RequestFacts is read here too, or stops the import.
_FACTS: Final = {field.name: _READERS[field.type] for field in fields(RequestFacts)}
_LISTS: Final = tuple(field.name for field in fields(RequestFacts) if field.type == tuple[str, ...])
