# SPDX-License-Identifier: Apache-2.0
r"""Redaction of the single texts of one message, by the rules of one direction.

Rules: a text is looked at in its field class, since rules select by it; what was found clean in one class may not be in
another. `arguments` of a tool call are JSON within a string: they are decoded, redacted leaf by leaf, written again and
redacted as text once more, so that what leaves is still valid JSON, an escape such as `\u0034` hides nothing, and a
secret is seen behind the name of its member.
"""

import json
from collections.abc import Callable
from typing import Any, Final

import orjson

from policies.contracts.snapshot import FieldClass
from policies.redaction.engine import ActiveRules, AnswerBlocked
from policies.redaction.findings import Tally
from proxy_addons.core.json_escapes import resolved
from proxy_addons.core.strict_json import NotStrictJson, parse_object

# Ids, model names and the like come again and again; beyond this many different ones they are not remembered.
_REMEMBERED: Final = 64
_MAX_REMEMBERED_CHARS: Final = 128


class RedactedTexts:
    """Redacts texts and counts what was found. Used for one message."""

    __slots__ = ("_clean", "_rules", "_tally")

    def __init__(self, rules: ActiveRules, tally: Tally) -> None:
        self._rules = rules
        self._tally = tally
        self._clean: set[tuple[FieldClass, str]] = set()

    def text(self, text: str, field: FieldClass, path: str) -> str:
        """Return `text` redacted. Raises AnswerBlocked."""
        if (field, text) in self._clean:
            return text
        before = self._tally.total
        redacted = self._rules.whole(text, self._tally, field=field, path=path)
        short = len(text) <= _MAX_REMEMBERED_CHARS and len(self._clean) < _REMEMBERED
        if short and redacted == text and self._tally.total == before:
            self._clean.add((field, text))
        return redacted

    def number(self, number: float, field: FieldClass, path: str) -> float | str:
        """Return a number as it is or, where a rule changes its digits, as the text that is left of them."""
        written = orjson.dumps(number).decode()
        redacted = self.text(written, field, path)
        return number if redacted == written else redacted

    def arguments(self, text: str, within: Callable[[dict[str, Any]], Any], field: FieldClass, path: str) -> str:
        """Return the arguments of a tool call redacted: as JSON where they are JSON, as text where they are not.

        `within` redacts the object that they are, leaf by leaf.
        """
        try:
            # Strict, since a reader that takes the first of two equal keys would see what we did not.
            decoded = parse_object(text.encode("utf-8"))
        except NotStrictJson:
            return self._broken_arguments(text, field, path)
        written = json.dumps(decoded, ensure_ascii=False)
        redacted = json.dumps(within(decoded), ensure_ascii=False)
        redacted = self.second_view(redacted, field, path)
        # What did not change leaves as it came, so that nothing depends on how we write numbers or white space.
        return text if redacted == written else redacted

    def _broken_arguments(self, text: str, field: FieldClass, path: str) -> str:
        """Return arguments that are not one strict object redacted as text, also as a lenient reader would see them."""
        redacted = self.text(text, field, path)
        lenient = resolved(redacted)
        shown = self.second_view(lenient, field, path)
        return redacted if shown == lenient else shown

    def second_view(self, text: str, field: FieldClass, path: str) -> str:
        """Return a text that was looked at in another form, or in pieces, redacted.

        What was found in both forms is counted once: a rule that only looks counts what it saw in the first.
        """
        try:
            seen = self._rules.whole(text, self._tally.apart(), field=field, path=path)
        except AnswerBlocked:
            seen = ""
        return text if seen == text else self.text(text, field, path)
