# SPDX-License-Identifier: Apache-2.0
"""Decide what of some batches goes into the log, and in which order. Asked under the log's lock.

Rules. A record is known by (source, process, number): the same three again is a repetition where the leaf hash is that
of the tree, else a conflict, which goes into quarantine. A request has one terminal record: a second one goes into
quarantine, whoever sent it. A number that is skipped is a gap, and an entry says so before the record that showed it;
a record of a gap that arrives after all is stored, and an entry says that.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from operator import itemgetter
from typing import Final, TypeAlias

from sqlalchemy import Connection

from controlplane.identifiers import NewId
from controlplane.services.gap_entries import gap_entry
from controlplane.services.records import Batch, EntryKind, Gap, GapState, QuarantinedLine, ReceivedRecord
from controlplane.store.source_runs import Boot, Key, Run, Sources
from controlplane.store.terminals import ended_requests
from controlplane.store.tiles import leaf_hashes

SEQUENCE_CONFLICT: Final = "sequence-conflict"
TERMINAL_TWICE: Final = "terminal-twice"

_BY_SEQ: Final = itemgetter(0)


@dataclass(slots=True)
class BatchCounts:
    """What became of one batch."""

    stored: int = 0
    duplicates: int = 0
    put_aside: list[QuarantinedLine] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)


Arrival: TypeAlias = tuple[int, ReceivedRecord, BatchCounts]
"""A record after its number, before what counts its batch: a plain tuple, since there is one for each record."""


class LogAppend:
    """One transaction's appending: `take` batches, then `number` and write what `entries` has, then `save`."""

    def __init__(self, connection: Connection, tenant: str, *, at: datetime, new_id: NewId) -> None:
        self._connection = connection
        self._tenant = tenant
        self._at = at
        self._new_id = new_id
        self._sources = Sources(connection, tenant)
        self._boots: list[Boot | None] = []
        self.entries: list[ReceivedRecord] = []

    def take(self, batches: Sequence[Batch]) -> tuple[BatchCounts, ...]:
        """Put what is new in `batches` behind the entries, and return what became of each."""
        counts = tuple(BatchCounts(put_aside=list(batch.quarantined)) for batch in batches)
        arrived: dict[Key, list[Arrival]] = {}
        for batch, count in zip(batches, counts, strict=True):
            for record in batch.records:
                source_id, boot_id, seq = record.source_id, record.boot_id, record.seq
                if source_id is None or boot_id is None or seq is None:
                    self.add(record)  # nobody numbered it: whoever sent it knows whether it came before
                    count.stored += 1
                    continue
                arrived.setdefault((source_id, boot_id), []).append((seq, record, count))
        self._sources.load(arrived)
        fresh = {key: self._new_of(key, arrivals) for key, arrivals in arrived.items()}
        self._put_second_terminals_aside(fresh)
        for key, arrivals in fresh.items():
            self._append(key, arrivals)
        return counts

    def add(self, record: ReceivedRecord) -> None:
        """Put an entry of the control plane itself behind the others."""
        self._boots.append(None)
        self.entries.append(record)

    def claim_gap(self, boot: Boot, last_seq: int) -> Gap:
        """Say that all numbers of `boot` up to `last_seq` that were never seen are missing."""
        gap = self._gap(boot, boot.last_seq + 1, last_seq, GapState.OPEN)
        self._sources.open_gap(boot, gap.first_seq, gap.last_seq, at=self._at)
        boot.last_seq = last_seq
        return gap

    @property
    def sources(self) -> Sources:
        return self._sources

    def save(self, first_index: int) -> None:
        """Write what is known of the sources now that `entries` stand in the log from `first_index` on."""
        self._sources.save(list(self._runs(first_index)))

    def _new_of(
        self,
        key: Key,
        arrivals: list[Arrival],
    ) -> list[Arrival]:
        """Return what is not stored yet, by number; count repetitions, put conflicts aside."""
        if any(later[0] <= earlier[0] for earlier, later in pairwise(arrivals)):
            arrivals.sort(key=_BY_SEQ)  # stable: of one number twice, the first that came is taken
        boot = self._sources.find(key)
        known = {} if boot is None else self._stored(boot, arrivals)
        fresh = []
        for arrival in arrivals:
            seq, record, batch = arrival
            stored = known.get(seq)
            if stored is None:
                known[seq] = record.leaf_hash
                fresh.append(arrival)
            elif stored == record.leaf_hash:
                batch.duplicates += 1
            else:
                batch.put_aside.append(_aside(record, SEQUENCE_CONFLICT))
        return fresh

    def _stored(self, boot: Boot, arrivals: Iterable[Arrival]) -> dict[int, bytes]:
        numbers = [seq for seq, _, _ in arrivals if seq <= boot.last_seq]
        if not numbers:
            return {}
        places = self._sources.places(boot, numbers)
        leaves = leaf_hashes(self._connection, self._tenant, places.values())
        return {seq: leaves[index] for seq, index in places.items()}

    def _put_second_terminals_aside(self, fresh: dict[Key, list[Arrival]]) -> None:
        ended_by = {
            record.request_id
            for arrivals in fresh.values()
            for _, record, _ in arrivals
            if record.kind == EntryKind.TERMINAL and record.request_id is not None
        }
        ended = ended_requests(self._connection, self._tenant, ended_by)
        for key, arrivals in fresh.items():
            kept = []
            for arrival in arrivals:
                _, record, batch = arrival
                if record.kind == EntryKind.TERMINAL and record.request_id is not None:
                    if record.request_id in ended:
                        batch.put_aside.append(_aside(record, TERMINAL_TWICE))
                        continue
                    ended.add(record.request_id)
                kept.append(arrival)
            fresh[key] = kept

    def _append(self, key: Key, arrivals: Sequence[Arrival]) -> None:
        if not arrivals:
            return
        boot = self._sources.ensure(key, environment=arrivals[0][1].environment, at=self._at)
        late: list[int] = []
        for seq, record, batch in arrivals:
            if seq <= boot.last_seq:
                late.append(seq)
            elif seq > boot.last_seq + 1:
                batch.gaps.append(self.claim_gap(boot, seq - 1))
            boot.last_seq = max(boot.last_seq, seq)
            self._boots.append(boot)
            self.entries.append(record)
            batch.stored += 1
            if record.request_id is None:
                self._note_life(boot, record, batch)
        boot.last_seen_at = self._at
        if late:
            for first, last in self._sources.close(boot, late, at=self._at):
                self._gap(boot, first, last, GapState.CLOSED)

    def _note_life(self, boot: Boot, record: ReceivedRecord, batch: BatchCounts) -> None:
        """Take from a source's own records when it began and ended, and how far the process before it had come."""
        if record.kind == EntryKind.STOP:
            boot.stopped_at = record.time
        if record.kind != EntryKind.START:
            return
        boot.started_at = record.time
        match record.members.get("previous"):
            case {"boot_id": str(boot_id), "seq": int(last_seq)} if boot_id != boot.boot_id:
                key = (boot.source_id, boot_id)
                if last_seq > 0:
                    before = self._sources.ensure(key, environment=record.environment, at=self._at)
                    if last_seq > before.last_seq:
                        batch.gaps.append(self.claim_gap(before, last_seq))

    def _gap(self, boot: Boot, first: int, last: int, state: GapState) -> Gap:
        gap = Gap(
            source_id=boot.source_id,
            boot_id=boot.boot_id,
            environment=boot.environment,
            first_seq=first,
            last_seq=last,
            state=state,
        )
        self.add(gap_entry(gap, tenant=self._tenant, record_id=self._new_id(""), at=self._at))
        return gap

    def _runs(self, first_index: int) -> Iterator[Run]:
        """Yield the runs of the entries, and keep with each process the one that was written last."""
        run: Run | None = None
        for index, (boot, record) in enumerate(zip(self._boots, self.entries, strict=True), start=first_index):
            if boot is None or record.seq is None:
                continue
            if run is None or run.boot_ref != boot.ref or not run.continues_with(record.seq, index):
                if run is not None:
                    yield run
                run = Run(boot.ref, boot.run_first_seq, boot.run_last_seq, boot.run_first_index)
                if not run.continues_with(record.seq, index):
                    run = Run(boot.ref, record.seq, record.seq, index)
            run.last_seq = record.seq
            boot.run_first_seq, boot.run_last_seq, boot.run_first_index = run.first_seq, run.last_seq, run.first_index
        if run is not None:
            yield run


def _aside(record: ReceivedRecord, reason: str) -> QuarantinedLine:
    return QuarantinedLine(
        tenant=record.tenant,
        reason=reason,
        digest="sha256:" + hashlib.sha256(record.envelope).hexdigest(),
        line=record.envelope,
    )
