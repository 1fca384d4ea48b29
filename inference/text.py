# SPDX-License-Identifier: Apache-2.0
"""From tokens to text that may be sent: whole characters only, and nothing of a stop sequence."""

from collections.abc import Callable, Sequence
from typing import Final

REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
# An unfinished UTF-8 character has at most three bytes, and no tokenizer shows a byte as more than one replacement.
MOST_UNFINISHED: Final = 3


class TextStream:
    """Gives the new text of each token as soon as it cannot change any more.

    What the pieces add up to is what decoding all tokens at once gives. The text of a few tokens depends on the one
    before (a leading blank, a character whose bytes are several tokens), so each decoding begins at the last place
    where everything was settled, one stretch earlier than the new tokens.
    """

    def __init__(self, decode: Callable[[Sequence[int]], str]) -> None:
        self._decode = decode
        self._settled: list[int] = []
        self._settled_text = ""
        self._fresh: list[int] = []
        self._given = 0  # characters of the fresh tokens that were given already

    def feed(self, token: int) -> str:
        self._fresh.append(token)
        text = self._fresh_text()
        unfinished = min(MOST_UNFINISHED, len(text) - len(text.rstrip(REPLACEMENT)))
        ready = text[self._given : len(text) - unfinished]
        self._given += len(ready)
        if text and not unfinished:
            self._settled, self._fresh, self._given = self._fresh, [], 0
            self._settled_text = self._decode(self._settled)
        return ready

    def finish(self) -> str:
        """What is left when no token follows: an unfinished character becomes its replacement."""
        rest = self._fresh_text()[self._given :]
        self._given += len(rest)
        return rest

    def _fresh_text(self) -> str:
        return self._decode(self._settled + self._fresh)[len(self._settled_text) :] if self._fresh else ""


class StopFilter:
    """Passes text on up to the first stop sequence, and holds back what may become one."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._held = ""
        self.stopped = False

    def feed(self, text: str) -> str:
        """The text that may be sent now. After a stop sequence nothing may."""
        if self.stopped:
            return ""
        if not self._stops:
            return text
        held = self._held + text
        found = [at for stop in self._stops if (at := held.find(stop)) >= 0]
        if found:
            self.stopped = True
            self._held = ""
            return held[: min(found)]
        keep = max(_beginning_at_end(held, stop) for stop in self._stops)
        self._held = held[len(held) - keep :]
        return held[: len(held) - keep]

    def finish(self) -> str:
        rest, self._held = self._held, ""
        return rest


def _beginning_at_end(text: str, stop: str) -> int:
    """How many characters at the text's end are the beginning of the stop sequence."""
    for length in range(min(len(stop) - 1, len(text)), 0, -1):
        if text.endswith(stop[:length]):
            return length
    return 0
