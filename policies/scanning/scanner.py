# SPDX-License-Identifier: Apache-2.0
"""Finds where the patterns of a snapshot match, all at once and in time that grows with the text alone.

Conventions: `data` is the bytes of a scan copy. A form looks at one character beside a match; where the text begins or
ends there is none, and a line feed stands for it, which touches nothing.
"""

import contextlib
import threading
from collections.abc import Callable, Collection
from typing import Final, TypeAlias

import hyperscan

from policies.scanning.databases import MAX_MATCH_BYTES, Databases
from policies.scanning.literals import LiteralScanner
from policies.scanning.source import CannotScan

_EDGE: Final = b"\n"

End: TypeAlias = tuple[int, int]
_Note: TypeAlias = Callable[[int, int, int, int, object], bool | None]


class Scanner:
    """Immutable, and safe to be asked by several threads. Patterns are named by their number in what was compiled."""

    __slots__ = ("_ends", "_literals", "_lock", "_longest", "_openings", "_starts", "_widths")

    def __init__(self, databases: Databases) -> None:
        """Raises CannotScan where the databases are not of this version of hyperscan or this kind of processor."""
        self._ends = _loaded(databases.ends)
        self._starts = _loaded(databases.starts)
        self._openings = _loaded(databases.openings)
        self._literals = LiteralScanner(databases.literals) if databases.literals.literals else None
        self._widths = databases.widths
        self._longest = databases.longest
        self._lock = threading.Lock()  # a database works in a memory of its own

    def ends(self, data: bytes, *, begun: bool = False, final: bool = True, most: int | None = None) -> Collection[End]:
        """Return pairs of a pattern's number and an offset where a match of it ends, in order of the offsets.

        `begun`: something stands before `data`, and its first byte belongs to that. Unless `final`, something follows,
        and a match that nothing stands behind yet is not told. Not more than `most` pairs are returned.
        """
        database, literals = self._ends, self._literals
        found: list[End] = []
        before = 1 if begun else 2
        limit = len(data) * 64 + 64 if most is None else most

        def note(number: int, _start: int, end: int, _flags: int, _context: object) -> bool:
            found.append((number, end - before))
            return len(found) >= limit

        scanned = data if begun else _EDGE + data
        with self._lock:
            if database is not None:
                _scan(database, scanned + _EDGE if final else scanned, note)
            if literals is not None and len(found) < limit and (texts := literals.ends(data, begun=begun, final=final)):
                found = sorted(found + texts, key=_offset)[:limit]
        return found

    def starts(self, data: bytes, end: int, numbers: Collection[int]) -> Collection[End]:
        """Return pairs of one of `numbers` and an offset where a match of that pattern begins that ends at `end`."""
        known = [(number, end - width) for number in numbers if (width := self._widths[number])]
        if len(known) == len(numbers) or self._starts is None:
            return known
        wanted = frozenset(numbers)
        reach = max(self._longest[number] for number in wanted) + 1  # and what stands before the match

        def note(number: int, _start: int, to: int, _flags: int, _context: object) -> bool:
            if number in wanted:
                known.append((number, end - to + 1))
            return False

        with self._lock:
            _scan(self._starts, _turned(data[max(0, end - reach) : end]), note)
        return known

    def opening(self, data: bytes) -> int:
        """Return the offset from which on the end of `data` may be the beginning of a match; its length if none is."""
        database, literals = self._openings, self._literals
        longest = 1

        def note(_number: int, _start: int, to: int, _flags: int, _context: object) -> bool:
            nonlocal longest
            longest = to  # they come in order
            return False

        with self._lock:
            if database is not None:
                _scan(database, _turned(data[-MAX_MATCH_BYTES:]), note)
            first = len(data) - longest + 1
            return first if literals is None else min(first, literals.opening(data))


def _loaded(serialised: bytes) -> hyperscan.Database | None:
    if not serialised:
        return None
    try:
        database = hyperscan.loadb(serialised, hyperscan.HS_MODE_BLOCK)
        database.scratch = hyperscan.Scratch(database)
    except hyperscan.error as exc:
        raise CannotScan(str(exc)) from exc
    return database


def _offset(end: End) -> int:
    return end[1]


def _turned(data: bytes) -> bytes:
    return data[::-1] + _EDGE


def _scan(database: hyperscan.Database, data: bytes, note: _Note) -> None:
    with contextlib.suppress(hyperscan.ScanTerminated):  # `note` has seen enough
        database.scan(data, match_event_handler=note)
