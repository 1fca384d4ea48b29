# SPDX-License-Identifier: Apache-2.0
"""Take records in: every line of a batch ends as stored, known already, or in quarantine, in one transaction."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import Final

import structlog

from controlplane.identifiers import Clock
from controlplane.services.errors import Refused
from controlplane.services.group_commit import GroupCommit
from controlplane.services.model import Principal
from controlplane.services.ports import Store
from controlplane.services.record_lines import UnreadableLine, put_aside, read_line
from controlplane.services.records import Batch, Gap, Ingested, QuarantinedLine, ReceivedRecord

MAX_LINES: Final = 1_000
MAX_BATCH_BYTES: Final = 8 * 1024 * 1024
# Batches that are read, wait or are stored at the same time: at most 96 MiB of bodies, and threads left for the rest.
MAX_AT_ONCE: Final = 12

_log = structlog.get_logger("gatehouse.ingestion")


class TooLarge(Refused):
    """The batch is beyond its limits; it would be taken in smaller pieces."""


class Behind(Refused):
    """As many batches wait as may; the same one may be sent again."""


class Ingestion:
    def __init__(self, *, store: Store, clock: Clock, at_once: int = MAX_AT_ONCE) -> None:
        self._store = store
        self._clock = clock
        self._commits = GroupCommit(store=store, clock=clock)
        self._places = BoundedSemaphore(at_once)

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold one of the places for batches. Raises Behind where there is none: before a body is read, not after."""
        if not self._places.acquire(blocking=False):
            raise Behind("ingestion-behind", "As many batches are being stored as may be. Send this one again.")
        try:
            yield
        finally:
            self._places.release()

    def append(self, actor: Principal, batch: bytes) -> Ingested:
        """Return what became of the lines of `batch`, once it is durable."""
        if len(batch) > MAX_BATCH_BYTES:
            raise TooLarge("body-too-large", f"A batch has at most {MAX_BATCH_BYTES} bytes.")
        if batch.count(b"\n") > MAX_LINES:
            raise TooLarge("too-many-lines", f"A batch has at most {MAX_LINES} lines.")
        records: list[ReceivedRecord] = []
        quarantined: list[QuarantinedLine] = []
        for line in _lines(batch):
            try:
                records.append(read_line(line, tenant=actor.tenant, environments=actor.environments))
            except UnreadableLine as exc:
                quarantined.append(put_aside(line, tenant=actor.tenant, reason=exc.reason))
        if not records and not quarantined:
            return Ingested(stored=0, duplicates=0, quarantined=0)
        ingested = self._commits.append(actor.tenant, Batch(records=records, quarantined=quarantined))
        tell_of_gaps(actor.tenant, ingested.gaps)
        return ingested

    def keep(self, tenant: str, entries: Sequence[ReceivedRecord]) -> None:
        """Append entries that the control plane made itself; return once they are durable. Raises StoreUnavailable."""
        self._commits.append(tenant, Batch(records=entries, quarantined=()))

    def prepare_days(self) -> None:
        """Make room for the days to come, where the database keeps each day apart."""
        with self._store.write() as session:
            session.decisions.prepare_days(self._clock().date())


def tell_of_gaps(tenant: str, gaps: Sequence[Gap]) -> None:
    """Raise the alarm: records are missing that a source says it wrote, or skipped."""
    for gap in gaps:
        _log.error(
            "sequence_gap_found",
            tenant=tenant,
            source=gap.source_id,
            boot_id=gap.boot_id,
            first_seq=gap.first_seq,
            last_seq=gap.last_seq,
            count=gap.count,
        )


def _lines(batch: bytes) -> Iterator[bytes]:
    return (line for line in batch.split(b"\n") if line)
