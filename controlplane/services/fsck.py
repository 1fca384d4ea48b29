# SPDX-License-Identifier: Apache-2.0
"""Compare everything that is stored of a log with everything else that is stored of it, tile by tile.

What it reads: every envelope and every payload that is kept, every tile, the head, every checkpoint, how many numbers
of sources are known and how far the index goes. Memory is bounded: one tile, and the unfinished tiles above it.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import orjson

from controlplane.audit.frontier import Frontier, split
from controlplane.audit.hashes import leaf_hash
from controlplane.audit.note_keys import VerifierKey
from controlplane.audit.tiles import MAX_LEVEL, TILE_WIDTH, append, tile_width
from controlplane.services.checkpoints import SignedCheckpoint
from controlplane.services.log_state import LogAltered, check_signed
from controlplane.services.payload_state import PayloadState
from controlplane.services.ports import Session
from controlplane.services.records import LogEntry, TileMissing

_PAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that does not fit. `place` is an entry, a tile, a checkpoint or a count."""

    place: str
    problem: str


class LogCheck:
    """One pass over the log of `tenant`, in one transaction. `key` is None where no signature is to be checked."""

    def __init__(self, session: Session, tenant: str, key: VerifierKey | None) -> None:
        self._session = session
        self._tenant = tenant
        self._key = key
        self._frontier = Frontier()
        self._above: dict[tuple[int, int], bytes] = {}
        self._numbered = 0
        self.head = session.log.head(tenant)

    def run(self, told: Callable[[int], None]) -> Iterator[Finding]:
        """Yield what does not fit; tell how many entries were read, now and then."""
        checkpoints = self._checkpoints()
        upcoming = next(checkpoints, None)
        for number in range(-(-self.head.size // TILE_WIDTH)):
            first, width = number * TILE_WIDTH, tile_width(self.head.size, 0, number)
            leaves = self._tile(0, number, width)
            if leaves is None:
                yield Finding(place=f"tile 0/{number}", problem="is missing or too short, and hides what is behind")
                return
            yield from self._entries(first, list(split(leaves)))
            at = 0
            hashes = list(split(leaves))
            while upcoming is not None and upcoming.size <= first + width:
                yield from self._grow(hashes[at : upcoming.size - first])
                at = max(at, upcoming.size - first)
                yield from self._signed(upcoming)
                upcoming = next(checkpoints, None)
            yield from self._grow(hashes[at:])
            told(width)
        yield from self._end(upcoming)

    def _end(self, upcoming: SignedCheckpoint | None) -> Iterator[Finding]:
        if upcoming is not None and upcoming.size == 0:
            yield from self._signed(upcoming)
        elif upcoming is not None:
            yield Finding(
                place=f"checkpoint {upcoming.size}", problem=f"was signed, and the log has {self.head.size} entries"
            )
        for level, number in list(self._above):
            yield from self._compare(level, number)
        if self._frontier.root() != self.head.root:
            yield Finding(place="head", problem="has another root than the leaf hashes give")
        census = self._session.census.of(self._tenant)
        if census.numbered != self._numbered and not self._dropped():
            yield Finding(
                place="runs", problem=f"know {census.numbered} numbers of sources, the entries have {self._numbered}"
            )
        if census.indexed != self.head.size:
            yield Finding(place="index", problem=f"goes to {census.indexed}, the log to {self.head.size}")

    def _dropped(self) -> bool:
        first = self._session.log.entry(self._tenant, 0)
        return first is not None and first.envelope is None

    def _entries(self, first: int, leaves: list[bytes]) -> Iterator[Finding]:
        missing = False
        for entry in self._read(first, first + len(leaves)):
            if isinstance(entry, Finding):
                yield entry
                continue
            place = f"entry {entry.log_index}"
            if entry.envelope is None:
                missing = True
                continue
            if leaf_hash(entry.envelope) != leaves[entry.log_index - first]:
                yield Finding(place=place, problem="is not what was appended: its hash differs from the tree's")
                continue
            members = orjson.loads(entry.envelope)
            self._numbered += members.get("source") is not None
            problem = _payload_problem(entry, members.get("payload_digest"))
            if problem is not None:
                yield Finding(place=place, problem=problem)
        if missing:
            yield from self._missing(first, first + len(leaves))

    def _read(self, first: int, end: int) -> Iterator[LogEntry | Finding]:
        """Yield the entries; where one cannot even be read, the others one by one."""
        try:
            yield from list(self._session.log.entries(self._tenant, first, end - 1))
        except (ValueError, LookupError, TypeError):
            for index in range(first, end):
                try:
                    entry = self._session.log.entry(self._tenant, index)
                except (ValueError, LookupError, TypeError) as exc:
                    yield Finding(place=f"entry {index}", problem=f"cannot be read ({type(exc).__name__})")
                else:
                    if entry is not None:
                        yield entry

    def _missing(self, first: int, end: int) -> Iterator[Finding]:
        """Retention drops whole days: of a day that has an entry in this tile, none may be missing in it."""
        for day in self._session.log.days(self._tenant):
            begin, until = max(first, day.first_index), min(end, day.end_index)
            if begin >= until:
                continue
            entries = list(self._session.log.entries(self._tenant, begin, until - 1))
            missing = [entry.log_index for entry in entries if entry.envelope is None]
            if missing and (len(missing) < len(entries) or day.end_index == self.head.size):
                yield Finding(place=f"entry {missing[0]}", problem=f"is missing, with {len(missing) - 1} more")

    def _grow(self, leaves: list[bytes]) -> Iterator[Finding]:
        appended = append(self._frontier, leaves)
        self._frontier = appended.frontier
        for update in appended.updates:
            if update.level == 0:
                continue
            place = (update.level, update.number)
            self._above[place] = self._above.get(place, b"") + update.hashes
            if update.width == TILE_WIDTH:
                yield from self._compare(*place)

    def _compare(self, level: int, number: int) -> Iterator[Finding]:
        wanted = self._above.pop((level, number))
        if level <= MAX_LEVEL and self._tile(level, number, len(wanted) // 32) != wanted:
            yield Finding(place=f"tile {level}/{number}", problem="is not what the tiles below give")

    def _tile(self, level: int, number: int, width: int) -> bytes | None:
        try:
            return self._session.log.tile(self._tenant, level, number, width)
        except TileMissing:
            return None

    def _checkpoints(self) -> Iterator[SignedCheckpoint]:
        after: int | None = None
        while True:
            page = self._session.checkpoints.page(self._tenant, after=after, limit=_PAGE)
            yield from page.items
            if page.next_key is None:
                return
            after = int(page.next_key)

    def _signed(self, checkpoint: SignedCheckpoint) -> Iterator[Finding]:
        place = f"checkpoint {checkpoint.size}"
        if self._frontier.root() != checkpoint.root:
            yield Finding(place=place, problem="was signed for another root than the leaf hashes give")
        if self._key is not None:
            try:
                check_signed(checkpoint, self._key)
            except LogAltered as exc:
                yield Finding(place=place, problem=str(exc))


def _payload_problem(entry: LogEntry, digest: str | None) -> str | None:
    if entry.payload_state is PayloadState.UNREADABLE:
        return "has a payload that cannot be opened: it was altered, or its key is not in the key file"
    if entry.payload is not None and "sha256:" + hashlib.sha256(entry.payload).hexdigest() != digest:
        return "has a payload that is not the one its envelope names"
    return None
