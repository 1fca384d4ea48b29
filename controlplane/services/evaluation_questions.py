# SPDX-License-Identifier: Apache-2.0
"""Read what another enforcement point asks (AuthZEN 1.0, `docs/spec/authzen.md`) into questions of ours.

Rules: unknown members are ignored, as the specification wants it; known ones have their type, or the question is
refused. A name that policy could take for something else is no name: `group` is no type of subjects, and no type has a
colon. What `properties` say goes to guards as it came and makes nobody a member of anything.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeAlias

from controlplane.services.errors import Invalid
from policies.contracts.request import Properties, RequestFacts, Resource, Subject

MAX_QUESTIONS: Final = 100
_TYPE: Final = re.compile(r"[a-z0-9._-]{1,64}", re.ASCII)
_GROUP: Final = "group"
_LONGEST_SUBJECT: Final = 256
_LONGEST_ACTION: Final = 128
_LONGEST_RESOURCE: Final = 512
_OURS: Final = frozenset({"model", "route"})
_ENTITIES: Final = {"subject": ("type", "id"), "action": ("name",), "resource": ("type", "id"), "context": ()}
# As many as the proxy takes of each (`docs/spec/policy-document.md`), and as large a number as JSON tells exactly.
_MOST_NAMES: Final = 4096
_LARGEST: Final = 2**53 - 1


class Semantic(StrEnum):
    """How far a batch is answered."""

    EXECUTE_ALL = "execute_all"
    DENY_ON_FIRST_DENY = "deny_on_first_deny"
    PERMIT_ON_FIRST_PERMIT = "permit_on_first_permit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """May this subject do this with that?"""

    subject: Subject
    action: str
    resource: Resource
    facts: RequestFacts
    properties: Properties


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A question of a batch that cannot be read. `message` names the member and has nothing of its value."""

    message: str


Item: TypeAlias = Question | Unreadable


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What one request asks. `is_batch` says which form the answer has."""

    items: tuple[Item, ...]
    is_batch: bool
    semantic: Semantic = Semantic.EXECUTE_ALL


def read_one(body: Any) -> Asked:
    """Return the one question of an Access Evaluation request. Raises Invalid."""
    return Asked(items=(_question(_object(body, "the body")),), is_batch=False)


def read_batch(body: Any) -> Asked:
    """Return the questions of an Access Evaluations request; one without a list is a single one. Raises Invalid."""
    asked = _object(body, "the body")
    listed = asked.get("evaluations", [])
    if not isinstance(listed, list):
        raise _wrong("evaluations", "a list")
    semantic = _semantic(asked)
    if not listed:
        return read_one(asked)
    if len(listed) > MAX_QUESTIONS:
        raise Invalid("evaluation-invalid", f"A batch has at most {MAX_QUESTIONS} evaluations.")
    defaults = {name: _object(asked[name], name) for name in _ENTITIES if name in asked}
    return Asked(items=tuple(_item(each, defaults) for each in listed), is_batch=True, semantic=semantic)


def _semantic(asked: Mapping[str, Any]) -> Semantic:
    named = _object(asked.get("options", {}), "options").get("evaluations_semantic", Semantic.EXECUTE_ALL)
    if named not in tuple(Semantic):
        raise Invalid("evaluation-invalid", f"options.evaluations_semantic is none of {', '.join(Semantic)}.")
    return Semantic(named)


def _item(given: Any, defaults: Mapping[str, Mapping[str, Any]]) -> Item:
    try:
        own = _object(given, "an evaluation")
        merged = {name: _merged(name, own, defaults) for name in _ENTITIES if name in own or name in defaults}
        return _question(merged)
    except Invalid as exc:
        return Unreadable(message=exc.detail)


def _merged(name: str, own: Mapping[str, Any], defaults: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return an entity of one evaluation: its own as a whole, but for the names that only the default has."""
    default = defaults.get(name, {})
    if name not in own:
        return default
    return {**{key: default[key] for key in _ENTITIES[name] if key in default}, **_object(own[name], name)}


def _question(asked: Mapping[str, Any]) -> Question:
    subject, action, resource = (_entity(asked, name) for name in ("subject", "action", "resource"))
    named = Resource(
        type=_type(resource, "resource"), id=_text(resource, "id", at="resource.id", longest=_LONGEST_RESOURCE)
    )
    doing = _properties(action, "action")
    return Question(
        subject=_subject(subject),
        action=_text(action, "name", at="action.name", longest=_LONGEST_ACTION),
        resource=named,
        facts=_facts(doing) if named.type in _OURS else RequestFacts(),
        properties=Properties(
            subject=_properties(subject, "subject"),
            action=doing,
            resource=_properties(resource, "resource"),
            context=_object(asked.get("context", {}), "context"),
        ),
    )


def _subject(given: Mapping[str, Any]) -> Subject:
    kind = _type(given, "subject")
    if kind == _GROUP:
        raise Invalid("evaluation-invalid", "subject.type is 'group': a group asks for nothing, its members do.")
    return Subject(type=kind, id=_text(given, "id", at="subject.id", longest=_LONGEST_SUBJECT))


def _facts(given: Mapping[str, Any]) -> RequestFacts:
    """Return what guards see at `input.request`, of the properties that are called as it is."""
    said = {name: read(given[name], f"action.properties.{name}") for name, read in _FACTS.items() if name in given}
    return RequestFacts(**said)


def _flag(value: Any, at: str) -> bool:
    if not isinstance(value, bool):
        raise _wrong(at, "a boolean")
    return value


def _count(value: Any, at: str) -> int:
    if type(value) is not int or not 0 <= value <= _LARGEST:
        raise _wrong(at, "a number from 0 to 2^53 - 1 without fraction")
    return value


def _count_or_none(value: Any, at: str) -> int | None:
    return None if value is None else _count(value, at)


def _name_or_none(value: Any, at: str) -> str | None:
    if value is not None and not isinstance(value, str):
        raise _wrong(at, "a string")
    return value


def _names(value: Any, at: str) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > _MOST_NAMES or not all(isinstance(one, str) for one in value):
        raise _wrong(at, f"a list of at most {_MOST_NAMES} strings")
    return tuple(value)


_FACTS: Final[Mapping[str, Callable[[Any, str], Any]]] = {
    "stream": _flag,
    "max_tokens": _count_or_none,
    "n": _count,
    "message_count": _count,
    "roles": _names,
    "tools": _names,
    "tool_choice": _name_or_none,
    "text_chars": _count,
    "body_bytes": _count,
}


def _entity(asked: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    if name not in asked:
        raise Invalid("evaluation-invalid", f"{name} is missing.")
    return _object(asked[name], name)


def _object(value: Any, at: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(at, "an object")
    return value


def _properties(entity: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return _object(entity.get("properties", {}), f"{name}.properties")


def _type(entity: Mapping[str, Any], name: str) -> str:
    kind = _text(entity, "type", at=f"{name}.type", longest=64)
    if _TYPE.fullmatch(kind) is None:
        raise Invalid("evaluation-invalid", f"{name}.type has other characters than a-z 0-9 . _ -")
    return kind


def _text(entity: Mapping[str, Any], key: str, *, at: str, longest: int) -> str:
    if key not in entity:
        raise Invalid("evaluation-invalid", f"{at} is missing.")
    value = entity[key]
    if not isinstance(value, str):
        raise _wrong(at, "a string")
    if not 0 < len(value) <= longest:
        raise Invalid("evaluation-invalid", f"{at} has not 1 to {longest} characters.")
    return value


def _wrong(at: str, what: str) -> Invalid:
    return Invalid("evaluation-invalid", f"{at} is not {what}.")
