# SPDX-License-Identifier: Apache-2.0
"""How the dataclasses of a snapshot become JSON and are read back: strictly, and with the same bytes as before.

A member that came after the schema's first form is marked with ADDED and left out where it has its default, so that
what was compiled before keeps its bytes and its revision (ADR 5). A member that nobody knows is refused.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from types import MappingProxyType
from typing import Any, Final

# Marks the field of a member that came after the schema's first form.
ADDED: Final = MappingProxyType({"added": True})


def members(of: type[Any], raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return `raw` with lists as tuples, once its keys are the fields of the dataclass `of`, all but those added."""
    known = fields(of)
    names = {item.name for item in known}
    required = {item.name for item in known if "added" not in item.metadata}
    if not required <= raw.keys() <= names:
        msg = f"{of.__name__} has members {sorted(raw)}, not {sorted(names)}"
        raise ValueError(msg)
    return {key: tuple(value) if isinstance(value, list) else value for key, value in raw.items()}


def plain(value: Any) -> Any:
    """Return dataclasses as dictionaries, without members that were added and have their default."""
    if is_dataclass(value):
        given = ((item, getattr(value, item.name)) for item in fields(value))
        return {item.name: plain(of) for item, of in given if "added" not in item.metadata or of != item.default}
    return tuple(map(plain, value)) if isinstance(value, tuple) else value
