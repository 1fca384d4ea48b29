# SPDX-License-Identifier: Apache-2.0
r"""The unescaped view: a text with its URL, HTML, JSON, JavaScript, Python and C escapes resolved.

Theory. An escape begins with `%`, `&` or backslashes, and none of these occurs in the rest of one. So two escapes never
overlap, and wherever reading begins, all that begin behind that place are read alike.

How many backslashes stand before an escape says how often a text was escaped, and whether it is one at all. A reader
who comes into the middle of a text cannot count them, and whoever hides something writes as many as he likes: a run of
backslashes is one backslash, and what follows a run is an escape. Text that means its backslashes is scanned too, in
what this is a view of.

Bytes beyond ASCII that are escaped one by one are joined where they are UTF-8, and become U+FFFD where they are not.
What is escaped is folded like what is not.
"""

import re
import sys
from array import array
from bisect import bisect_right
from html.entities import html5
from typing import Final

from policies.scanning.budget import Budget
from policies.scanning.copy import Scanned
from policies.scanning.fold import folded

# Escapes are found by their first character, in C; what may follow depends on it, and `(?<=…)` says which it was.
# Repetitions of backslashes are possessive, so that a long run is not tried in parts.
_DIGIT: Final = "[0-9A-Fa-f]"
_BYTE: Final = r"(?:(?<=%)|(?<=\\)\\*+x)"  # what stands between the first character and the digits of a byte
_NEXT: Final = rf"(?:%|\\{{1,4}}+x)[89ABab]{_DIGIT}"  # a byte that continues a character of UTF-8
_LETTERS: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b'"': b'"', b"'": b"'", b"/": b"/", b"`": b"`", b"\\": b"\\"}
_ESCAPE: Final = re.compile(
    rf"""([%&\\](?:
      {_BYTE}(?:[CDcd]{_DIGIT}{_NEXT} | [Ee]{_DIGIT}(?:{_NEXT}){{2}} | [Ff][0-4](?:{_NEXT}){{3}} | {_DIGIT}{{2}})
    | (?<=&)(?:\#(?:[0-9]{{1,23}}|[Xx]{_DIGIT}{{1,22}});? | [A-Za-z][A-Za-z0-9]{{1,31}};)
    | (?<=\\)\\*+(?:u[Dd][89ABab]{_DIGIT}{{2}}\\{{1,4}}+u[Dd][C-Fc-f]{_DIGIT}{{2}}
                  | u{_DIGIT}{{4}} | U{_DIGIT}{{8}} | [ux]\{{{_DIGIT}{{1,6}}\}} | [01][0-7]{{2}} | [nrt"'/`] | )
    ))""".encode(),
    re.VERBOSE,
)
_MARKS: Final = (b"%", b"&", b"\\")
# Where marks are rarer than this, each is looked for by itself, in C.
_BYTES_A_MARK: Final = 64
_HEXADECIMAL: Final = re.compile(rb"[0-9A-Fa-f]+")
# The end of a text that may still become an escape, or become more of one.
_OPEN: Final = re.compile(rb"(?:(?:%|\\++[uUx]?)\{?[0-9A-Fa-f]{0,7}){1,4}\Z|&#?[A-Za-z0-9]{0,32}\Z")
_OPEN_BYTES: Final = 64
# As far as what stands before a finding counts, in bytes.
_CONTEXT_BYTES: Final = 256

# Their match in a text tells that it has escapes. A backslash alone, or before any letter, is none.
EXPRESSIONS: Final = (
    r"%[0-9A-Fa-f][0-9A-Fa-f]",
    r"&#[xX]?[0-9A-Fa-f]",
    r"&[A-Za-z][A-Za-z0-9]{1,31};",
    r"\\[uUx][0-9A-Fa-f{]",
    r"\\[01][0-7][0-7]",
    r"\\[\\nrt\"'/`]",
)


def _character(code_point: int) -> bytes:
    return folded(chr(code_point) if code_point <= sys.maxunicode else "\ufffd").encode()


def _value(escape: bytes) -> bytes:
    """Give what an escape stands for."""
    if escape[:1] == b"&":
        if escape[1:2] != b"#":
            return folded(html5.get(escape[1:].decode(), escape.decode())).encode()
        digits = escape[2:].rstrip(b";")
        return _character(int(digits[1:], 16) if digits[:1] in b"xX" else int(digits))
    marked = escape.lstrip(b"\\")
    kind = marked[:1]
    if kind in _LETTERS or not kind:
        return _LETTERS[kind or b"\\"]
    if kind in b"01":
        return _character(int(marked, 8))
    if kind in b"%x" and marked[1:2] != b"{":
        read = bytes.fromhex("".join(digits.decode() for digits in _HEXADECIMAL.findall(marked)))
        return folded(read.decode("utf-8", "replace")).encode()
    first, *second = [int(digits, 16) for digits in _HEXADECIMAL.findall(marked)]
    # Two are the halves of a surrogate pair.
    return _character(0x10000 + (first - 0xD800) * 0x400 + second[0] - 0xDC00 if second else first)


class _Values(dict[bytes, bytes]):
    """What escapes stand for, found out when one is first met."""

    MOST: Final = 4_096
    LONGEST: Final = 16

    def __missing__(self, escape: bytes) -> bytes:
        value = _value(escape)
        if len(escape) <= self.LONGEST and len(self) < self.MOST:
            self[escape] = value
        return value


_VALUES: Final = _Values()


class Unescaped:
    """The view of a copy, or of another view, with its escapes resolved. It never changes."""

    __slots__ = ("_first", "_table", "continues", "data", "source")

    def __init__(self, source: Scanned, data: bytes, first: int) -> None:
        """`first`: where the first escape is that is resolved."""
        self.source = source
        self.data = data
        self._first = first
        self.continues = source.continues
        self._table: tuple[array[int], array[int], array[int], array[int]] | None = None

    def original(self, start: int, end: int) -> tuple[int, int]:
        return self.source.original(self._source(start)[0], self._source(end - 1)[1])

    def _source(self, at: int) -> tuple[int, int]:
        """Give the bytes of the source, first and behind the last, that the byte at `at` stems from."""
        if self._table is None:
            self._table = _escapes(self.source.data, self._first)
        begins, ends, source_begins, source_ends = self._table
        last = bisect_right(begins, at) - 1
        if last < 0:
            return at, at + 1
        if at < ends[last]:
            return source_begins[last], source_ends[last]
        offset = at - ends[last] + source_ends[last]
        return offset, offset + 1


def _escapes(data: bytes, first: int) -> "tuple[array[int], array[int], array[int], array[int]]":
    """Give of each escape from `first` on where it begins and ends, in the view and in what it is a view of."""
    table = begins, ends, source_begins, source_ends = array("I"), array("I"), array("I"), array("I")
    shorter = 0
    for escape in _ESCAPE.finditer(data, first):
        start, end = escape.span()
        value = _VALUES[escape.group()]
        begins.append(start - shorter)
        ends.append(start - shorter + len(value))
        shorter += end - start - len(value)
        source_begins.append(start)
        source_ends.append(end)
    return table


def has_marks(data: bytes) -> bool:
    """Whether there is a character that an escape begins with."""
    return b"%" in data or b"&" in data or b"\\" in data


def unescaped(source: Scanned, budget: Budget, *, since: int = 0, final: bool = True) -> Unescaped | None:
    """Give the view, if it differs from what it is a view of; only escapes that count for findings from `since` on do.

    Unless `final`, more text follows, and the view ends before what may still become an escape: what stands before that
    will go on with what it becomes. Raises DecodingSpent.
    """
    data = source.data
    if not has_marks(data):
        return None
    settled = len(data) if final or not source.continues else open_escape(data)
    first = _first(data, max(0, since - _CONTEXT_BYTES))
    if first is None and settled == len(data):
        return None
    if first is None or first >= settled:
        return Unescaped(source, data[:settled], settled)
    parts = _ESCAPE.split(data[first:settled])
    # What stands beside the escapes is the text itself, which was there before.
    budget.decode(sum(map(len, parts[1::2])))
    parts[1::2] = [_VALUES[escape] for escape in parts[1::2]]
    return Unescaped(source, data[:first] + b"".join(parts), first)


def _first(data: bytes, start: int) -> int | None:
    """Give where the first escape is that stands for anything else than itself."""
    if sum(data.count(mark) for mark in _MARKS) * _BYTES_A_MARK > len(data):
        found = (escape.start() for escape in _ESCAPE.finditer(data, start) if _VALUES[escape[0]] != escape[0])
        return next(found, None)
    end = len(data)
    for mark in _MARKS:
        at = data.find(mark, start, end)
        while at >= 0:
            escape = _ESCAPE.match(data, at)
            if escape and _VALUES[escape[0]] != escape[0]:
                end = at
                break
            at = data.find(mark, escape.end() if escape else at + 1, end)
    return end if end < len(data) else None


def open_escape(data: bytes) -> int:
    """Give where the end of `data` begins that may still become an escape, or more of one; its length if none."""
    tail = data[-_OPEN_BYTES:]
    if not has_marks(tail) or (found := _OPEN.search(tail)) is None:
        return len(data)
    at = len(data) - len(tail) + found.start()
    return len(data[:at].rstrip(b"\\")) if data[at : at + 1] == b"\\" else at
