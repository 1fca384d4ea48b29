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
from typing import Final

from policies.scanning.budget import Budget
from policies.scanning.copy import ScanCopy, Scanned

LINE: Final = 16
BASE32_LINE: Final = 24
STRETCH: Final = 6

_BASE64: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_BASE32: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_DIGITS: Final = b"0123456789abcdefghijklmnopqrstuv"  # of base 32 as `int` reads it
_OF_RUN: Final = _BASE64 + b"-_"
_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")
# Not of base32 nor hexadecimal; decodes to bytes that are in no UTF-8. Longer than any group.
_SEPARATOR: Final = b"/" * 8

_BREAK: Final = re.compile(rb"\r?\n[ \t]{0,24}")
_BREAK_BEFORE: Final = re.compile(rb"(?:\r|\r?\n[ \t]{0,24})\Z")
_BREAK_BYTES: Final = 26


def _mask(members: bytes) -> bytes:
    return b"".join(b"t" if byte in members else b" " for byte in range(256))


_LINES: Final = _mask(_OF_RUN)
_HEXADECIMAL: Final = _mask(b"0123456789ABCDEFabcdef")
_BASE32_CASES: Final = tuple(
    (_mask(letters), bytes.maketrans(letters, _DIGITS)) for letters in (_BASE32, _BASE32.lower())
)

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

# What stands at the end of a text may be the beginning of a stretch: at most nine bytes without an anchor, three of a
# character, and the bits of one more. In base32 they are the most characters.
_OPEN_CHARACTERS: Final = 28
_PENDING_BITS: Final = 4 * 8


class _Runs:
    """The runs of one text: put together in `joined`, and where each line of them was."""

    __slots__ = ("_ends", "_in_joined", "_in_source", "_starts", "joined", "open_end")

    def __init__(self, data: bytes, since: int) -> None:
        self._starts: list[int] = []  # of runs, in `joined`
        self._ends: list[int] = []
        self._in_joined = array("I")  # of lines
        self._in_source = array("I")
        parts = [_SEPARATOR]
        at = len(_SEPARATOR)
        last = 0
        for run in _runs(data):
            last = run[-1][1]
            if last <= since:
                continue
            self._starts.append(at)
            for start, end in run:
                self._in_joined.append(at)
                self._in_source.append(start)
                parts.append(data[start:end])
                at += end - start
            self._ends.append(at)
            parts.append(_SEPARATOR)
            at += len(_SEPARATOR)
        self.joined = b"".join(parts).translate(_URL_SAFE) if self._starts else b""
        # Where the run ends, in `joined`, that goes on if the text does; none does at 0.
        goes_on = self._starts and (last == len(data) or _BREAK_BEFORE.match(data, last))
        self.open_end = self._ends[-1] if goes_on else 0

    def around(self, at: int) -> tuple[int, int]:
        """Give where the run begins and ends that has the character at `at`; an empty one if that is of none."""
        run = bisect_right(self._starts, at) - 1
        return (self._starts[run], self._ends[run]) if run >= 0 and at < self._ends[run] else (at, at)

    def source(self, at: int) -> int:
        """Give where in the text the character stands that is at `at` in `joined`."""
        line = bisect_right(self._in_joined, at) - 1
        return self._in_source[line] + at - self._in_joined[line]


def _runs(data: bytes) -> Iterator[list[tuple[int, int]]]:
    """Give each run as the spans of its lines."""
    mask = data.translate(_LINES) + b" "
    line = b"t" * LINE
    at = mask.find(line)
    while at >= 0:
        end = mask.find(b" ", at)
        run = [(at, end)]
        while end - at >= LINE and (join := _BREAK.match(data, end)):
            at = join.end()
            end = mask.find(b" ", at)
            if end == at:
                break
            run.append((at, end))
        yield run
        at = mask.find(line, end)


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
    """Give the views of what the runs decode to that end behind `since`. Raises BudgetSpent."""
    if len(source.data) < LINE:
        return
    runs = _Runs(source.data, since)
    joined = runs.joined
    if not joined:
        return
    budget.decode(3 * len(joined))
    pieces = [(6 * place, 6, a2b_base64(joined[place : len(joined) - (len(joined) - place) % 4])) for place in range(4)]
    pieces.extend(_hexadecimal(joined, budget))
    pieces.extend(_base32(joined, budget))
    # All at once, with a byte between that is no text.
    decoded = b"\0".join([piece for _, _, piece in pieces])
    mask = decoded.translate(_KIND_OF)
    for character, as_text in _CHARACTERS:
        mask = mask.replace(character, as_text)
    starts: list[int] = []
    for begin, stop in _spans(mask.translate(_STRAY), b"t" * STRETCH):
        starts = starts or list(accumulate((len(piece) + 1 for _, _, piece in pieces), initial=0))
        which = bisect_right(starts, begin) - 1
        first, bits, piece = pieces[which]
        start, end = begin - starts[which], stop - starts[which]
        # Only the first and the last byte can be in part of the separator.
        run_start, run_end = runs.around((first + 8 * start + 8) // bits)
        start += first + 8 * start < run_start * bits
        end -= first + 8 * end > run_end * bits
        text = piece[start:end].decode("utf-8", "surrogateescape")
        if len(text) >= STRETCH:
            continues = run_end == runs.open_end and run_end * bits - first - 8 * end < _PENDING_BITS
            yield Stretch(source, runs, text, first + 8 * start, bits, continues=continues)


def _hexadecimal(joined: bytes, budget: Budget) -> Iterator[tuple[int, int, bytes]]:
    """Give what the hexadecimal runs decode to: its first bit in `joined`, the bits of a character, the bytes."""
    for start, end in _spans(joined.translate(_HEXADECIMAL), b"t" * LINE):
        budget.decode(end - start)
        for place in (start, start + 1):
            yield 4 * place, 4, a2b_hex(joined[place : end - (end - place) % 2])


def _base32(joined: bytes, budget: Budget) -> Iterator[tuple[int, int, bytes]]:
    for mask, digits in _BASE32_CASES:
        for start, end in _spans(joined.translate(mask), b"t" * BASE32_LINE):
            budget.decode(5 * (end - start))
            value = int(joined[start:end].translate(digits), 32)
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


def open_run(data: bytes) -> int:
    """Give where the end of `data` begins that may still become part of a run or of its text; its length if none."""
    at = len(data)
    missing = _OPEN_CHARACTERS
    while missing:
        line = data[max(0, at - missing) : at]
        count = len(line) - len(line.rstrip(_OF_RUN))
        missing -= count
        at -= count
        before = _BREAK_BEFORE.search(data, max(0, at - _BREAK_BYTES), at)
        if not before or data[max(0, before.start() - LINE) : before.start()].strip(_OF_RUN) or before.start() < LINE:
            break
        at = before.start()
    return at
