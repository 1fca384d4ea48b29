# SPDX-License-Identifier: Apache-2.0
"""Canonical JSON: one byte string for one value, so that a digest names the value.

The form is RFC 8785 (JSON Canonicalization Scheme), restricted to what Gatehouse writes: objects, arrays, strings,
integers within ±(2^53 - 1), true, false and null. Floating point is refused rather than formatted, because a digest
must not depend on how a language prints a number; units are chosen so that integers suffice.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias

JSON: TypeAlias = "str | int | bool | Sequence[JSON] | Mapping[str, JSON] | None"

_LARGEST_EXACT_INTEGER = 2**53 - 1


def canonical_bytes(value: JSON) -> bytes:
    """Return the RFC 8785 form of `value` as UTF-8.

    Raises ValueError for a float, an integer beyond ±(2^53 - 1), a key that is not a string, or a lone surrogate.
    """
    text = json.dumps(_ordered(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8")  # a lone surrogate raises UnicodeEncodeError, which is a ValueError


def digest(value: JSON) -> str:
    """Return `sha256:` and the hexadecimal SHA-256 of the canonical form of `value`."""
    return "sha256:" + hashlib.sha256(canonical_bytes(value)).hexdigest()


def _ordered(value: JSON) -> JSON:
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        if abs(value) > _LARGEST_EXACT_INTEGER:
            msg = f"integer {value} is beyond 2^53 - 1; write it as a string"
            raise ValueError(msg)
        return value
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            msg = "an object key is not a string"
            raise ValueError(msg)
        # RFC 8785 orders keys by UTF-16 code units, which differs from Python's order beyond the basic plane.
        return {key: _ordered(value[key]) for key in sorted(value, key=lambda key: key.encode("utf-16-be"))}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [_ordered(item) for item in value]
    msg = f"{type(value).__name__} has no canonical form"
    raise ValueError(msg)
