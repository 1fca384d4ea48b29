# SPDX-License-Identifier: Apache-2.0
"""Strict JSON: bytes that every parser reads alike, or an error.

Theory: a firewall that reads JSON one way in front of a server that reads it another way can be talked past. So
everything on which parsers are known to differ is refused: duplicate keys, byte order marks, encodings other than
UTF-8, lone surrogates, NaN and Infinity, numbers beyond a double or 64 bits, deep nesting, trailing text. What passed
can be written again by any serialiser without a change of meaning.

Fact: most clients write JSON without white space, as our own serialiser does. A body that is, byte for byte, what its
value is written as has one reading: it repeats no key, escapes nothing that need not be, and spells each number as the
shortest that reads back. So it is taken at the speed of orjson, and only other spellings meet the slower strict parser.
"""

import json
import math
from typing import Any, Final, Never

import orjson

MAX_DEPTH: Final = 64
MAX_KEYS: Final = 10_000
MAX_VALUES: Final = 100_000
_SHORT_BYTES: Final = 4096
# 20 characters hold every 64-bit integer, 64 every double that anybody writes; longer ones only cost time to convert.
_MAX_INTEGER_CHARS: Final = 20
_MAX_FLOAT_CHARS: Final = 64
_LEAST_INTEGER: Final = -(2**63)
_LARGEST_INTEGER: Final = 2**63 - 1


class NotStrictJson(Exception):
    """A body that is not one strict JSON object. `problem` is a kebab-case code, `offset` a byte offset where known.

    Neither tells anything of the content.
    """

    def __init__(self, problem: str, offset: int | None = None) -> None:
        super().__init__(problem if offset is None else f"{problem} at byte {offset}")
        self.problem = problem
        self.offset = offset


def parse_object(body: bytes, *, max_values: int = MAX_VALUES) -> dict[str, Any]:
    """Return the one JSON object that `body` is. Raises NotStrictJson for anything else."""
    return read_object(body, max_values=max_values)[0]


def read_object(body: bytes, *, max_values: int = MAX_VALUES) -> tuple[dict[str, Any], bool]:
    """Return the one JSON object that `body` is, and whether `body` is its canonical form. Raises NotStrictJson."""
    # Every string is a key or a value and has two quotes that no backslash precedes: too many are refused unmade.
    most_quotes = 2 * (MAX_KEYS + max_values)
    if len(body) > most_quotes and body.count(b'"') - body.count(b'\\"') > most_quotes:
        raise NotStrictJson("too-many-values")
    try:
        value = orjson.loads(body)
        # The option raises for integers beyond 53 bits: the strict parser knows where their range ends.
        is_canonical = isinstance(value, dict) and orjson.dumps(value, option=orjson.OPT_STRICT_INTEGER) == body
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        is_canonical = False
    if not is_canonical:
        return _parse(body, max_values), False
    # A short body has not bytes enough for too many keys or values, and is no deeper than it has brackets.
    if len(body) > _SHORT_BYTES or body.count(b"{") + body.count(b"[") > MAX_DEPTH:
        _check_bounds(value, may_hold_surrogates=False, max_values=max_values)
    return value, True


def canonical(value: dict[str, Any]) -> bytes:
    """Return the one spelling in which `value` leaves. Whatever `parse_object` gives can be written."""
    return orjson.dumps(value)


def _parse(body: bytes, max_values: int) -> dict[str, Any]:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise NotStrictJson("not-utf-8", exc.start) from None
    if text.startswith("\ufeff"):
        raise NotStrictJson("byte-order-mark", 0)
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as exc:
        raise NotStrictJson("not-json", len(text[: exc.pos].encode("utf-8"))) from None
    except RecursionError:
        raise NotStrictJson("too-deep") from None
    if not isinstance(value, dict):
        raise NotStrictJson("not-an-object", 0)
    _check_bounds(value, may_hold_surrogates="\\u" in text, max_values=max_values)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotStrictJson("duplicate-key")
    return members


def _integer(literal: str) -> int:
    if len(literal) <= _MAX_INTEGER_CHARS and _LEAST_INTEGER <= (number := int(literal)) <= _LARGEST_INTEGER:
        return number
    raise NotStrictJson("number-out-of-range")


def _double(literal: str) -> float:
    if len(literal) <= _MAX_FLOAT_CHARS and math.isfinite(number := float(literal)):
        return number
    raise NotStrictJson("number-out-of-range")


def _no_constant(literal: str) -> Never:  # noqa: ARG001  # NaN, Infinity or -Infinity: none is JSON
    raise NotStrictJson("number-out-of-range")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_integer, parse_float=_double, parse_constant=_no_constant
)


_CONTAINERS: Final = frozenset({dict, list})


def _check_bounds(root: dict[str, Any], *, may_hold_surrogates: bool, max_values: int) -> None:
    """Walk the value level by level, so that depth needs no recursion.

    UTF-8 itself cannot carry a lone surrogate, only an escape can: strings are looked at only where there is one.
    """
    level: list[Any] = [root]
    keys, values = 0, 1
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for container in level:
            members = container
            if type(container) is dict:
                keys += len(container)
                members = container.values()
                if may_hold_surrogates:
                    _check_surrogates(container)
            values += len(members)
            if may_hold_surrogates:
                _check_surrogates(members)
            below += [member for member in members if type(member) in _CONTAINERS]
        if keys > MAX_KEYS:
            raise NotStrictJson("too-many-keys")
        if values > max_values:
            raise NotStrictJson("too-many-values")
        if not below:
            return
        level = below
    raise NotStrictJson("too-deep")


def _check_surrogates(values: Any) -> None:
    for value in values:
        if isinstance(value, str) and not value.isascii():
            try:
                value.encode("utf-8")
            except UnicodeEncodeError:
                raise NotStrictJson("lone-surrogate") from None
