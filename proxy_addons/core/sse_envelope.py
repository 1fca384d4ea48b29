# SPDX-License-Identifier: Apache-2.0
"""What the events of a stream have beside their texts: members of the event, and of a choice.

A text could be spelt with any of it, so that where a rule may change the answer little of it passes: what the dialect
has, said as it was said first, and numbers.
"""

from typing import Any, Final

from proxy_addons.core.answer_walk import RESPELLING, AnswerWalk

_SAID_ONCE: Final = ("id", "object", "created", "model", "system_fingerprint", "service_tier")


class Envelope:
    """`said` has what stays as the first event said it. `text_in` is the member of a choice that holds its text."""

    def __init__(self, walk: AnswerWalk, text_in: str) -> None:
        self.said: dict[str, Any] = {}
        self._walk = walk
        self._text_in = text_in

    def of_event(self, event: dict[str, Any]) -> dict[str, Any]:
        """Return the members of `event` beside its choices."""
        head: dict[str, Any] = {}
        for key, value in event.items():
            if key == "choices":
                continue
            if key in _SAID_ONCE:
                if value not in (None, "") and key not in self.said:
                    self.said[key] = self._walk.value(value, (key,))
                head[key] = value if value in (None, "") else self.said[key]
            elif key == "usage":
                head[key] = self._walk.value(_numbers(value) if self._walk.enforcing else value, (key,))
            elif not self._dropped(key, ()):
                head[self._walk.name(key)] = self._walk.value(value, (key,))
        return head

    def of_choice(self, index: int, choice: dict[str, Any]) -> dict[str, Any]:
        """Return the members of `choice` beside its text."""
        carried: dict[str, Any] = {"index": index}
        for key, value in choice.items():
            if key in RESPELLING and self._walk.enforcing:
                carried[key] = None
                if value is not None:
                    self._walk.note_dropped(("choices", "*", key))
            elif key == "finish_reason":
                carried[key] = None
            elif key not in (self._text_in, "index") and not self._dropped(key, ("choices", "*")):
                carried[self._walk.name(key)] = self._walk.value(value, ("choices", "*", key))
        return carried

    def _dropped(self, key: str, within: tuple[str, ...]) -> bool:
        """Whether a member that the dialect does not have is dropped: its texts could come in pieces like all texts."""
        if self._walk.enforcing:
            self._walk.note_dropped((*within, key))
        return self._walk.enforcing


def _numbers(value: Any) -> Any:
    """Return a usage without its texts, which could come in pieces."""
    match value:
        case dict():
            return {key: _numbers(item) for key, item in value.items() if not isinstance(item, str | list)}
        case str() | list():
            return None
        case _:
            return value
