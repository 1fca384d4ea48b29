# SPDX-License-Identifier: Apache-2.0
"""Cuts a text into what a classifier can look at: windows that overlap, and sentences.

Theory. A classifier sees some 256 tokens and dilutes what is a small part of them. Windows cover the whole text, so
that nothing is passed over for standing late; they overlap, so that what is shorter than the overlap stands whole in
one. Sentences show what a window dilutes.

Facts. Tokens are not counted but estimated, from above for prose: whoever gives a window to an encoder MUST see whether
all of it fitted. Work and memory are in proportion to the text.
"""

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

WINDOW_TOKENS: Final = 240
# Longer than nearly all orders are.
OVERLAP_TOKENS: Final = 60
# What has fewer characters is read with what follows it.
_SENTENCE_CHARS: Final = 16
# A word of so many letters of the alphabet is one token on the average.
_LETTERS_A_TOKEN: Final = 5

# Letters of the alphabet in a row, fewer than one window holds; else nearly each character by itself.
_WORD: Final = re.compile(r"[A-Za-z]{1,400}|[0-9]{1,3}|[^\W\d_]|\S")
# Where sentences end: punctuation before white space, that of languages without spaces, and the ends of lines.
_END: Final = re.compile(r"[.!?…:;][\"'”’)\]]{0,3}(?=\s)|[。！？；]|[\r\n\x0b\x0c\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Span:
    """`text[start:end]`, in code points."""

    start: int
    end: int


def windows_of(text: str) -> tuple[Span, ...]:
    """Give the windows that cover a text, in order, and then those sentences that are no window by themselves."""
    windows = dict.fromkeys(_windows(text))
    return tuple(windows | dict.fromkeys(sentences_of(text)))


def sentences_of(text: str) -> Iterator[Span]:
    """Give the sentences, which are all of the text but white space. One too long for a window is given in parts."""
    start = 0
    for end in (*(found.end() for found in _END.finditer(text)), len(text)):
        if end - start < _SENTENCE_CHARS and end < len(text):
            continue
        part = text[start:end]
        first = start + len(part) - len(part.lstrip())
        for window in _windows(part.strip()):
            yield Span(first + window.start, first + window.end)
        start = end


def _windows(text: str) -> Iterator[Span]:
    starts, ends, tokens = array("L"), array("L"), array("L", (0,))
    for word in _WORD.finditer(text):
        start, end = word.span()
        starts.append(start)
        ends.append(end)
        tokens.append(tokens[-1] - (start - end) // _LETTERS_A_TOKEN)
    first = 0
    while first < len(starts):
        # Of the words from `first` on as many as the window holds; at least one, since none has more tokens than that.
        behind = bisect_right(tokens, tokens[first] + WINDOW_TOKENS) - 1
        yield Span(starts[first], ends[behind - 1])
        if behind == len(starts):
            return
        first = max(first + 1, bisect_left(tokens, tokens[behind] - OVERLAP_TOKENS))
