# SPDX-License-Identifier: Apache-2.0
"""Find decisions: bitmaps say where one may be, its record says whether it is one.

Theory: the log is walked chunk by chunk in the order asked for. Chunks whose times are all outside the question are
left out. In the others the bitmaps of a member's alternatives are united and those of different members intersected,
the member that left least first, and whatever is left is compared with its record, so that an answer is exact however
coarse the index is. What one page may cost is counted: when it is used up, the page ends where the walk is, with fewer
items than asked for, and the next page goes on from there.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection

from controlplane.services.decision_filter import DecisionFilter
from controlplane.store.bitmaps import members
from controlplane.store.bulk import rows, rows_of
from controlplane.store.candidates import Source, Sources, bits_of
from controlplane.store.columns import microseconds
from controlplane.store.index_geometry import Geometry
from controlplane.store.lookup import Boot, Lookup

# What a page may cost, in bitmaps read: some ten milliseconds each for bitmaps and for comparing.
WORK: Final = 8_000
WORK_OF_A_CANDIDATE: Final = 8
_WORK_OF_TIMES: Final = 200
# Chunks looked at together: few at first, since a page is often full soon; each time nothing is found, twice as many.
_FIRST_WINDOW: Final = 16
_LARGEST_WINDOW: Final = 512
# Chunks of a walk that are known at once: 67 million indexes, 100 KB.
_MOST_CHUNKS: Final = 16_384
_LARGEST_SLICE: Final = 256
# With fewer candidates in a chunk it is cheaper to look at their rows than to ask the database for the chunk's times.
_FEW: Final = 32


@dataclass(slots=True)
class Hit:
    """A decision that was asked for: where its records are, as far as the log went, and what the last one says.

    Not frozen, which would take three times as long.
    """

    log_index: int
    request_id: str
    admission_index: int | None
    terminal_index: int | None
    members: Mapping[str, Any] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Hits:
    """`at` is the index from which the walk goes on; None where it came to its end."""

    found: tuple[Hit, ...]
    at: int | None


class DecisionQuery:
    """One question to the index of `tenant`, at size `as_of` of the log."""

    def __init__(
        self,
        connection: Connection,
        tenant: str,
        wanted: DecisionFilter,
        *,
        as_of: int,
        descending: bool,
        geometry: Geometry,
        work: int = WORK,
    ) -> None:
        self._connection = connection
        self._tenant = tenant
        self._wanted = wanted
        self._as_of = as_of
        self._descending = descending
        self._geometry = geometry
        self._left = work
        self._is_timed = wanted.since is not None or wanted.until is not None
        self._lookup = Lookup(connection, tenant, geometry)
        self._gaps: frozenset[Boot] = (
            frozenset() if wanted.has_gap is None else self._lookup.boots_with_gaps(as_of=as_of)
        )

    def run(self, *, after: int | None, limit: int) -> Hits:
        """Return at most `limit` decisions that come after the index `after`."""
        first, last = 0, self._as_of - 1
        if after is not None:
            first, last = (first, min(last, after - 1)) if self._descending else (after + 1, last)
        if self._wanted.request_ids or self._wanted.record_ids:
            return self._run_among(self._lookup.decisions(self._wanted, as_of=self._as_of), first, last, limit)
        found: list[Hit] = []
        sources = Sources(self._connection, self._tenant, self._geometry).of(
            self._wanted, gaps=self._gaps, as_of=self._as_of
        )
        chunks = self._chunks(first, last)
        size, at = _FIRST_WINDOW, 0
        while at < len(chunks):
            window = chunks[at : at + size]
            bits = self._candidates(sources, window, first, last)
            for some in self._slices(bits, limit):
                found += self._compared(some)[: limit - len(found)]
                if len(found) == limit:
                    return Hits(tuple(found), found[-1].log_index)
                if self._left <= 0:
                    return Hits(tuple(found), some[-1])
            at += len(window)
            if self._left <= 0:
                return Hits(tuple(found), self._edge(window[-1]))
            # Comparing the times of a chunk costs more than its bitmaps: where times are asked for, windows stay small.
            size = size if self._is_timed else min(size * 2, _LARGEST_WINDOW)
        return Hits(tuple(found), self._edge(chunks[-1]) if len(chunks) == _MOST_CHUNKS else None)

    def _run_among(self, indexes: Iterable[int], first: int, last: int, limit: int) -> Hits:
        some = sorted((index for index in indexes if first <= index <= last), reverse=self._descending)
        found = self._compared(some)[:limit]
        return Hits(tuple(found), found[-1].log_index if len(found) == limit else None)

    def _edge(self, chunk: int) -> int:
        """Return the index after which the walk goes on when `chunk` is done."""
        return chunk * self._geometry.chunk + (0 if self._descending else self._geometry.chunk - 1)

    def _chunks(self, first: int, last: int) -> list[int]:
        """Return the chunks that may have what is asked for, in order."""
        if first > last:
            return []
        condition, bound = "", []
        if self._wanted.since is not None:
            condition += " AND last_at >= ?"
            bound.append(microseconds(self._wanted.since))
        if self._wanted.until is not None:
            condition += " AND first_at < ?"
            bound.append(microseconds(self._wanted.until))
        order = "DESC" if self._descending else "ASC"
        statement = (
            f"SELECT chunk FROM decision_zones WHERE tenant = ? AND chunk BETWEEN ? AND ?{condition} "  # noqa: S608  # of our own words
            f"ORDER BY chunk {order} LIMIT {_MOST_CHUNKS}"
        )
        length = self._geometry.chunk
        return [
            row.chunk
            for row in rows(self._connection, statement, self._tenant, first // length, last // length, *bound)
        ]

    def _candidates(self, sources: list[Source], window: Sequence[int], first: int, last: int) -> dict[int, int]:
        """Return what satisfies all sources by chunk; `sources` are put into the order of what they left."""
        length = self._geometry.chunk
        live: dict[int, int] = dict.fromkeys(window, (1 << length) - 1)
        for chunk in {first // length, last // length} & live.keys():
            live[chunk] &= _between(first - chunk * length, last - chunk * length, length)
        counts = []
        for source in sources:
            if not live:
                counts.append(1 << 62)  # not asked, so nothing is known of it
                continue
            found, cost = source(min(live), max(live))
            self._left -= 1 + cost
            counts.append(sum(bits.bit_count() for bits in found.values()))
            live = {chunk: left for chunk, bits in live.items() if (left := bits & found.get(chunk, 0))}
        ranked = sorted(range(len(sources)), key=counts.__getitem__)
        sources[:] = [sources[rank] for rank in ranked]
        return {chunk: bits for chunk in window if (bits := self._in_time(chunk, live.get(chunk, 0)))}

    def _in_time(self, chunk: int, bits: int) -> int:
        since, until = self._wanted.since, self._wanted.until
        if bits.bit_count() <= _FEW or not self._is_timed:
            return bits
        earliest = -(1 << 62) if since is None else microseconds(since)
        latest = 1 << 62 if until is None else microseconds(until)
        base = chunk * self._geometry.chunk
        found = rows(
            self._connection,
            "SELECT log_index FROM decisions WHERE tenant = ? AND log_index BETWEEN ? AND ? "
            "AND ((admission_at >= ? AND admission_at < ?) OR (terminal_at >= ? AND terminal_at < ?))",
            self._tenant,
            base,
            base + self._geometry.chunk - 1,
            earliest,
            latest,
            earliest,
            latest,
        )
        self._left -= _WORK_OF_TIMES
        return bits & bits_of((row.log_index for row in found), self._geometry.chunk).get(chunk, 0)

    def _slices(self, bits: Mapping[int, int], limit: int) -> Iterator[list[int]]:
        """Yield candidates in the order of the walk, not many more at a time than a page needs."""
        waiting: list[int] = []
        size = min(max(limit, _FEW), _LARGEST_SLICE)
        for chunk, numbers in bits.items():
            base = chunk * self._geometry.chunk
            indexes = [base + number for number in members(numbers)]
            waiting += reversed(indexes) if self._descending else indexes
            while len(waiting) >= size:
                yield waiting[:size]
                del waiting[:size]
        if waiting:
            yield waiting

    def _compared(self, indexes: Sequence[int]) -> list[Hit]:
        """Return those of `indexes` that are what is asked for."""
        self._left -= WORK_OF_A_CANDIDATE * len(indexes)
        statement = (
            "SELECT log_index, request_id, admission_index, terminal_index FROM decisions "
            "WHERE tenant = ? AND log_index {among}"
        )
        found = rows_of(self._connection, statement, self._tenant, among=indexes)
        hits = [Hit(index, request, self._seen(first), self._seen(last)) for index, request, first, last in found]
        describing = {described_by(hit): hit for hit in hits}
        envelopes = self._lookup.envelopes(list(describing))
        held: dict[int, Hit] = {}
        for at, hit in describing.items():
            hit.members = envelope = envelopes.get(at)
            if envelope is not None and self._holds(hit, envelope):
                held[hit.log_index] = hit
        return [held[index] for index in indexes if index in held]

    def _holds(self, hit: Hit, envelope: Mapping[str, Any]) -> bool:
        wanted = self._wanted
        return wanted.holds_for(envelope) and (
            wanted.has_gap is None or wanted.has_gap is (hit.terminal_index is None or self._is_of_gap(envelope))
        )

    def _is_of_gap(self, members: Mapping[str, Any]) -> bool:
        source = members.get("source")
        return isinstance(source, dict) and (source.get("id"), source.get("boot_id")) in self._gaps

    def _seen(self, index: int | None) -> int | None:
        return index if index is not None and index < self._as_of else None


def described_by(hit: Hit) -> int:
    """Return the index of the record that says most of a decision."""
    index = hit.admission_index if hit.terminal_index is None else hit.terminal_index
    return hit.log_index if index is None else index


def _between(first: int, last: int, length: int) -> int:
    """Return the bits from `first` to `last`, as far as a chunk of `length` has them."""
    last = min(last, length - 1)
    return ((1 << (last + 1)) - 1) & -(1 << max(first, 0))
