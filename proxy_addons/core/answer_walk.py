# SPDX-License-Identifier: Apache-2.0
"""Redaction of everything within one JSON value of an answer that is whole: strings, keys, and numbers long enough.

Rules: no string of an answer is exempt, also not ids and names: whoever controls the upstream could hide text in them.
What spells the text once more in tokens is dropped wherever a rule may change the text.
"""

from functools import lru_cache
from typing import Any, Final

from policies.contracts.snapshot import FieldClass
from policies.redaction.engine import ActiveRules
from policies.redaction.findings import Tally
from proxy_addons.core.coverage import Coverage, covering
from proxy_addons.core.field_classes import of_member, of_path
from proxy_addons.core.redacted_texts import RedactedTexts
from proxy_addons.core.responses_words import NAMES, WORDS

Path = tuple[str, ...]

# A tool call's member, and that of the older function call: JSON within a string.
ARGUMENTS: Final = "arguments"
# Members that spell the text of the answer, or of the request, once more: as tokens, bytes or token ids.
RESPELLING: Final = frozenset({"logprobs", "top_logprobs", "prompt_logprobs", "token_ids", "prompt_token_ids"})
# The members that coverage names; others are `*`, because a model may have written their names and records hold none
# of its words.
_NAMED: Final = (
    NAMES
    | RESPELLING
    | frozenset(
        {
            *("choices", "message", "delta", "text", "content", "refusal"),
            *("role", "name", "reasoning", "reasoning_content"),
            *("thinking", "tool_calls", "function", "function_call", "arguments", "id", "type"),
            *("index", "finish_reason", "object", "model", "created", "system_fingerprint", "service_tier"),
            *("usage", "data", "owned_by", "annotations", "audio", "transcript", "error"),
        },
    )
)
# The words that an answer's members have of the protocol and not of the model. Which of them no rule can find anything
# in is looked up once for a set of rules; everything else is looked at whenever it is said.
_PROTOCOL: Final = (
    WORDS
    | _NAMED
    | frozenset(
        {
            *("assistant", "stop", "length", "content_filter", "chat.completion", "chat.completion.chunk"),
            *("text_completion", "list", "default"),
            *(
                "prompt_tokens",
                "completion_tokens",
                "total_tokens",
                "prompt_tokens_details",
                "completion_tokens_details",
            ),
            *("cached_tokens", "audio_tokens", "reasoning_tokens", "accepted_prediction_tokens"),
            "rejected_prediction_tokens",
        },
    )
)
_MAX_PATHS: Final = 64
# The shortest number that a detector can take for a card's.
_LEAST_LONG_NUMBER: Final = 10**12
_MAX_DEPTH: Final = 64
# An index, or a name that coverage does not tell.
_UNKNOWN: Final = "*"


class AnswerWalk:
    """Redacts the values of one answer and notes where it looked.

    `strict`: something beside these rules may change the answer, so that nothing may tell what it was before.
    """

    def __init__(self, rules: ActiveRules, tally: Tally, *, strict: bool = False) -> None:
        self.enforcing = rules.enforcing or strict
        self._rules = rules
        self._texts = RedactedTexts(rules, tally)
        self._unscanned = tally.unscanned
        self._words = rules.clean_among(_PROTOCOL)
        self._scanned: dict[Path, FieldClass] = {}
        self._dropped: dict[Path, FieldClass] = {}

    @property
    def coverage(self) -> Coverage:
        """Where the walk looked, and what it dropped unseen. Paths have `*` for indices and for names not known."""
        return covering(
            self._rules,
            {(_written(path), field) for path, field in self._scanned.items()},
            {_written(path): "dropped" for path in self._dropped} | self._unscanned,
        )

    def note_scanned(self, path: Path) -> None:
        self._note(self._scanned, tuple(map(_shown, path)), of_path(path))

    def note_dropped(self, path: Path) -> None:
        self._note(self._dropped, tuple(map(_shown, path)), of_path(path))

    def shown(self, path: Path) -> str:
        """Return `path` as records may have it."""
        return _written(_told(tuple(map(_shown, path))))

    def value(self, value: Any, path: Path, *, field: FieldClass | None = None) -> Any:
        """Return `value` with everything in it redacted. Raises AnswerBlocked, or ValueError where it is too deep.

        `field` is its class, where the dialect and not the path says it.
        """
        return self._value(value, tuple(map(_shown, path)), of_path(path) if field is None else field)

    def _value(self, value: Any, path: Path, field: FieldClass) -> Any:
        """Do so; `path` has only such names in it as may be shown."""
        if len(path) > _MAX_DEPTH:
            raise ValueError("an answer nests too deep")
        kind = type(value)
        if kind is str:
            return self._arguments(value, path, field) if path[-1:] == (ARGUMENTS,) else self._text(value, path, field)
        if kind is dict:
            return self._members(value, path, field)
        if kind is list:
            within = (*path, _UNKNOWN)
            return [self._value(item, within, field) for item in value]
        if (kind is int or kind is float) and abs(value) >= _LEAST_LONG_NUMBER:
            return self._texts.number(value, field, _written(_told(path)))
        return value

    def _members(self, members: dict[str, Any], path: Path, field: FieldClass) -> dict[str, Any]:
        left: dict[str, Any] = {}
        words = self._words
        for key, item in members.items():
            name = key if key in words else self._redact(key, field, path)
            if item is None or item == []:
                left[name] = item
            elif key in RESPELLING and self.enforcing and ARGUMENTS not in path and not isinstance(item, int | float):
                self._note(self._dropped, (*path, key), field)
                left[name] = None
            else:
                below = (*path, key if key in _NAMED else _UNKNOWN)
                left[name] = self._value(item, below, of_member(key, field))
        return left

    def name(self, key: str) -> str:
        """Return the name of a member, redacted: a model writes the names in a tool call's arguments."""
        return key if key in self._words else self._redact(key, FieldClass.OTHER, ())

    def text(self, text: str, path: Path) -> str:
        """Return a text that is whole, redacted."""
        return self._text(text, tuple(map(_shown, path)), of_path(path))

    def _text(self, text: str, path: Path, field: FieldClass) -> str:
        self._note(self._scanned, path, field)
        return text if text in self._words else self._redact(text, field, path)

    def _arguments(self, text: str, path: Path, field: FieldClass) -> str:
        """Return the arguments of a tool call redacted: as JSON where they are JSON, as text where they are not."""
        self._note(self._scanned, path, field)
        within = (*path, _UNKNOWN)
        return self._texts.arguments(
            text, lambda decoded: self._members(decoded, within, field), field, _written(_told(path))
        )

    def _redact(self, text: str, field: FieldClass, path: Path) -> str:
        return self._texts.text(text, field, _written(_told(path)))

    def _note(self, paths: dict[Path, FieldClass], path: Path, field: FieldClass) -> None:
        if len(paths) < _MAX_PATHS:
            paths[_told(path)] = field


def _told(path: Path) -> Path:
    """Return `path` up to the arguments of a tool call: within them every name is the model's."""
    return path[: path.index(ARGUMENTS) + 1] if ARGUMENTS in path else path


def _shown(name: str) -> str:
    return name if name in _NAMED else _UNKNOWN


# No name in a path is the model's, so that there are few paths; what is kept is a few kilobytes.
@lru_cache(maxsize=512)
def _written(path: Path) -> str:
    return ".".join(path)
