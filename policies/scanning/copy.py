# SPDX-License-Identifier: Apache-2.0
"""The normalised copy of a text that is scanned, with the way back from each of its bytes to the text.

Theory. `data` is the UTF-8 of what the text's code points fold to, one after another. So each byte stems from one code
point, and code points in the order of the text have their bytes in that order; removed ones have none. A span of bytes
goes back to the code points that any of its bytes stem from, with the removed ones between them, without those before
and behind. What is cut from the text is therefore all of what was found, and no more.

Most copies are scanned and never asked for a place: the table from code points to bytes is made by the first question.
"""

from array import array
from bisect import bisect_left, bisect_right
from itertools import accumulate
from typing import Final, Protocol

from policies.scanning.fold import folded


class Scanned(Protocol):
    """Bytes to scan, and where they come from: a copy of a text, or a view of what is encoded in one."""

    @property
    def data(self) -> bytes: ...

    @property
    def continues(self) -> bool:
        """Whether the data goes on where the text does."""
        ...

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Give the code points of the text, first and behind the last, that the bytes from start to end stem from."""
        ...


class _Lengths(dict[str, int]):
    """How many bytes of a copy a character becomes."""

    MOST: Final = 65_536

    def __missing__(self, character: str) -> int:
        length = len(folded(character).encode())
        if len(self) < self.MOST:
            self[character] = length
        return length


_LENGTHS: Final = _Lengths()


class ScanCopy:
    """The copy of one text. It never changes."""

    __slots__ = ("_starts", "data", "text")
    continues: Final = True

    def __init__(self, text: str) -> None:
        self.text = text
        # Only ASCII is sure to be as it was: and nearly all texts are.
        self.data = text.encode() if text.isascii() else folded(text).encode()
        self._starts: array[int] | None = None

    @classmethod
    def of(cls, text: str) -> "ScanCopy":
        return cls(text)

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Give the code points, first and behind the last, that the bytes from start to end (at least one) are of."""
        if self.text.isascii():
            return start, end
        starts = self._table()
        return bisect_right(starts, start) - 1, bisect_left(starts, end)

    def byte_of(self, code_point: int) -> int:
        """Give where the bytes begin that stem from this code point or later ones."""
        return code_point if self.text.isascii() else self._table()[code_point]

    def _table(self) -> "array[int]":
        """Give for each code point, and for the end, where its bytes begin."""
        if self._starts is None:
            self._starts = array("I", accumulate(map(_LENGTHS.__getitem__, self.text), initial=0))
        return self._starts
