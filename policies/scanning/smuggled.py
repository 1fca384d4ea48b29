# SPDX-License-Identifier: Apache-2.0
"""What a text spells in characters that nobody sees, as views: tags and variation selectors.

Facts. Each of the tags U+E0020 to U+E007E stands for a character of ASCII, and each of the 256 variation selectors can
stand for a byte. Models read what is so spelled; people do not, and a copy of the text has nothing of it.

Rule. A run of such characters is a view, one byte for each character; what is not ASCII is a NUL.
"""

import re
from collections.abc import Iterator
from typing import Final

from policies.scanning.copy import ScanCopy

_SELECTORS: Final = (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))
_SPELT: Final = {
    **dict.fromkeys(_SELECTORS, "\0"),
    **{selector: chr(byte) for byte, selector in enumerate(_SELECTORS[:0x80])},
    **{0xE0000 + byte: chr(byte) for byte in range(0x20, 0x7F)},
}
_RUN: Final = re.compile("[\ufe00-\ufe0f\U000e0020-\U000e007e\U000e0100-\U000e01ef]+")
# In UTF-8 all tags, and all variation selectors but the first sixteen, begin with these.
_BEGIN: Final = b"\xf3\xa0"


class Smuggled:
    """The view of what a run of invisible characters spells. It never changes."""

    __slots__ = ("_start", "continues", "data")

    def __init__(self, text: str, start: int, end: int) -> None:
        self._start = start
        self.continues = end == len(text)
        self.data = text[start:end].translate(_SPELT).encode()

    def original(self, start: int, end: int) -> tuple[int, int]:
        return self._start + start, self._start + end


def smuggles(text: str) -> bool:
    """Whether the text may spell anything invisibly."""
    return not text.isascii() and _BEGIN in text.encode("utf-8", "surrogatepass")


def smuggled(copy: ScanCopy) -> Iterator[Smuggled]:
    """Give the views of what the text of a copy spells invisibly."""
    if smuggles(copy.text):
        for run in _RUN.finditer(copy.text):
            yield Smuggled(copy.text, *run.span())
