# SPDX-License-Identifier: Apache-2.0
"""Canonical JSON: one byte string for one value, so that a digest names the value.

The form is RFC 8785 (JSON Canonicalization Scheme), restricted to what Gatehouse writes: objects, arrays, strings,
integers within ±(2^53 - 1), true, false and null. Floating point is refused rather than formatted, because a digest
must not depend on how a language prints a number; units are chosen so that integers suffice.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

JSON: TypeAlias = "str | int | bool | Sequence[JSON] | Mapping[str, JSON] | None"

_LARGEST_EXACT_INTEGER: Final = 2**53 - 1
_LAST_OF_BASIC_PLANE: Final = "\uffff"


def canonical_bytes(value: JSON) -> bytes:
    """Return the RFC 8785 form of `value` as UTF-8.

    Raises ValueError for a float, an integer beyond ±(2^53 - 1), a key that is not a string, or a lone surrogate.
    """
    _require_canonical(value)
    text = _SORTING.encode(value)
    if not text.isascii() and max(text) > _LAST_OF_BASIC_PLANE:
        # RFC 8785 orders keys by UTF-16 code units, which differs from Python's order beyond the basic plane only.
        text = _AS_GIVEN.encode(_ordered(value))
    return text.encode("utf-8")  # a lone surrogate raises UnicodeEncodeError, which is a ValueError


def digest(value: JSON) -> str:
    """Return `sha256:` and the hexadecimal SHA-256 of the canonical form of `value`."""
    return "sha256:" + hashlib.sha256(canonical_bytes(value)).hexdigest()


def _require_canonical(value: object) -> None:
    """Raise ValueError where `value` has no canonical form. Every record comes by three times, so nothing is copied."""
    if value is None or isinstance(value, str | bool):
        return
    if isinstance(value, int):
        if abs(value) > _LARGEST_EXACT_INTEGER:
            msg = f"integer {value} is beyond 2^53 - 1; write it as a string"
            raise ValueError(msg)
    elif isinstance(value, dict | Mapping):  # dict first: asking an abstract class takes longer
        for key, member in value.items():
            if not isinstance(key, str):
                msg = "an object key is not a string"
                raise ValueError(msg)  # noqa: TRY004  # one type for whatever has no canonical form
            if not isinstance(member, str):
                _require_canonical(member)
    elif isinstance(value, list | tuple | Sequence) and not isinstance(value, bytes | bytearray):
        for item in value:
            _require_canonical(item)
    else:
        msg = f"{type(value).__name__} has no canonical form"
        raise ValueError(msg)  # noqa: TRY004  # as above


def _container(value: JSON) -> JSON:
    """Return a container that is neither dict, list nor tuple as one: the encoder knows only those."""
    return dict(value) if isinstance(value, Mapping) else list(value)  # type: ignore[arg-type]  # a scalar does not come here


def _ordered(value: JSON) -> JSON:
    if isinstance(value, Mapping):
        return {key: _ordered(value[key]) for key in sorted(value, key=lambda key: key.encode("utf-16-be"))}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_ordered(item) for item in value]
    return value


_SORTING: Final = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), allow_nan=False, sort_keys=True, default=_container
)
_AS_GIVEN: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
