# SPDX-License-Identifier: Apache-2.0
r"""Redaction of everything within one JSON value of an answer that is whole: strings, keys, and numbers long enough.

Rules: no string of an answer is exempt, also not ids and names: whoever controls the upstream could hide text in them.
`arguments` of a tool call is JSON within a string: it is decoded, redacted leaf by leaf and written again, so that what
leaves is still valid JSON and an escape such as `\u0034` hides nothing.
"""

import json
from typing import Any, Final

from policies.redaction.engine import ActiveRules
from policies.redaction.findings import Tally

# The shortest number that a detector can take for a card's.
_LEAST_LONG_NUMBER: Final = 10**12
# Ids, model names and the like come with every event; beyond this many different ones they are not remembered.
_REMEMBERED: Final = 64
_MAX_DEPTH: Final = 64

Path = tuple[str, ...]


class AnswerWalk:
    """Redacts the values of one answer and notes where it looked. `scanned` has paths with `*` for indices."""

    def __init__(self, rules: ActiveRules, tally: Tally) -> None:
        self._rules = rules
        self._tally = tally
        self._clean: set[str] = set()
        self.scanned: set[str] = set()

    def value(self, value: Any, path: Path) -> Any:
        """Return `value` with everything in it redacted. Raises AnswerBlocked, or ValueError where it is too deep."""
        if len(path) > _MAX_DEPTH:
            raise ValueError("an answer nests too deep")
        match value:
            case str():
                return self.arguments(value, path) if path[-2:] == ("function", "arguments") else self.text(value, path)
            case dict():
                return {self.name(key): self.value(item, (*path, key)) for key, item in value.items()}
            case list():
                return [self.value(item, (*path, "*")) for item in value]
            case int() if not isinstance(value, bool) and abs(value) >= _LEAST_LONG_NUMBER:
                redacted = self._redact(str(value))
                return value if redacted == str(value) else redacted
            case _:
                return value

    def name(self, key: str) -> str:
        """Return the name of a member, redacted: a model writes the names in a tool call's arguments."""
        return self._redact(key)

    def text(self, text: str, path: Path) -> str:
        """Return a text that is whole, redacted."""
        self.scanned.add(".".join(path))
        return self._redact(text)

    def arguments(self, text: str, path: Path) -> str:
        """Return the arguments of a tool call redacted: as JSON where they are JSON, as text where they are not."""
        try:
            decoded = json.loads(text)
        except (ValueError, RecursionError):
            return self.text(text, path)
        if isinstance(decoded, str | int | float | None):
            return self.text(text, path)
        redacted = self.value(decoded, (*path, "*"))
        self.scanned.add(".".join(path))
        # What did not change leaves as it came, so that nothing depends on how we write numbers or white space.
        return text if redacted == decoded else json.dumps(redacted, ensure_ascii=False)

    def _redact(self, text: str) -> str:
        if text in self._clean:
            return text
        redacted = self._rules.whole(text, self._tally)
        if redacted == text and len(text) <= 128 and len(self._clean) < _REMEMBERED:  # noqa: PLR2004 # an id, a name
            self._clean.add(text)
        return redacted
