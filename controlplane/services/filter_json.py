# SPDX-License-Identifier: Apache-2.0
"""A question to the decision log as JSON, and back: how a job remembers what it was asked for."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any, Final

from controlplane.services.decision_filter import DecisionFilter
from controlplane.services.dimensions import Dimension
from controlplane.services.times import format_time, parse_time
from policies.contracts.codec import JSON

_TIMES: Final = frozenset({"since", "until"})


def filter_to_json(wanted: DecisionFilter) -> dict[str, JSON]:
    """Return the members that narrow something; equal questions give equal JSON."""
    members = {field.name: _to_json(getattr(wanted, field.name)) for field in fields(wanted)}
    return {name: value for name, value in members.items() if value not in (None, [], {})}


def filter_from_json(members: Mapping[str, Any]) -> DecisionFilter:
    return DecisionFilter(**{name: _from_json(name, value) for name, value in members.items()})


def _to_json(value: Any) -> Any:
    match value:
        case datetime():
            return format_time(value)
        case tuple():
            return sorted(value)
        case Mapping():
            return {str(dimension): sorted(values) for dimension, values in value.items() if values}
        case _:
            return value


def _from_json(name: str, value: Any) -> Any:
    if name in _TIMES:
        return parse_time(value)
    match value:
        case dict():
            return {Dimension(dimension): tuple(values) for dimension, values in value.items()}
        case list():
            return tuple(value)
        case _:
            return value
