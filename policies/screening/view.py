# SPDX-License-Identifier: Apache-2.0
"""A text as one way of reading gives it, with the way back from each of its characters to the text that was given.

Theory. Redaction's views are bytes with a way back (`policies.scanning.copy.Scanned`). Those that the screen adds are
so too: what a view's characters are read as is a `Reading`, of which each character stems from some of the view's. So
any of them can be decoded further, and what is found in the last leads back to the first through all of them.
"""

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

from policies.scanning.copy import ScanCopy, Scanned

_SEPARATOR: Final = b"\n"


class View:
    """`text` is what is read; `name` is how, outermost first (`base64/rot13`). It never changes."""

    __slots__ = ("_starts", "depth", "name", "scanned", "text")

    def __init__(self, name: str, scanned: Scanned, *, depth: int, text: str | None = None) -> None:
        self.name = name
        self.scanned = scanned
        self.depth = depth
        self.text = scanned.data.decode("utf-8", "replace") if text is None else text
        self._starts: array[int] | None = None

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Give the code points of the given text, first and behind the last, that `self.text[start:end]` stems from."""
        if start >= end:
            return 0, 0
        data = self.scanned.data
        if len(data) != len(self.text):
            if self._starts is None:
                self._starts = array("L", accumulate((_width(character) for character in self.text), initial=0))
            start, end = self._starts[start], self._starts[end]
        return self.scanned.original(start, end)


def _width(character: str) -> int:
    """Give how many bytes a character has in UTF-8; half of a surrogate pair is replaced by a mark of one."""
    return len(character.encode("utf-8", "replace"))


class Given:
    """A text as it was given, for ways of reading that look at characters which the scan copy has no more."""

    __slots__ = ("_starts", "data", "text")
    continues: Final = False

    def __init__(self, text: str) -> None:
        self.text = text
        self.data = text.encode("utf-8", "replace")
        self._starts: array[int] | None = None

    def original(self, start: int, end: int) -> tuple[int, int]:
        if len(self.data) == len(self.text):
            return start, end
        if self._starts is None:
            self._starts = array("L", accumulate(map(_width, self.text), initial=0))
        return bisect_right(self._starts, start) - 1, bisect_right(self._starts, end - 1)


class Reading:
    """What some characters of a view are read as: each of `text` stems from `view.text[starts[i]:ends[i]]`."""

    __slots__ = ("_ends", "_own", "_starts", "_view", "data")
    continues: Final = False

    def __init__(self, view: View, text: str, starts: Sequence[int], ends: Sequence[int] | None = None) -> None:
        """Without `ends`, each character stems from one."""
        self._view = view
        self._starts = starts
        self._ends = ends
        self.data = text.encode("utf-8", "replace")
        self._own = None if len(self.data) == len(text) else array("L", accumulate(map(_width, text), initial=0))

    def original(self, start: int, end: int) -> tuple[int, int]:
        if self._own is not None:
            start, end = bisect_right(self._own, start) - 1, bisect_right(self._own, end - 1)
        starts = self._starts[start:end]
        last = max(starts) + 1 if self._ends is None else max(self._ends[start:end])
        return self._view.original(min(starts), last)


class Folded:
    """What a view folds to. Whatever reads views counts on their being folded, but for the text as it was given."""

    __slots__ = ("_copy", "_view", "data")
    continues: Final = False

    def __init__(self, view: View) -> None:
        self._view = view
        self._copy = ScanCopy.of(view.text)
        self.data = self._copy.data

    def original(self, start: int, end: int) -> tuple[int, int]:
        return self._view.original(*self._copy.original(start, end))


class Pieces:
    """Several views of the same kind as one, on a line each: many small ones cost more than one that is large."""

    __slots__ = ("_begins", "_pieces", "data")
    continues: Final = False

    def __init__(self, pieces: Sequence[Scanned]) -> None:
        self._pieces = pieces
        self.data = _SEPARATOR.join(piece.data for piece in pieces)
        self._begins = array("L", accumulate((len(piece.data) + len(_SEPARATOR) for piece in pieces), initial=0))

    def original(self, start: int, end: int) -> tuple[int, int]:
        first, last = bisect_right(self._begins, start) - 1, bisect_right(self._begins, end - 1) - 1
        places = []
        for number in {first, last}:
            piece, begin = self._pieces[number], self._begins[number]
            # The separator counts as the end of what is before it.
            since = min(max(0, start - begin), len(piece.data) - 1)
            until = max(since + 1, min(end - begin, len(piece.data)))
            places.append(piece.original(since, until))
        return min(place[0] for place in places), max(place[1] for place in places)
