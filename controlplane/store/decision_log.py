# SPDX-License-Identifier: Apache-2.0
"""The log of decision records: appended at dense indexes, each record once however often it is sent.

Theory: the row of `log_heads` is locked first, so that one append at a time sees what is stored and takes indexes.
`log_append` decides what goes in, `log_writer` writes it, `projection` makes it found.
"""

from collections.abc import Collection, Sequence
from datetime import date, datetime

from sqlalchemy import Connection

from controlplane.identifiers import NewId, new_ulid
from controlplane.services.records import (
    Batch,
    Gap,
    Ingested,
    QuarantinedLine,
    ReceivedRecord,
    SourceClaim,
    SourceReading,
)
from controlplane.store.log_append import LogAppend
from controlplane.store.log_reader import SqlLogReader
from controlplane.store.log_writer import LockedHead, write_entries
from controlplane.store.partitions import is_short_of_partitions, make_partitions
from controlplane.store.payload_vault import SqlPayloadVault
from controlplane.store.projection import project
from controlplane.store.quarantine import put_aside
from controlplane.store.source_claims import close_overdue_claims, forget_claims, note_claims, read_sources


class SqlDecisionLog:
    def __init__(self, connection: Connection, vault: SqlPayloadVault, *, new_id: NewId = new_ulid) -> None:
        self._connection = connection
        self._vault = vault
        self._log = SqlLogReader(connection, vault)
        self._new_id = new_id

    def append(
        self,
        tenant: str,
        received: Sequence[ReceivedRecord],
        quarantined: Sequence[QuarantinedLine],
        *,
        at: datetime,
    ) -> Ingested:
        (ingested,) = self.append_batches(tenant, [Batch(records=received, quarantined=quarantined)], at=at)
        return ingested

    def append_batches(self, tenant: str, batches: Sequence[Batch], *, at: datetime) -> tuple[Ingested, ...]:
        head, appending = self._begin(tenant, at)
        counts = appending.take(batches)
        self._finish(tenant, head, appending, at)
        put_aside(self._connection, tenant, [line for batch in counts for line in batch.put_aside], at)
        return tuple(
            Ingested(
                stored=batch.stored,
                duplicates=batch.duplicates,
                quarantined=len(batch.put_aside),
                gaps=tuple(batch.gaps),
            )
            for batch in counts
        )

    def append_own(self, tenant: str, entries: Sequence[ReceivedRecord], *, at: datetime) -> int:
        head, appending = self._begin(tenant, at)
        for entry in entries:
            appending.add(entry)
        self._finish(tenant, head, appending, at)
        return head.size

    def forget_claims(self, tenant: str, source_ids: Collection[str] | None) -> None:
        forget_claims(self._connection, tenant, source_ids)

    def claim(self, tenant: str, claims: Sequence[SourceClaim], *, at: datetime) -> tuple[Gap, ...]:
        if not note_claims(self._connection, tenant, claims, at=at):
            return ()
        head, appending = self._begin(tenant, at)
        gaps = close_overdue_claims(self._connection, tenant, appending, at=at)
        self._finish(tenant, head, appending, at)
        return gaps

    def sources(self, tenant: str) -> tuple[SourceReading, ...]:
        return read_sources(self._connection, tenant)

    def prepare_days(self, today: date) -> None:
        if is_short_of_partitions(self._connection, today):
            make_partitions(self._connection, today)

    def size(self, tenant: str) -> int:
        return self._log.size(tenant)

    def _begin(self, tenant: str, at: datetime) -> tuple[LockedHead, LogAppend]:
        head = LockedHead.lock(self._connection, tenant)
        return head, LogAppend(self._connection, tenant, at=at, new_id=self._new_id)

    def _finish(self, tenant: str, head: LockedHead, appending: LogAppend, at: datetime) -> None:
        """Write what `appending` came to."""
        numbered = list(enumerate(appending.entries, start=head.size))
        if numbered:
            write_entries(self._connection, tenant, head, numbered, vault=self._vault, at=at)
            project(self._connection, tenant, numbered)
        appending.save(head.size)
