# SPDX-License-Identifier: Apache-2.0
"""Keep what decisions are found by up to date as records arrive: admission and terminal record, in any order.

The terminal record says how the request ended, so it overrides what the admission record said. A second record of
the same kind for a request changes nothing here; it stands in the log all the same.

Rules: a decision is in the bitmap of every value that one of its records described it with. It may so be in more than
hold for it now, or held for it at an earlier size of the log, and never in fewer: whoever reads compares what is found
with its record.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection

from controlplane.services.dimensions import (
    DECISION_KINDS,
    MANY_VALUED,
    described,
    latency_us_of,
    request_id_of,
    text,
)
from controlplane.services.records import EntryKind, ReceivedRecord
from controlplane.services.rollups import MINUTE_S, UNGROUPED
from controlplane.services.times import parse_time
from controlplane.store.bitmaps import set_of
from controlplane.store.bulk import write
from controlplane.store.columns import microseconds
from controlplane.store.fingerprints import Fingerprints
from controlplane.store.index_geometry import GEOMETRY, Geometry
from controlplane.store.index_tables import decision_index_heads, decision_zones, decisions
from controlplane.store.postings import Postings, term_of
from controlplane.store.requests import decisions_of
from controlplane.store.rollups import RollupBatch
from policies.contracts.record import RecordKind

# Raised whenever records are indexed in another way: `controlplane init` then makes the index again from the log.
MAKE: Final = 3
# Fingerprints of entries, not of decisions: the id of a record, the request of one that its decision left out, and
# what the log says of missing numbers, all under the one value of "".
RECORD_ID: Final = "record_id"
REPEATED: Final = "repeated"
GAPS: Final = "gaps"
# Bitmaps of octaves: a question for latencies reads a few of them.
LATENCY: Final = "latency_octave"

_MICROSECONDS: Final = 1_000_000
_OCTAVES: Final = tuple(((LATENCY, str(octave)),) for octave in range(65))
_DECISION_COLUMNS: Final = (
    "tenant",
    "log_index",
    "request_id",
    "admission_index",
    "terminal_index",
    "admission_at",
    "terminal_at",
)
_REPLACED: Final = (
    "ON CONFLICT (tenant, log_index) DO UPDATE SET admission_index = excluded.admission_index, "
    "terminal_index = excluded.terminal_index, admission_at = excluded.admission_at, "
    "terminal_at = excluded.terminal_at"
)
_WIDENED: Final = (
    "ON CONFLICT (tenant, chunk) DO UPDATE SET "
    "first_at = CASE WHEN excluded.first_at < decision_zones.first_at "
    "THEN excluded.first_at ELSE decision_zones.first_at END, "
    "last_at = CASE WHEN excluded.last_at > decision_zones.last_at "
    "THEN excluded.last_at ELSE decision_zones.last_at END"
)
_MOVED: Final = "ON CONFLICT (tenant) DO UPDATE SET make = excluded.make, size = excluded.size"


class Entry(NamedTuple):
    """An entry of the log with the members of its envelope, and the time in them where it was read before."""

    log_index: int
    members: Mapping[str, Any]
    time: datetime | None = None


@dataclass(slots=True)
class _Decision:
    log_index: int
    request_id: str
    admission_index: int | None = None
    terminal_index: int | None = None
    admission_at: int | None = None
    terminal_at: int | None = None


def project(
    connection: Connection,
    tenant: str,
    numbered: Sequence[tuple[int, ReceivedRecord]],
    *,
    geometry: Geometry = GEOMETRY,
) -> None:
    """Bring the index up to date with `numbered` records, which are the newest of the log and dense."""
    if numbered:
        entries = [Entry(index, record.members, record.time) for index, record in numbered]
        index_entries(connection, tenant, entries, first=numbered[0][0], end=numbered[-1][0] + 1, geometry=geometry)


def index_entries(
    connection: Connection,
    tenant: str,
    entries: Sequence[Entry],
    *,
    first: int,
    end: int,
    geometry: Geometry = GEOMETRY,
) -> None:
    """Add `entries`, which are what is left of [first, end) of the log, to the index."""
    batch = _Batch(connection, tenant, geometry)
    batch.read(entries)
    batch.store(first=first, end=end)


class _Batch:
    """What one append changes, gathered in memory and then written table by table."""

    def __init__(self, connection: Connection, tenant: str, geometry: Geometry) -> None:
        self._connection = connection
        self._tenant = tenant
        self._geometry = geometry
        self._changed: dict[int, _Decision] = {}
        self._bits: defaultdict[tuple[int, int], int] = defaultdict(int)
        self._fingerprints: list[tuple[str, str, int]] = []
        self._zones: dict[int, tuple[int, int]] = {}
        # Most of a batch are few kinds of decision: a kind's places are gathered first and then spread to its values.
        self._alike: defaultdict[tuple[int, Collection[tuple[str, str]]], list[int]] = defaultdict(list)
        self._rollups = RollupBatch(connection, tenant)

    def read(self, entries: Sequence[Entry]) -> None:
        asked: list[tuple[Entry, str]] = []
        for entry in entries:
            log_index, members, _ = entry
            record_id = text(members.get("record_id"))
            if record_id is not None:
                self._fingerprints.append((RECORD_ID, record_id, log_index))
            kind = members.get("kind")
            if kind in DECISION_KINDS:
                request_id = request_id_of(members)
                if request_id is not None:
                    asked.append((entry, request_id))
            elif kind == EntryKind.GAP:
                self._fingerprints.append((GAPS, "", log_index))
        known = self._known(sorted({request_id for _, request_id in asked}))
        for entry, request_id in asked:
            decision = known.get(request_id)
            if decision is None:
                decision = known[request_id] = _Decision(entry.log_index, request_id)
            self._add(decision, entry)

    def store(self, *, first: int, end: int) -> None:
        tenant = self._tenant
        write(
            self._connection,
            decisions,
            _DECISION_COLUMNS,
            [
                (tenant, one.log_index, one.request_id, one.admission_index, one.terminal_index,
                 one.admission_at, one.terminal_at)
                for one in self._changed.values()
            ],
            conflict=_REPLACED,
        )  # fmt: skip
        self._spread()
        postings = Postings(self._connection, tenant, self._geometry)
        postings.add(self._bits)
        postings.tidy(self._bits, first=first, end=end)
        fingerprints = Fingerprints(self._connection, tenant, self._geometry)
        fingerprints.add(self._fingerprints)
        fingerprints.settle(first=first, end=end)
        write(
            self._connection,
            decision_zones,
            ("tenant", "chunk", "first_at", "last_at"),
            [(tenant, chunk, earliest, latest) for chunk, (earliest, latest) in self._zones.items()],
            conflict=_WIDENED,
        )
        self._rollups.store()
        head = [(tenant, MAKE, end)]
        write(self._connection, decision_index_heads, ("tenant", "make", "size"), head, conflict=_MOVED)

    def _known(self, request_ids: Sequence[str]) -> dict[str, _Decision]:
        found = decisions_of(self._connection, self._tenant, request_ids)
        return {row.request_id: _Decision(*row) for row in found}

    def _add(self, decision: _Decision, entry: Entry) -> None:
        at = microseconds(entry.time or parse_time(entry.members["time"]))
        is_admission = entry.members["kind"] == RecordKind.ADMISSION
        if (decision.admission_index if is_admission else decision.terminal_index) is not None:
            self._fingerprints.append((REPEATED, decision.request_id, entry.log_index))
            return
        self._changed[decision.log_index] = decision
        if is_admission:
            decision.admission_index, decision.admission_at = entry.log_index, at
        else:
            decision.terminal_index, decision.terminal_at = entry.log_index, at
        # What an admission record says no longer describes a decision that has ended.
        if not (is_admission and decision.terminal_index is not None):
            self._describe(decision.log_index, entry.members, at, is_end=not is_admission)

    def _describe(self, index: int, members: Mapping[str, Any], at: int, *, is_end: bool) -> None:
        chunk, offset = divmod(index, self._geometry.chunk)
        shared, own = described(members)
        self._alike[chunk, shared].append(offset)
        self._fingerprints += [(dimension, value, index) for dimension, value in own if dimension in MANY_VALUED]
        process = tuple(value for value in own if value[0] not in MANY_VALUED)
        self._alike[chunk, process].append(offset)
        latency = latency_us_of(members)
        if latency is not None:
            self._alike[chunk, _OCTAVES[latency.bit_length()]].append(offset)
        earliest, latest = self._zones.get(chunk, (at, at))
        self._zones[chunk] = min(earliest, at), max(latest, at)
        if is_end:
            minute = at // _MICROSECONDS // MINUTE_S * MINUTE_S
            grouped = [value for value in own if value[0] not in UNGROUPED]
            decide_us = latency_us_of(members, of="decide")
            self._rollups.add(minute, shared, grouped, latency, decide_us=decide_us)

    def _spread(self) -> None:
        for (chunk, values), offsets in self._alike.items():
            bits = set_of(offsets)
            for dimension, value in values:
                self._bits[chunk, term_of(dimension, value)] |= bits
