# SPDX-License-Identifier: Apache-2.0
"""Texts set side by side, so that what was split over them is seen whole.

Theory. Whoever splits a text over messages, parts or array elements reckons with a reader that looks at each by itself.
So they are also read with nothing, a space and a line's end between them: all that are not of the system, whose orders
are its own; and those of each origin by itself, so that an answer between two messages of a user hides nothing.

Facts. Only what stands across a seam is news. It stands near it, so of a long text its two ends are taken, and the cost
is bounded by the number of texts.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from inference.screen.question import Input
from policies.screening.model import Origin

SEPARATORS: Final = ("", " ", "\n")
# More than a window holds of any writing, and more than an encoded order needs.
END_CHARS: Final = 4_096


@dataclass(frozen=True, slots=True)
class _Part:
    """Part of text number `number`, which begins at `at` where all texts stand one after the other."""

    number: int
    at: int
    text: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """Parts of texts set side by side; `starts` is where each begins in `text`."""

    text: str
    origin: Origin
    starts: tuple[int, ...]
    parts: tuple[_Part, ...]

    def place(self, start: int, end: int) -> tuple[int, int] | None:
        """Where `text[start:end]` stands in all the texts one after the other; None where it is within one text."""
        first, last = self._part(start), self._part(max(start, end - 1))
        if self.parts[first].number == self.parts[last].number:
            return None
        return self._at(first, start), self._at(last, end)

    def _part(self, offset: int) -> int:
        return bisect_right(self.starts, offset) - 1

    def _at(self, part: int, offset: int) -> int:
        # A separator behind a part stands nowhere in the texts: what begins or ends in it does so at the part's end.
        return self.parts[part].at + min(offset - self.starts[part], len(self.parts[part].text))


def stretches(inputs: Sequence[Input]) -> Iterator[Stretch]:
    """Everything that is to be read beside the texts themselves."""
    begins = [0, *accumulate(len(each.text) for each in inputs)]
    for origin, numbers in _groups(inputs):
        for parts in _runs(inputs, begins, numbers):
            for separator in SEPARATORS:
                starts = accumulate((len(part.text) + len(separator) for part in parts[:-1]), initial=0)
                yield Stretch(separator.join(part.text for part in parts), origin, tuple(starts), parts)


def _groups(inputs: Sequence[Input]) -> Iterator[tuple[Origin, list[int]]]:
    mixed = [number for number, each in enumerate(inputs) if each.text and not each.origin.orders]
    origins = list(dict.fromkeys(inputs[number].origin for number in mixed))
    if len(origins) > 1:
        # Whose it is can be told of none of it. A user's, for one: whoever else wrote it had a user's text beside it.
        yield Origin.USER, mixed
    for origin in origins:
        yield origin, [number for number in mixed if inputs[number].origin is origin]


def _runs(inputs: Sequence[Input], begins: Sequence[int], numbers: Sequence[int]) -> Iterator[tuple[_Part, ...]]:
    """The texts in order, broken where the middle of a long one is left out."""
    run: list[_Part] = []
    for number in numbers:
        text, at = inputs[number].text, begins[number]
        if len(text) <= 2 * END_CHARS:
            run.append(_Part(number, at, text))
            continue
        run.append(_Part(number, at, text[:END_CHARS]))
        yield from _with_seam(run)
        run = [_Part(number, at + len(text) - END_CHARS, text[-END_CHARS:])]
    yield from _with_seam(run)


def _with_seam(run: list[_Part]) -> Iterator[tuple[_Part, ...]]:
    if len(run) > 1:
        yield tuple(run)
