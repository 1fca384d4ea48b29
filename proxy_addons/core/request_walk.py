# SPDX-License-Identifier: Apache-2.0
"""Redaction of everything within one request: each string, each name a client may choose, and long numbers.

Rules: no string is exempt but what the dialect's shape leaves alone with a reason, and words of the protocol at their
places. The walk goes by `request_shapes.py` and notes where it looked: paths have `*` for indices, and end where the
client's own names begin.
"""

from collections.abc import Mapping
from itertools import groupby
from typing import Any, Final

from policies.contracts.snapshot import FieldClass
from policies.redaction.engine import ActiveRules
from policies.redaction.findings import Tally
from proxy_addons.core.redacted_texts import RedactedTexts
from proxy_addons.core.request_shapes import SHAPES, WORDS, Shape

# The shortest number that a detector can take for somebody's: of a telephone, say.
_LEAST_LONG_NUMBER: Final = 10**6
_INDEX: Final = "*"
_TEXT: Final = "text"
_TEXTS: Final = frozenset({"text", "input_text", "output_text"})
_NO_WORDS: Final[frozenset[str]] = frozenset()


def _names_in(shape: Shape) -> frozenset[str]:
    below = (*shape.members.values(), *shape.variants.values())
    return frozenset(shape.members).union(shape.told_by, *map(_names_in, below))


# The names that members have by the protocol. Which of them no rule finds anything in is looked up once for its rules.
_PROTOCOL: Final = frozenset(WORDS).union(*map(_names_in, SHAPES.values()))


class RequestWalk:
    """Redacts the values of one request, and notes where it looked and where it did not."""

    def __init__(self, rules: ActiveRules, tally: Tally, *, texts: RedactedTexts | None = None) -> None:
        self.scanned: set[tuple[str, FieldClass]] = set()
        self.left: dict[str, str] = {}  # why, by path
        self._texts = texts or RedactedTexts(rules, tally)
        self._words = rules.clean_among(_PROTOCOL)

    def value(self, value: Any, shape: Shape, path: str = "") -> Any:
        """Return `value` with everything in it redacted. Raises AnswerBlocked. Its depth is bounded by the parser."""
        kind = type(value)
        if shape.left:
            self.left[path] = shape.left
            return value
        if kind is str:
            return self._text(value, shape, path)
        if kind is dict:
            return self._members(value, _variant(value, shape), path)
        if kind is list:
            within = _below(path, _INDEX) if shape.members or shape.variants else path
            items = [self.value(item, shape, within) for item in value]
            return self._joined(items, shape, within) if shape.is_parts and len(items) > 1 else items
        if (kind is int or kind is float) and abs(value) >= _LEAST_LONG_NUMBER:
            self.scanned.add((path, shape.field))
            return self._texts.number(value, shape.field, path)
        return value

    def _text(self, text: str, shape: Shape, path: str) -> str:
        self.scanned.add((path, shape.field))
        if shape.is_json:
            free = Shape(field=shape.field)
            return self._texts.arguments(text, lambda decoded: self._members(decoded, free, path), shape.field, path)
        return self._texts.text(text, shape.field, path)

    def _joined(self, items: list[Any], shape: Shape, path: str) -> list[Any]:
        """Return parts of one text with those as one part between which something stands that neither has alone.

        Models read parts one behind the other: a number cut in two between them is whole to a model.
        """
        left: list[Any] = []
        for is_text, run in groupby(items, key=_is_text):
            parts = list(run)
            if is_text and len(parts) > 1:
                joined = "".join([part[_TEXT] for part in parts])
                seen = self._texts.second_view(joined, shape.field, _below(path, _TEXT))
                if seen != joined:
                    parts = [parts[0] | {_TEXT: seen}]
            left += parts
        return left

    def _members(self, members: dict[str, Any], shape: Shape, path: str) -> dict[str, Any]:
        known = shape.members
        left: dict[str, Any] = {}
        for key in (*[name for name in known if name in members], *[name for name in members if name not in known]):
            item = members[key]
            if type(item) is str and item in WORDS.get(key, _NO_WORDS):
                left[key] = item
            elif key in known:
                left[key] = self.value(item, known[key], _below(path, key))
            elif known or shape.variants:
                left[key] = self.value(item, Shape(field=shape.field), _below(path, _INDEX))
            else:
                left[key] = self.value(item, shape, path)
        names = {key: key if key in self._words else self._texts.text(key, shape.field, path) for key in members}
        return {names[key]: left[key] for key in members}


def _is_text(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") in _TEXTS and isinstance(part.get(_TEXT), str)


def _variant(value: Mapping[str, Any], shape: Shape) -> Shape:
    for name in shape.told_by:
        kind = value.get(name)
        if isinstance(kind, str) and kind in shape.variants:
            return _variant(value, shape.variants[kind])
    return shape


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
