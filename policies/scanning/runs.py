# SPDX-License-Identifier: Apache-2.0
"""The run views: what a text's runs of base64, base32 and hexadecimal characters decode to, as far as it is text.

Theory. Where a run of such characters begins says nothing: a stream's window cuts it, and whoever hides something glues
a word to it. But there are only four places within a group of base64 (eight of base32, two of hexadecimal) at which
decoding can begin; so every run is decoded from each of them, and one of these decodings is the right one wherever the
run begins. What is decoded from a wrong place, or was never encoded, is noise, of which hardly more than a third is
printable. So only stretches of text are views.

Rules.

1. A run has at least LINE characters in a line. Lines of a run that follow each other (MIME, PEM, also indented) go on;
   the last may be shorter. Padding ends a run and says nothing more.
2. A stretch is at least STRETCH characters of text: printable ASCII, tab, line ends, UTF-8. It is as long as it can be.
3. A byte is decoded only where all its bits are of the run.
4. All this is seen from few bytes around: a text and a window of it have the same stretches.

All runs of a text are decoded at once, one after another with a SEPARATOR between that decodes to no text, so that an
ordinary long word costs no more than its part of some calls into C.
"""

import re
from array import array
from binascii import a2b_base64, a2b_hex
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from operator import itemgetter
from typing import Final

from policies.scanning.budget import Budget
from policies.scanning.copy import ScanCopy, Scanned

LINE: Final = 16
BASE32_LINE: Final = 24
STRETCH: Final = 6

_BASE64: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_BASE32: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
# Its digits as `int` reads them.
_DIGITS: Final = bytes.maketrans(_BASE32 + _BASE32.lower(), b"0123456789abcdefghijklmnopqrstuv" * 2)
_OF_RUN: Final = _BASE64 + b"-_"
_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")
# Not of base32 nor hexadecimal; decodes to bytes that are in no UTF-8. Longer than any group.
_SEPARATOR: Final = b"/" * 8

_BREAK: Final = re.compile(rb"\r?\n[ \t]{0,24}")
_BREAK_BEFORE: Final = re.compile(rb"(?:\r|\r?\n[ \t]{0,24})\Z")
_BREAK_BYTES: Final = 26
_BREAKS: Final = (b"\n", b"\r")


def _mask(members: bytes) -> bytes:
    return b"".join(b"t" if byte in members else b" " for byte in range(256))


_LINES: Final = _mask(_OF_RUN)
_LINE: Final = b"t" * LINE
_BASE32_LINE: Final = b"t" * BASE32_LINE
# What a decoded byte can be: text by itself, the first byte of a character of 2, 3 or 4 bytes, one that continues it.
_KINDS: Final = {
    b"t": (*b"\t\n\r", *range(0x20, 0x7F)),
    b"c": range(0x80, 0xC0),
    b"2": range(0xC2, 0xE0),
    b"3": range(0xE0, 0xF0),
    b"4": range(0xF0, 0xF5),
}
_KIND_OF: Final = b"".join(
    next((kind for kind, members in _KINDS.items() if byte in members), b" ") for byte in range(256)
)
_CHARACTERS: Final = ((b"2c", b"tt"), (b"3cc", b"ttt"), (b"4ccc", b"tttt"))
_STRAY: Final = bytes.maketrans(b"c234", b"    ")

_BEGIN: Final = itemgetter(0)  # of a piece

# What may still become a stretch, or more of one: a character less than STRETCH, most of another, and the bits of most
# of a byte. In hexadecimal, with four bytes for each, they are 47 characters.
_OPEN_CHARACTERS: Final = 48
_PENDING_BITS: Final = 4 * 8


def _hexadecimal(joined: bytes, members: bytes, budget: Budget) -> Iterator[tuple[int, int, bytes]]:
    """Give what the hexadecimal runs decode to: the first bit of it in `joined`, the bits of a character, the bytes."""
    for start, end in _spans(members, _LINE):
        budget.decode(end - start)
        for place in (start, start + 1):
            yield 4 * place, 4, a2b_hex(joined[place : end - (end - place) % 2])


def _base32(joined: bytes, members: bytes, budget: Budget) -> Iterator[tuple[int, int, bytes]]:
    """Give what the base32 runs decode to, in the same way."""
    for start, end in _spans(members, _BASE32_LINE):
        budget.decode(5 * (end - start))
        value = int(joined[start:end].translate(_DIGITS), 32)
        for place in range(8):
            whole, rest = divmod(5 * (end - start) - place, 8)
            yield 5 * start + place, 5, (value >> rest).to_bytes(whole + 1, "big")[1:]


def _spans(mask: bytes, least: bytes) -> Iterator[tuple[int, int]]:
    """Give the spans of the members of a mask, which are at least as many as in `least`."""
    at = mask.find(least)
    while at >= 0:
        end = mask.find(b" ", at)
        end = len(mask) if end < 0 else end
        yield at, end
        at = mask.find(least, end)


_OTHERS: Final = (
    (_mask(b"0123456789ABCDEFabcdef"), _LINE, _hexadecimal),
    (_mask(_BASE32), _BASE32_LINE, _base32),
    (_mask(_BASE32.lower()), _BASE32_LINE, _base32),
)


class _Runs:
    """The runs of one text: put together in `joined`, and where each line of them was."""

    __slots__ = ("_ends", "_in_joined", "_in_source", "_starts", "joined", "open_end")

    def __init__(self, data: bytes, since: int) -> None:
        """Take the runs of `data` that end behind `since`."""
        self._starts: list[int] = []  # of runs, in `joined`
        self._ends: list[int] = []
        self._in_joined: list[int] = []  # of lines
        self._in_source: list[int] = []
        parts: list[bytes] = [_SEPARATOR]
        length = len(_SEPARATOR)
        mask = data.translate(_LINES) + b" "
        end = 0
        while (start := mask.find(_LINE, end)) >= 0:
            end = mask.find(b" ", start)
            lines = _lines(data, mask, start, end) if data[end : end + 1] in _BREAKS else [(start, end)]
            end = lines[-1][1]
            if end > since:
                self._starts.append(length)
                for start, stop in lines:
                    self._in_joined.append(length)
                    self._in_source.append(start)
                    parts.append(data[start:stop])
                    length += stop - start
                self._ends.append(length)
                parts.append(_SEPARATOR)
                length += len(_SEPARATOR)
        parts.append(_SEPARATOR[: -length % 4])  # whole groups
        self.joined = b"".join(parts).translate(_URL_SAFE) if self._starts else b""
        # Where the run ends, in `joined`, that goes on if the text does; none does at 0.
        goes_on = self._starts and (end == len(data) or _BREAK_BEFORE.match(data, end))
        self.open_end = self._ends[-1] if goes_on else 0

    def around(self, at: int) -> tuple[int, int]:
        """Give where the run begins and ends that has the character at `at`; an empty one if that is of none."""
        run = bisect_right(self._starts, at) - 1
        return (self._starts[run], self._ends[run]) if run >= 0 and at < self._ends[run] else (at, at)

    def source(self, at: int) -> int:
        """Give where in the text the character stands that is at `at` in `joined`."""
        line = bisect_right(self._in_joined, at) - 1
        return self._in_source[line] + at - self._in_joined[line]


def _lines(data: bytes, mask: bytes, start: int, end: int) -> list[tuple[int, int]]:
    """Give the spans of the lines of the run whose first line is from start to end."""
    lines = [(start, end)]
    while end - start >= LINE and (join := _BREAK.match(data, end)):
        start = join.end()
        end = mask.find(b" ", start)
        if start == end:
            break
        lines.append((start, end))
    return lines


# By the bits of a character.
_ENCODING_OF: Final = {6: "base64", 5: "base32", 4: "hex"}


class Stretch:
    """The view of one stretch of text that a run decodes to. It never changes."""

    __slots__ = ("_bits", "_copy", "_decoded", "_first", "_runs", "continues", "data", "source")

    def __init__(self, source: Scanned, runs: _Runs, text: str, first: int, bits: int, *, continues: bool) -> None:
        self.source = source
        self.continues = continues
        self._runs = runs
        self._first = first  # of its bits among those of all runs
        self._bits = bits  # of a character
        self._copy = ScanCopy(text)
        self._decoded: array[int] | None = None
        self.data = self._copy.data

    @property
    def encoding(self) -> str:
        return _ENCODING_OF[self._bits]

    def original(self, start: int, end: int) -> tuple[int, int]:
        start, end = self._copy.original(start, end)
        if not self._copy.text.isascii():
            if self._decoded is None:
                self._decoded = array("I", accumulate(map(_width, self._copy.text), initial=0))
            start, end = self._decoded[start], self._decoded[end]
        first = self._runs.source((self._first + start * 8) // self._bits)
        last = self._runs.source((self._first + end * 8 - 1) // self._bits)
        return self.source.original(first, last + 1)


def _width(character: str) -> int:
    """Give how many bytes were decoded to this character; a byte that only looks like UTF-8 is one by itself."""
    return len(character.encode("utf-8", "surrogateescape"))


def stretches(source: Scanned, budget: Budget, *, since: int = 0) -> Iterator[Stretch]:
    """Give the views of what the runs decode to that end behind `since`. Raises DecodingSpent."""
    if len(source.data) < LINE:
        return
    runs = _Runs(source.data, since)
    joined = runs.joined
    if not joined:
        return
    budget.decode(3 * len(joined))
    whole = b"".join((joined, joined[1:], b"/", joined[2:], b"//", joined[3:], b"///"))
    parts = [a2b_base64(whole)]
    length = len(parts[0])
    # Of each piece of what is decoded: where it begins, which bit of `joined` is its first, the bits of a character.
    pieces = [(length // 4 * place, 6 * place, 6) for place in range(4)]
    for mask, least, decode in _OTHERS:
        if least in (members := joined.translate(mask)):
            for first, bits, piece in decode(joined, members, budget):
                pieces.append((length + 1, first, bits))
                parts += (b"\0", piece)
                length += 1 + len(piece)
    decoded = b"".join(parts)
    mask = decoded.translate(_KIND_OF)
    for character, as_text in _CHARACTERS:
        mask = mask.replace(character, as_text)
    for start, end in _spans(mask.translate(_STRAY), b"t" * STRETCH):
        begin, bit, bits = pieces[bisect_right(pieces, start, key=_BEGIN) - 1]
        first, last = bit + 8 * (start - begin), bit + 8 * (end - begin)
        # The first and the last byte, no others, can be in part of the separator.
        run_start, run_end = runs.around((first + 8) // bits)
        before, behind = first < run_start * bits, last > run_end * bits
        text = decoded[start + before : end - behind].decode("utf-8", "surrogateescape")
        if len(text) >= STRETCH:
            continues = run_end == runs.open_end and run_end * bits - last + 8 * behind < _PENDING_BITS
            yield Stretch(source, runs, text, first + 8 * before, bits, continues=continues)


def ends_in_run(data: bytes) -> bool:
    """Whether a run of at least LINE characters reaches the end of `data`."""
    return len(data) >= LINE and not data[-LINE:].rstrip(_OF_RUN)


def open_run(data: bytes) -> int:
    """Give where the end of `data` begins that may still become part of a run or of its text; its length if none."""
    at = len(data)
    missing = _OPEN_CHARACTERS
    while True:
        line = data[max(0, at - missing) : at]
        count = len(line) - len(line.rstrip(_OF_RUN))
        missing -= count
        at -= count
        near = data[max(0, at - _BREAK_BYTES) : at]
        if not missing or (b"\n" not in near and b"\r" not in near):
            return at
        before = _BREAK_BEFORE.search(data, max(0, at - _BREAK_BYTES), at)
        if before is None:
            return at
        line = data[max(0, before.start() - LINE) : before.start()]
        if len(line) < LINE or line.strip(_OF_RUN):
            return at
        at = before.start()
