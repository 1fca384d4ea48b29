# SPDX-License-Identifier: Apache-2.0
"""The words in which the request readers say which fields a body may have and of what type.

Theory: a check is a function that takes a value and the Reading it is part of, and returns nothing, or raises Refused.
Containers are checks made of checks. A Refused raised inside is given the name of the field on its way out, so that a
body that passes pays for no path. Only names of our own vocabulary get into a path: an unknown key is text of the
client. What becomes of unknown members is the Reading's to say; one that it strips is removed from the value.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from proxy_addons.core.refused import Refused
from proxy_addons.core.unknown_fields import Reading, folded

Check: TypeAlias = Callable[[Any, Reading], None]

INVALID: Final = "field-invalid"
NOT_PERMITTED: Final = "field-not-permitted"
UNCOVERED: Final = "modality-not-permitted"


def boolean(value: Any, _reading: Reading) -> None:
    if not isinstance(value, bool):
        raise Refused(INVALID)


def text(value: Any, _reading: Reading) -> None:
    if not isinstance(value, str):
        raise Refused(INVALID)


def free_object(value: Any, _reading: Reading) -> None:
    """Take any object: a JSON Schema, say. Its bounds were checked by the strict parser."""
    if not isinstance(value, dict):
        raise Refused(INVALID)


def pattern(expression: str) -> Check:
    """Return a check for strings that match `expression` as a whole."""
    compiled = re.compile(expression)

    def check(value: Any, _reading: Reading) -> None:
        if not isinstance(value, str) or compiled.fullmatch(value) is None:
            raise Refused(INVALID)

    return check


def integer(least: int, most: int) -> Check:
    def check(value: Any, _reading: Reading) -> None:
        # A bool is an int to Python and none to JSON.
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise Refused(INVALID)

    return check


def number(least: float, most: float) -> Check:
    def check(value: Any, _reading: Reading) -> None:
        if not isinstance(value, int | float) or isinstance(value, bool) or not least <= value <= most:
            raise Refused(INVALID)

    return check


def one_of(*allowed: str) -> Check:
    def check(value: Any, _reading: Reading) -> None:
        if not isinstance(value, str) or value not in allowed:
            raise Refused(INVALID)

    return check


def nullable(inner: Check) -> Check:
    def check(value: Any, reading: Reading) -> None:
        if value is not None:
            inner(value, reading)

    return check


def absent(value: Any, _reading: Reading) -> None:
    """Take only what says the same as leaving the field out: clients send such values back with a past answer.

    In a record it marks a member that the protocol has and policy does not: unknown, but told by its name.
    """
    if not _says_nothing(value):
        raise Refused(NOT_PERMITTED)


def array(inner: Check, *, least: int, most: int) -> Check:
    def check(value: Any, reading: Reading) -> None:
        if not isinstance(value, list) or not least <= len(value) <= most:
            raise Refused(INVALID)
        for item in value:
            inner(item, reading)

    return check


def either(of_string: Check, of_array: Check) -> Check:
    """Return a check for a field that takes a string or an array."""

    def check(value: Any, reading: Reading) -> None:
        (of_array if isinstance(value, list) else of_string)(value, reading)

    return check


def record(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """Return a check for an object with all of `required`, any of `optional`, and what the reading lets pass."""
    members = {**required, **(optional or {})}
    usable = {name: check for name, check in members.items() if check is not absent}
    wanted = tuple(required)
    near = frozenset(map(folded, members))

    def check(value: Any, reading: Reading) -> None:
        if not isinstance(value, dict):
            raise Refused(INVALID)
        name = ""
        unknown: list[str] = []
        try:
            for name, member in value.items():
                inner = usable.get(name)
                if inner is None:
                    unknown.append(name)
                else:
                    inner(member, reading)
        except Refused as refused:
            raise Refused(refused.code, param=f"{name}.{refused.param}" if refused.param else name) from None
        for name in wanted:
            if name not in value:
                raise Refused(INVALID, param=name)
        for name in unknown:
            named = name in members
            member = value[name]
            if not (named and _says_nothing(member)) and not reading.keeps(name, member, beside=near, named=named):
                del value[name]

    return check


def _says_nothing(value: Any) -> bool:
    return value is None or value is False or value == []


def variant(tag: str, members: Mapping[str, Check], *, known: frozenset[str] = frozenset()) -> Check:
    """Return a check for objects told apart by the string at `tag`.

    `known` are tags that exist in the protocol and that no policy can examine: they are named to the client.
    """

    def check(value: Any, reading: Reading) -> None:
        kind = value.get(tag) if isinstance(value, dict) else None
        if not isinstance(kind, str):
            raise Refused(INVALID)
        inner = members.get(kind)
        if inner is None:
            raise Refused(UNCOVERED, param=kind) if kind in known else Refused(INVALID, param=tag)
        inner(value, reading)

    return check
