# SPDX-License-Identifier: Apache-2.0
"""The entries of an archive, one pass: in order, hashed, grown into the tree, and shown to completeness."""

import hashlib
from collections.abc import Iterable
from typing import Final

from controlplane.audit.archive_reading import EntryLine, PartMalformed, parse_entry_line, parse_json
from controlplane.audit.archive_report import Problems
from controlplane.audit.completeness import Completeness
from controlplane.audit.frontier import Frontier
from controlplane.audit.hashes import leaf_hash

# Whoever has so many is told enough; reading on would only take as long as a hostile archive likes.
MAX_PROBLEMS: Final = 10_000
_HASHES_AT_ONCE: Final = 4096


class TooManyProblems(Exception):
    """Reading on would tell nothing more."""


class EntriesPass:
    """Takes the lines of the range from `first` to before `end`, and remembers the roots at the `wanted` sizes.

    The tree grows by the hashes that lines state, and an entry whose envelope has another is an altered one: where the
    stated hashes lead to the signed root, it is known which entries were altered.
    """

    def __init__(
        self,
        *,
        first: int,
        end: int,
        start: Frontier | None,
        wanted: Iterable[int],
        problems: Problems,
        completeness: Completeness,
    ) -> None:
        self.count = 0
        self.dropped = 0
        self.altered = 0
        self.roots: dict[int, bytes] = {}
        self.whole = True
        self._next = first
        self._end = end
        self._frontier = start
        self._wanted = sorted({size for size in wanted if first <= size <= end}, reverse=True)
        self._hashes: list[bytes] = []
        self._problems = problems
        self._completeness = completeness
        self._note_roots()

    def take(self, line: bytes) -> None:
        """Read one line. Raises TooManyProblems where there is no use in going on."""
        if self._problems.count >= MAX_PROBLEMS:
            raise TooManyProblems
        try:
            entry = parse_entry_line(line)
        except PartMalformed as exc:
            self._break(f"a line of it cannot be read: {exc}", self._next)
            return
        if entry.index != self._next:
            self._misplaced(entry.index)
            if entry.index < self._next or entry.index >= self._end:
                return
        elif entry.index >= self._end:
            self._break("it stands behind the end of the range", entry.index)
            return
        self._next = entry.index + 1
        self.count += 1
        self._hash(entry)

    def finish(self) -> Frontier | None:
        """Return the frontier behind the range, or None where there are entries of which the hash is not known."""
        if self._next != self._end:
            self._break(f"entries {self._next}-{self._end - 1} are missing at the end", self._next)
        self._grow()
        return self._frontier if self.whole else None

    def _misplaced(self, index: int) -> None:
        if index >= self._end:
            self._break("it stands behind the end of the range", index)
        elif index > self._next:
            text = f"{self._next}" if index == self._next + 1 else f"{self._next}-{index - 1}"
            self._break(f"missing before it: {text}", index)
        else:
            self._break("it stands twice, or not in its place", index)

    def _hash(self, entry: EntryLine) -> None:
        if entry.envelope is None:
            self.dropped += 1
            found = entry.stated or b""  # a line without envelope states a hash, or was refused
            self._completeness.drop(entry.index)
        else:
            found = leaf_hash(entry.envelope)
            members = self._members(entry.envelope)
            self._completeness.add(members)
            if entry.stated not in (None, found):
                self.altered += 1
                self._problems.add("it was altered: it does not have the hash that it has in the log", entry.index)
                found = entry.stated or b""
            if entry.payload is not None:
                self._compare_payload(entry.index, entry.payload, members)
        self._hashes.append(found)
        if len(self._hashes) == _HASHES_AT_ONCE or (self._wanted and self._wanted[-1] == self._next):
            self._grow()

    def _members(self, envelope: bytes) -> object:
        try:
            return parse_json(envelope)
        except PartMalformed:
            return None

    def _compare_payload(self, index: int, payload: bytes, members: object) -> None:
        stated = members.get("payload_digest") if isinstance(members, dict) else None
        if stated != "sha256:" + hashlib.sha256(payload).hexdigest():
            self._problems.add("its payload is not the one that its envelope names", index)

    def _grow(self) -> None:
        if self._frontier is not None and self.whole:
            self._frontier = self._frontier.append(self._hashes)
        self._hashes.clear()
        self._note_roots()

    def _note_roots(self) -> None:
        if self._frontier is not None and self.whole and self._wanted and self._wanted[-1] == self._frontier.size:
            self.roots[self._wanted.pop()] = self._frontier.root()

    def _break(self, text: str, index: int) -> None:
        """Note a problem after which the tree cannot be computed."""
        self.whole = False
        self._problems.add(text, index)
