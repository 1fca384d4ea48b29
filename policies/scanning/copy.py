# SPDX-License-Identifier: Apache-2.0
"""The normalised copy of a text that is scanned, with the way back from each of its bytes to the text.

Theory. `data` is the UTF-8 of what the text's code points fold to, one after another. So each byte stems from one code
point, and code points in the order of the text have their bytes in that order; removed ones have none. A span of bytes
goes back to the code points that any of its bytes stem from, with the removed ones between them, without those before
and behind. What is cut from the text is therefore all of what was found, and no more.

Most copies are scanned and never asked for a place: the way back is made by the first question.
"""

import re
from array import array
from bisect import bisect_left, bisect_right
from itertools import accumulate
from operator import add, sub
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


_BEYOND_ASCII: Final = re.compile(r"[^\x00-\x7f]")
# Where one code point in so many, or fewer, is beyond ASCII, to keep the places of those alone is quicker: seven times
# in English prose. Where nearly all are beyond it that takes three times as long.
_FEW: Final = 8


class _Lengths(dict[str, int]):
    """How many bytes of a copy a character becomes."""

    MOST: Final = 65_536

    def __missing__(self, character: str) -> int:
        length = len(folded(character).encode())
        if len(self) < self.MOST:
            self[character] = length
        return length


_LENGTHS: Final = _Lengths()


class _Places(Protocol):
    """The way between bytes of a copy and code points of its text."""

    def original(self, start: int, end: int) -> tuple[int, int]: ...
    def byte_of(self, code_point: int) -> int: ...


class _OfEach:
    """Where the bytes of every code point begin."""

    __slots__ = ("_starts",)

    def __init__(self, text: str) -> None:
        self._starts = array("I", accumulate(map(_LENGTHS.__getitem__, text), initial=0))

    def original(self, start: int, end: int) -> tuple[int, int]:
        return bisect_right(self._starts, start) - 1, bisect_left(self._starts, end)

    def byte_of(self, code_point: int) -> int:
        return self._starts[code_point]


class _OfFew:
    """Where the bytes of the code points beyond ASCII begin and end: each other one is one byte."""

    __slots__ = ("_begins", "_behind", "_points")

    def __init__(self, text: str) -> None:
        self._points = array("I", (found.start() for found in _BEYOND_ASCII.finditer(text)))
        lengths = array("I", map(_LENGTHS.__getitem__, _BEYOND_ASCII.findall(text)))
        others = map(sub, self._points, range(len(self._points)))  # of one byte each, before each of these
        self._behind = array("I", map(add, others, accumulate(lengths)))
        self._begins = array("I", map(sub, self._behind, lengths))

    def original(self, start: int, end: int) -> tuple[int, int]:
        first, last = start, end
        if (of := bisect_right(self._begins, start) - 1) >= 0:
            first = self._points[of] + max(0, start - self._behind[of] + 1)
        if (of := bisect_left(self._begins, end) - 1) >= 0:
            last = self._points[of] + max(0, end - self._behind[of]) + 1
        return first, last

    def byte_of(self, code_point: int) -> int:
        of = bisect_left(self._points, code_point) - 1
        return code_point if of < 0 else self._behind[of] + code_point - self._points[of] - 1


class ScanCopy:
    """The copy of one text. It never changes."""

    __slots__ = ("_known", "data", "text")
    continues: Final = True

    def __init__(self, text: str) -> None:
        self.text = text
        # Only ASCII is sure to be as it was: and nearly all texts are.
        self.data = text.encode() if text.isascii() else folded(text).encode()
        self._known: _Places | None = None

    @classmethod
    def of(cls, text: str) -> "ScanCopy":
        return cls(text)

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Give the code points, first and behind the last, that the bytes from start to end (at least one) are of."""
        return (start, end) if self.text.isascii() else self._places().original(start, end)

    def byte_of(self, code_point: int) -> int:
        """Give where the bytes begin that stem from this code point or later ones."""
        return code_point if self.text.isascii() else self._places().byte_of(code_point)

    def _places(self) -> _Places:
        if self._known is None:
            ascii_only = len(self.text.encode("ascii", "ignore"))
            few = (len(self.text) - ascii_only) * _FEW < len(self.text)
            self._known = _OfFew(self.text) if few else _OfEach(self.text)
        return self._known
