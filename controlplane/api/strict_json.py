# SPDX-License-Identifier: Apache-2.0
"""JSON bodies, read strictly: two readers of one body must never see two different things in it."""

import json
import math
from collections.abc import Callable, Iterator
from typing import Any, Final, NoReturn

from controlplane.services.errors import Invalid, Problem

_LARGEST_EXACT_INTEGER: Final = 2**53 - 1
_LONGEST_WORD: Final = len(str(-(2**63)))
_DEEPEST: Final = 32


def read_json(body: bytes) -> Any:
    """Return the value of a JSON text.

    Raises Invalid for what is not JSON in UTF-8, a key that occurs twice, a number that is not an exact integer, text
    with NUL or half of a surrogate pair (no database keeps it), and nesting beyond 32.
    """
    return _read(body, number=_refuse_number, integer=_exact)


def read_foreign_json(body: bytes) -> Any:
    """As `read_json`, for what others define: numbers may have fractions, and integers have at most 64 bits."""
    return _read(body, number=_finite, integer=_word)


def _read(body: bytes, *, number: Callable[[str], float], integer: Callable[[str], int]) -> Any:
    try:
        value = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_float=number,
            parse_int=integer,
            parse_constant=_refuse_number,
        )
        _check(value)
    except (ValueError, RecursionError) as exc:
        reason = str(exc) if isinstance(exc, _NotStrict) else "it is not JSON in UTF-8"
        raise Invalid(
            "body-not-json",
            f"The body cannot be read: {reason}.",
            problems=(Problem(code="body-not-json", message=f"The body cannot be read: {reason}."),),
        ) from exc
    return value


def is_plain_text(text: str) -> bool:
    """Return whether every store keeps `text` as it is: no NUL, no half of a surrogate pair."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


class _NotStrict(ValueError):
    pass


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _NotStrict("a key occurs twice in one object")
    return found


def _refuse_number(_literal: str) -> NoReturn:
    raise _NotStrict("a number is not an integer")


def _finite(literal: str) -> float:
    number = float(literal)
    if not math.isfinite(number):
        raise _NotStrict("a number is too large")
    return number


def _word(literal: str) -> int:
    if len(literal) > _LONGEST_WORD or not -(2**63) <= int(literal) < 2**63:
        raise _NotStrict("an integer is beyond 64 bits")
    return int(literal)


def _exact(literal: str) -> int:
    if len(literal) > len(str(-_LARGEST_EXACT_INTEGER)) or abs(int(literal)) > _LARGEST_EXACT_INTEGER:
        raise _NotStrict("a number is beyond 2^53 - 1")
    return int(literal)


def _check(value: Any, depth: int = 0) -> None:
    if depth > _DEEPEST:
        raise _NotStrict(f"it is nested deeper than {_DEEPEST}")
    if isinstance(value, str) and not is_plain_text(value):
        raise _NotStrict("a text has NUL or half of a surrogate pair")
    for part in _parts(value):
        _check(part, depth + 1)


def _parts(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.keys()
        yield from value.values()
    elif isinstance(value, list):
        yield from value
