# SPDX-License-Identifier: Apache-2.0
"""Every text of one request, looked at for screening: where redaction would look, and nothing changed."""

from collections.abc import Callable, Collection
from typing import Any, Final

from policies.contracts.asked_screen import ScreenText
from policies.contracts.snapshot import Dialect, FieldClass
from policies.redaction.engine import ActiveRules
from policies.redaction.findings import Tally
from proxy_addons.core.json_escapes import resolved
from proxy_addons.core.openai_request import PARAMETERS, ReadRequest
from proxy_addons.core.redacted_texts import RedactedTexts
from proxy_addons.core.request_shapes import SHAPES, Shape
from proxy_addons.core.request_walk import RequestWalk
from proxy_addons.core.strict_json import NotStrictJson, parse_object

_WITHIN: Final = "request"
_NAMES: Final = frozenset({FieldClass.OTHER, FieldClass.TOOL_SCHEMA})


def screen_request(read: ReadRequest, *, dialect: Dialect, rules: ActiveRules, tally: Tally) -> None:
    """Add to `tally` what the rules find in the texts of a request."""
    _walk_over(RequestWalk(rules, tally, texts=_Screened(rules, tally)), read, SHAPES[dialect])


def texts_of(
    read: ReadRequest, *, dialect: Dialect, fields: Collection[FieldClass], most: int
) -> tuple[tuple[ScreenText, ...], bool]:
    """Return the texts of a request whose class is among `fields`, and whether these are all of them."""
    collected = _Collected(fields, most)
    _walk_over(RequestWalk(ActiveRules.none(), Tally(), texts=collected), read, SHAPES[dialect])
    return tuple(collected.texts), collected.whole


def _walk_over(walk: RequestWalk, read: ReadRequest, shape: Shape) -> None:
    if read.form is None:
        walk.value(read.value, shape, _WITHIN)
        return
    for part in read.form.parts:
        if part.text is not None:
            walk.value({part.name: part.text}, shape, _WITHIN)


class _Screened(RedactedTexts):
    """Looks at a text in its other form too: redaction does so only where it would change something."""

    __slots__ = ()

    def second_view(self, text: str, field: FieldClass, path: str) -> str:
        return self.text(text, field, path)


class _Collected(RedactedTexts):
    """Notes the texts of some classes, and changes none.

    What people, models and tools say is noted in full: a text left out because it stood there before would be missing
    where several are read as one. Of names and descriptions each is noted once, and those of parameters say nothing.

    Texts that were looked at in pieces are not noted once more in one: a screen joins what belongs together.
    """

    __slots__ = ("_fields", "_most", "_names", "texts", "whole")

    def __init__(self, fields: Collection[FieldClass], most: int) -> None:
        super().__init__(ActiveRules.none(), Tally())
        self.texts: list[ScreenText] = []
        self._names: set[tuple[FieldClass, str]] = set()
        self.whole = True
        self._fields = fields
        self._most = most

    def text(self, text: str, field: FieldClass, path: str) -> str:
        if field not in self._fields or not text or text.isspace() or self._is_known(text, field):
            return text
        if len(self.texts) < self._most:
            self.texts.append(ScreenText(text, field, path))
        else:
            self.whole = False
        return text

    def _is_known(self, text: str, field: FieldClass) -> bool:
        if field not in _NAMES:
            return False
        known = (field, text) in self._names or (field is FieldClass.OTHER and text in PARAMETERS)
        self._names.add((field, text))
        return known

    def number(self, number: float, field: FieldClass, path: str) -> float | str:  # noqa: ARG002  # as it is there
        return number

    def arguments(self, text: str, within: Callable[[dict[str, Any]], Any], field: FieldClass, path: str) -> str:
        try:
            decoded = parse_object(text.encode("utf-8"))
        except NotStrictJson:
            # As it stands, and as a lenient reader would see it.
            self.text(text, field, path)
            self.text(resolved(text), field, path)
        else:
            within(decoded)
        return text

    def second_view(self, text: str, field: FieldClass, path: str) -> str:  # noqa: ARG002  # as it is there
        return text
