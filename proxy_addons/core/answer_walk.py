# SPDX-License-Identifier: Apache-2.0
r"""Redaction of everything within one JSON value of an answer that is whole: strings, keys, and numbers long enough.

Rules: no string of an answer is exempt, also not ids and names: whoever controls the upstream could hide text in them.
`arguments` of a tool call is JSON within a string: it is decoded, redacted leaf by leaf, written again and redacted as
text once more, so that what leaves is still valid JSON, an escape such as `\u0034` hides nothing, and a secret is seen
behind the name of its member. What spells the text once more in tokens is dropped wherever a rule may change the text.
"""

import json
from typing import Any, Final

from policies.redaction.engine import ActiveRules
from policies.redaction.findings import Tally
from proxy_addons.core.exchange import Coverage
from proxy_addons.core.json_escapes import resolved
from proxy_addons.core.strict_json import NotStrictJson, parse_object

Path = tuple[str, ...]

# A tool call's member, and that of the older function call: JSON within a string.
ARGUMENTS: Final = "arguments"
# Members that spell the text of the answer, or of the request, once more: as tokens, bytes or token ids.
RESPELLING: Final = frozenset({"logprobs", "top_logprobs", "prompt_logprobs", "token_ids", "prompt_token_ids"})
# The members that coverage names; others are `*`, because a model may have written their names and records hold none
# of its words.
_NAMED: Final = RESPELLING | frozenset(
    {
        *("choices", "message", "delta", "text", "content", "refusal"),
        *("role", "name", "reasoning", "reasoning_content"),
        *("thinking", "tool_calls", "function", "function_call", "arguments", "id", "type"),
        *("index", "finish_reason", "object", "model", "created", "system_fingerprint", "service_tier"),
        *("usage", "data", "owned_by", "annotations", "audio", "transcript", "error"),
    },
)
_MAX_PATHS: Final = 64
# The shortest number that a detector can take for a card's.
_LEAST_LONG_NUMBER: Final = 10**12
# Ids, model names and the like come with every event; beyond this many different ones they are not remembered.
_REMEMBERED: Final = 64
_MAX_REMEMBERED_CHARS: Final = 128
_MAX_DEPTH: Final = 64


class AnswerWalk:
    """Redacts the values of one answer and notes where it looked."""

    def __init__(self, rules: ActiveRules, tally: Tally) -> None:
        self.enforcing = rules.enforcing
        self._rules = rules
        self._tally = tally
        self._clean: set[str] = set()
        self._scanned: set[str] = set()
        self._dropped: set[str] = set()

    @property
    def coverage(self) -> Coverage:
        """Where the walk looked, and what it dropped unseen. Paths have `*` for indices and for names not known."""
        return Coverage(
            scanned=tuple(sorted(self._scanned)),
            not_scanned=tuple((path, "dropped") for path in sorted(self._dropped)),
        )

    def note_scanned(self, path: Path) -> None:
        _note(self._scanned, path)

    def note_dropped(self, path: Path) -> None:
        _note(self._dropped, path)

    def value(self, value: Any, path: Path) -> Any:
        """Return `value` with everything in it redacted. Raises AnswerBlocked, or ValueError where it is too deep."""
        if len(path) > _MAX_DEPTH:
            raise ValueError("an answer nests too deep")
        match value:
            case str():
                return self.arguments(value, path) if path[-1:] == (ARGUMENTS,) else self.text(value, path)
            case dict():
                return {self.name(key): self._member(key, item, path) for key, item in value.items()}
            case list():
                return [self.value(item, (*path, "*")) for item in value]
            case int() | float() if not isinstance(value, bool) and abs(value) >= _LEAST_LONG_NUMBER:
                written = json.dumps(value)
                redacted = self._redact(written)
                return value if redacted == written else redacted
            case _:
                return value

    def name(self, key: str) -> str:
        """Return the name of a member, redacted: a model writes the names in a tool call's arguments."""
        return self._redact(key)

    def text(self, text: str, path: Path) -> str:
        """Return a text that is whole, redacted."""
        self.note_scanned(path)
        return self._redact(text)

    def arguments(self, text: str, path: Path) -> str:
        """Return the arguments of a tool call redacted: as JSON where they are JSON, as text where they are not."""
        self.note_scanned(path)
        try:
            # Strict, since a reader that takes the first of two equal keys would see what we did not.
            decoded = parse_object(text.encode("utf-8"))
        except NotStrictJson:
            return self._broken_arguments(text)
        written = json.dumps(decoded, ensure_ascii=False)
        redacted = json.dumps(self.value(decoded, (*path, "*")), ensure_ascii=False)
        redacted = self._second_view(redacted)
        # What did not change leaves as it came, so that nothing depends on how we write numbers or white space.
        return text if redacted == written else redacted

    def _member(self, key: str, item: Any, path: Path) -> Any:
        if self.enforcing and key in RESPELLING and ARGUMENTS not in path and item is not None:
            self.note_dropped((*path, key))
            return None
        return self.value(item, (*path, key))

    def _broken_arguments(self, text: str) -> str:
        """Return arguments that are not one strict object redacted as text, also as a lenient reader would see them."""
        redacted = self._redact(text)
        lenient = resolved(redacted)
        shown = self._second_view(lenient)
        return redacted if shown == lenient else shown

    def _second_view(self, text: str) -> str:
        """Return a text that was looked at in another form, redacted.

        What was found in both forms is counted once: a rule that only looks counts what it saw in the first.
        """
        seen = self._rules.text(text)
        return self._redact(text) if seen.blocked or seen.text != text else text

    def _redact(self, text: str) -> str:
        if text in self._clean:
            return text
        before = self._tally.findings
        redacted = self._rules.whole(text, self._tally)
        short = len(text) <= _MAX_REMEMBERED_CHARS and len(self._clean) < _REMEMBERED
        if short and redacted == text and self._tally.findings == before:
            self._clean.add(text)
        return redacted


def _note(paths: set[str], path: Path) -> None:
    """Add `path` up to the arguments of a tool call: within them every name is the model's."""
    end = path.index(ARGUMENTS) + 1 if ARGUMENTS in path else len(path)
    if len(paths) < _MAX_PATHS:
        paths.add(".".join(part if part in _NAMED else "*" for part in path[:end]))
