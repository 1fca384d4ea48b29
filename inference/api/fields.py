# SPDX-License-Identifier: Apache-2.0
"""Reads a JSON object's members by type, and refuses by name what it does not know."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from inference.api.errors import Refusal, RequestRefused, invalid, unsupported

INT64: Final = (-(2**63), 2**63 - 1)
# Other names are not repeated in an error: they may hold anything.
_PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


def parse_object(body: bytes) -> Mapping[str, Any]:
    """The body's JSON object. Twice the same key, NaN and the like have two readings, so they have none here."""
    try:
        parsed = json.loads(body.decode(), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise RequestRefused(Refusal(status=400, message="The body is not valid JSON.", code="invalid_json")) from None
    if not isinstance(parsed, dict):
        raise RequestRefused(Refusal(status=400, message="The body is not a JSON object.", code="invalid_json"))
    return parsed


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate key")
    return members


def _no_constant(_: str) -> Any:
    raise ValueError("not JSON")


@dataclass(frozen=True, slots=True)
class Fields:
    """One object of the request. A member that is null counts as absent, as OpenAI's schema has it."""

    members: Mapping[str, Any]
    at: str = ""

    def path(self, name: str) -> str:
        return f"{self.at}.{name}" if self.at else name

    def get(self, name: str) -> Any:
        return self.members.get(name)

    def only(self, known: frozenset[str], *, neutral: Mapping[str, tuple[Any, ...]]) -> None:
        """Refuses members outside `known`, but for those whose value means what this server does anyway."""
        for name, value in self.members.items():
            if name in known or value is None:
                continue
            if name not in neutral:
                raise unsupported(self.path(name if _PLAIN_NAME.fullmatch(name) else "(unknown)"))
            if not any(type(value) is type(allowed) and value == allowed for allowed in neutral[name]):
                raise unsupported(self.path(name))

    def text(self, name: str) -> str:
        return whole_text(self.get(name), self.path(name))

    def flag(self, name: str) -> bool:
        value = self.get(name)
        if value is None:
            return False
        if not isinstance(value, bool):
            raise invalid(self.path(name), f"'{self.path(name)}' must be a boolean.", code="invalid_type")
        return value

    def number(self, name: str, *, default: float, low: float, high: float) -> float:
        value = self.get(name)
        if value is None:
            return default
        # A huge integer would overflow a float: compare first, convert then.
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or (isinstance(value, float) and math.isnan(value))
        ):
            raise invalid(self.path(name), f"'{self.path(name)}' must be a number.", code="invalid_type")
        if not low <= value <= high:
            raise invalid(self.path(name), f"'{self.path(name)}' must be from {low:g} to {high:g}.")
        return float(value)

    def integer(self, name: str, *, low: int, high: int = INT64[1]) -> int | None:
        value = self.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            raise invalid(self.path(name), f"'{self.path(name)}' must be an integer.", code="invalid_type")
        if not low <= value <= high:
            raise invalid(self.path(name), f"'{self.path(name)}' must be from {low} to {high}.")
        return value


def whole_text(value: Any, at: str) -> str:
    """The value as a string that is valid Unicode: JSON can spell half a surrogate pair, which no tokenizer takes."""
    if not isinstance(value, str):
        raise invalid(at, f"'{at}' must be a string.", code="invalid_type" if value is not None else "missing")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise invalid(at, f"'{at}' is not valid Unicode.") from None
    return value
