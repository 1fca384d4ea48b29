# SPDX-License-Identifier: Apache-2.0
r"""Redaction of everything within one JSON value of an answer that is whole: strings, keys, and numbers long enough.

Rules: no string of an answer is exempt, also not ids and names: whoever controls the upstream could hide text in them.
`arguments` of a tool call is JSON within a string: it is decoded, redacted leaf by leaf, written again and redacted as
text once more, so that what leaves is still valid JSON, an escape such as `\u0034` hides nothing, and a secret is seen
behind the name of its member. What spells the text once more in tokens is dropped wherever a rule may change the text.
"""

import json
from functools import lru_cache
from typing import Any, Final

import orjson

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
# The words that an answer's members have of the protocol and not of the model. Which of them no rule can find anything
# in is looked up once for a set of rules; everything else is looked at whenever it is said.
_PROTOCOL: Final = _NAMED | frozenset(
    {
        *("assistant", "stop", "length", "content_filter", "chat.completion", "chat.completion.chunk"),
        *("text_completion", "list", "default"),
        *("prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details", "completion_tokens_details"),
        *("cached_tokens", "audio_tokens", "reasoning_tokens", "accepted_prediction_tokens"),
        "rejected_prediction_tokens",
    },
)
_MAX_PATHS: Final = 64
# The shortest number that a detector can take for a card's.
_LEAST_LONG_NUMBER: Final = 10**12
# Ids, model names and the like come with every event; beyond this many different ones they are not remembered.
_REMEMBERED: Final = 64
_MAX_REMEMBERED_CHARS: Final = 128
_MAX_DEPTH: Final = 64
# An index, or a name that coverage does not tell.
_UNKNOWN: Final = "*"


class AnswerWalk:
    """Redacts the values of one answer and notes where it looked."""

    def __init__(self, rules: ActiveRules, tally: Tally) -> None:
        self.enforcing = rules.enforcing
        self._rules = rules
        self._tally = tally
        self._words = rules.chain.clean_among(_PROTOCOL)
        self._clean: set[str] = set()
        self._scanned: set[Path] = set()
        self._dropped: set[Path] = set()

    @property
    def coverage(self) -> Coverage:
        """Where the walk looked, and what it dropped unseen. Paths have `*` for indices and for names not known."""
        return Coverage(
            scanned=tuple(sorted(map(_written, self._scanned))),
            not_scanned=tuple((path, "dropped") for path in sorted(map(_written, self._dropped))),
        )

    def note_scanned(self, path: Path) -> None:
        self._note(self._scanned, tuple(map(_shown, path)))

    def note_dropped(self, path: Path) -> None:
        self._note(self._dropped, tuple(map(_shown, path)))

    def value(self, value: Any, path: Path) -> Any:
        """Return `value` with everything in it redacted. Raises AnswerBlocked, or ValueError where it is too deep."""
        return self._value(value, tuple(map(_shown, path)))

    def _value(self, value: Any, path: Path) -> Any:
        """Do so; `path` has only such names in it as may be shown."""
        if len(path) > _MAX_DEPTH:
            raise ValueError("an answer nests too deep")
        kind = type(value)
        if kind is str:
            return self._arguments(value, path) if path[-1:] == (ARGUMENTS,) else self._text(value, path)
        if kind is dict:
            return self._members(value, path)
        if kind is list:
            within = (*path, _UNKNOWN)
            return [self._value(item, within) for item in value]
        if (kind is int or kind is float) and abs(value) >= _LEAST_LONG_NUMBER:
            written = orjson.dumps(value).decode()
            redacted = self._redact(written)
            return value if redacted == written else redacted
        return value

    def _members(self, members: dict[str, Any], path: Path) -> dict[str, Any]:
        left: dict[str, Any] = {}
        words = self._words
        for key, item in members.items():
            name = key if key in words else self._redact(key)
            if item is None:
                left[name] = None
            elif key in RESPELLING and self.enforcing and ARGUMENTS not in path:
                self._note(self._dropped, (*path, key))
                left[name] = None
            else:
                left[name] = self._value(item, (*path, key if key in _NAMED else _UNKNOWN))
        return left

    def name(self, key: str) -> str:
        """Return the name of a member, redacted: a model writes the names in a tool call's arguments."""
        return key if key in self._words else self._redact(key)

    def text(self, text: str, path: Path) -> str:
        """Return a text that is whole, redacted."""
        return self._text(text, tuple(map(_shown, path)))

    def _text(self, text: str, path: Path) -> str:
        self._note(self._scanned, path)
        return text if text in self._words else self._redact(text)

    def _arguments(self, text: str, path: Path) -> str:
        """Return the arguments of a tool call redacted: as JSON where they are JSON, as text where they are not."""
        self._note(self._scanned, path)
        try:
            # Strict, since a reader that takes the first of two equal keys would see what we did not.
            decoded = parse_object(text.encode("utf-8"))
        except NotStrictJson:
            return self._broken_arguments(text)
        written = json.dumps(decoded, ensure_ascii=False)
        redacted = json.dumps(self._value(decoded, (*path, _UNKNOWN)), ensure_ascii=False)
        redacted = self._second_view(redacted)
        # What did not change leaves as it came, so that nothing depends on how we write numbers or white space.
        return text if redacted == written else redacted

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
        before = self._tally.total
        redacted = self._rules.whole(text, self._tally)
        short = len(text) <= _MAX_REMEMBERED_CHARS and len(self._clean) < _REMEMBERED
        if short and redacted == text and self._tally.total == before:
            self._clean.add(text)
        return redacted

    def _note(self, paths: set[Path], path: Path) -> None:
        """Add `path` up to the arguments of a tool call: within them every name is the model's."""
        if ARGUMENTS in path:
            path = path[: path.index(ARGUMENTS) + 1]
        if len(paths) < _MAX_PATHS:
            paths.add(path)


def _shown(name: str) -> str:
    return name if name in _NAMED else _UNKNOWN


# No name in a path is the model's, so that there are few paths; what is kept is a few kilobytes.
@lru_cache(maxsize=512)
def _written(path: Path) -> str:
    return ".".join(path)
