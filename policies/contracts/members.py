# SPDX-License-Identifier: Apache-2.0
"""How the dataclasses of a snapshot become JSON and are read back: strictly, and with the same bytes as before.

A member that came after the schema's first form is marked with ADDED and left out where it has its default, so that
what was compiled before keeps its bytes and its revision (ADR 5). A member that nobody knows is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from types import MappingProxyType
from typing import Any, Final, Self

# Marks the field of a member that came after the schema's first form.
ADDED: Final = MappingProxyType({"added": True})


@dataclass(frozen=True, slots=True)
class _Form:
    """The fields of a dataclass: their names, those that must be there, and the defaults of those that were added."""

    names: frozenset[str]
    required: frozenset[str]
    written: tuple[tuple[str, bool, Any], ...]

    @classmethod
    def of(cls, of: type[Any]) -> Self:
        known = fields(of)
        return cls(
            names=frozenset(item.name for item in known),
            required=frozenset(item.name for item in known if "added" not in item.metadata),
            written=tuple((item.name, "added" in item.metadata, item.default) for item in known),
        )


def members(of: type[Any], raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return `raw` with lists as tuples, once its keys are the fields of the dataclass `of`, all but those added."""
    form = _form(of)
    if form is None:
        msg = f"{of.__name__} is no dataclass"
        raise TypeError(msg)
    if not form.required <= raw.keys() <= form.names:
        msg = f"{of.__name__} has members {sorted(raw)}, not {sorted(form.names)}"
        raise ValueError(msg)
    return {key: tuple(value) if isinstance(value, list) else value for key, value in raw.items()}


def plain(value: Any) -> Any:
    """Return dataclasses as dictionaries, without members that were added and have their default."""
    of = type(value)
    if of is str or of is int:  # nearly all of a snapshot with a hundred thousand grants
        return value
    if of is tuple:
        return tuple([plain(item) for item in value])
    form = _form(of)
    if form is None:
        return value
    stated = {}
    for name, added, default in form.written:
        member = getattr(value, name)
        if not added or member != default:
            stated[name] = plain(member)
    return stated


_FORMS: Final[dict[type[Any], _Form | None]] = {}


def _form(of: type[Any]) -> _Form | None:
    """Return the form of `of`, None where it is no dataclass. There are as many as there are types in the source."""
    if of not in _FORMS:
        _FORMS[of] = _Form.of(of) if is_dataclass(of) else None
    return _FORMS[of]
