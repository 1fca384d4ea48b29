# SPDX-License-Identifier: Apache-2.0
"""The answer to an embeddings request: vectors, the model's name and counts. Nothing else of it leaves.

Rules: a vector is finite numbers, or the base64 of finite 32-bit floats. Detectors read text, and a vector is none: the
record's coverage names it as not scanned. The model's name is text and redacted like any other; members that the
protocol does not have are dropped, since text could hide in them.
"""

import binascii
from array import array
from collections.abc import Mapping
from dataclasses import replace
from math import isfinite
from typing import Any, Final

from policies.redaction.engine import ActiveRules
from proxy_addons.core.answer_walk import AnswerWalk
from proxy_addons.core.answers import AnswerInvalid, RedactedAnswer, redacted
from proxy_addons.core.embeddings_request import MAX_DIMENSIONS
from proxy_addons.core.restoring import Shared

# The most inputs of one request, each with a vector of ordinary size; the bound on bytes is usually tighter.
_MAX_VALUES: Final = 8_000_000
_FLOAT_BYTES: Final = 4
_COUNTS: Final = ("prompt_tokens", "total_tokens")
_LARGEST_COUNT: Final = 2**53 - 1


def redact_embeddings(
    body: bytes, *, rules: ActiveRules, max_bytes: int, shared: Shared | None = None
) -> RedactedAnswer:
    """Return what may leave of the answer `body`. Raises AnswerInvalid for what is not an answer of this dialect."""
    examined = redacted(body, _kept, rules=rules, max_bytes=max_bytes, max_values=_MAX_VALUES, shared=shared)
    coverage = examined.coverage
    unread = (*coverage.not_scanned, ("data.*.embedding", "vector"))
    return replace(examined, coverage=replace(coverage, not_scanned=unread))


def _kept(answer: Mapping[str, Any], walk: AnswerWalk) -> dict[str, Any]:
    model, items = answer.get("model"), answer.get("data")
    if answer.get("object") != "list" or not isinstance(model, str) or not isinstance(items, list) or not items:
        raise AnswerInvalid("not-of-its-dialect")
    vectors = [_vector(item, index) for index, item in enumerate(items)]
    return {
        "object": "list",
        "data": vectors,
        "model": walk.text(model, ("model",)),
        "usage": _usage(answer.get("usage")),
    }


def _vector(item: Any, index: int) -> dict[str, Any]:
    """Return the vector at its place: the client takes it for that of the input at the same place."""
    if not isinstance(item, dict) or item.get("object") != "embedding":
        raise AnswerInvalid("not-of-its-dialect")
    place, vector = item.get("index"), item.get("embedding")
    if not isinstance(place, int) or place != index or not _is_vector(vector):
        raise AnswerInvalid("not-a-vector")
    return {"object": "embedding", "index": index, "embedding": vector}


def _is_vector(value: Any) -> bool:
    if isinstance(value, str):
        return _is_packed(value)
    if not isinstance(value, list) or not 0 < len(value) <= MAX_DIMENSIONS:
        return False
    return {type(number) for number in value} <= {int, float}


def _is_packed(text: str) -> bool:
    try:
        packed = binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        return False
    if not packed or len(packed) % _FLOAT_BYTES or len(packed) > MAX_DIMENSIONS * _FLOAT_BYTES:
        return False
    return all(map(isfinite, array("f", packed)))


def _usage(usage: Any) -> dict[str, int]:
    given = usage if isinstance(usage, dict) else {}
    counts = {name: given[name] for name in _COUNTS if name in given}
    if not all(type(count) is int and 0 <= count <= _LARGEST_COUNT for count in counts.values()):
        raise AnswerInvalid("not-of-its-dialect")
    return counts
