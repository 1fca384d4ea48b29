# SPDX-License-Identifier: Apache-2.0
"""The log of decision records: appended at dense indexes, each record once however often it is sent.

Theory: the row of `log_heads` is locked first, so that one append at a time sees what is stored and takes indexes.
A record is known by (source, boot, sequence number). The same three with another content is not a repetition: it goes
into quarantine, so that a source that lies or was cloned is seen.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from controlplane.services.records import (
    Ingested,
    QuarantinedLine,
    ReceivedRecord,
)
from controlplane.store.payload_vault import SqlPayloadVault
from controlplane.store.projection import project
from controlplane.store.rows import add_if_absent
from controlplane.store.tables import log_heads, payloads, quarantine, records

SEQUENCE_CONFLICT: Final = "sequence-conflict"


class SqlDecisionLog:
    def __init__(self, connection: Connection, vault: SqlPayloadVault) -> None:
        self._connection = connection
        self._vault = vault

    def append(
        self,
        tenant: str,
        received: Sequence[ReceivedRecord],
        quarantined: Sequence[QuarantinedLine],
        *,
        at: datetime,
    ) -> Ingested:
        size = self._lock_head(tenant)
        fresh, duplicates, conflicting = self._sort_out(tenant, received)
        numbered = list(enumerate(fresh, start=size))
        if numbered:
            self._connection.execute(insert(records), [_row(index, record, at) for index, record in numbered])
            self._seal(tenant, numbered, at)
            project(self._connection, tenant, numbered)
            self._connection.execute(
                update(log_heads).where(log_heads.c.tenant == tenant).values(size=size + len(numbered)),
            )
        put_aside = [*quarantined, *conflicting]
        self._put_aside(tenant, put_aside, at)
        return Ingested(stored=len(fresh), duplicates=duplicates, quarantined=len(put_aside))

    def size(self, tenant: str) -> int:
        found = self._connection.execute(select(log_heads.c.size).where(log_heads.c.tenant == tenant))
        return int(found.scalar_one_or_none() or 0)

    def _lock_head(self, tenant: str) -> int:
        query = select(log_heads.c.size).where(log_heads.c.tenant == tenant).with_for_update()
        size = self._connection.execute(query).scalar_one_or_none()
        if size is None:
            add_if_absent(self._connection, log_heads, {"tenant": tenant, "size": 0})
            size = self._connection.execute(query).scalar_one()
        return int(size)

    def _sort_out(
        self,
        tenant: str,
        received: Sequence[ReceivedRecord],
    ) -> tuple[list[ReceivedRecord], int, list[QuarantinedLine]]:
        """Return what is new, how many are repetitions, and what claims the place of another record."""
        known = self._stored_digests(tenant, received)
        fresh: list[ReceivedRecord] = []
        conflicting: list[QuarantinedLine] = []
        duplicates = 0
        for record in received:
            key = (record.source_id, record.boot_id, record.seq)
            digest = _digest(record)
            stored = known.get(key)
            if stored is None:
                known[key] = digest
                fresh.append(record)
            elif stored == digest:
                duplicates += 1
            else:
                conflicting.append(
                    QuarantinedLine(
                        tenant=tenant,
                        reason=SEQUENCE_CONFLICT,
                        digest=digest,
                        line=record.envelope,
                    ),
                )
        return fresh, duplicates, conflicting

    def _stored_digests(
        self,
        tenant: str,
        received: Sequence[ReceivedRecord],
    ) -> dict[tuple[str | None, str | None, int | None], str]:
        by_boot: defaultdict[tuple[str | None, str | None], list[int | None]] = defaultdict(list)
        for record in received:
            by_boot[record.source_id, record.boot_id].append(record.seq)
        known: dict[tuple[str | None, str | None, int | None], str] = {}
        for (source_id, boot_id), numbers in by_boot.items():
            rows = self._connection.execute(
                select(records.c.seq, records.c.envelope_digest).where(
                    records.c.tenant == tenant,
                    records.c.source_id == source_id,
                    records.c.boot_id == boot_id,
                    records.c.seq.in_(numbers),
                ),
            )
            known |= {(source_id, boot_id, row.seq): row.envelope_digest for row in rows}
        return known

    def _seal(self, tenant: str, numbered: Sequence[tuple[int, ReceivedRecord]], at: datetime) -> None:
        seal = self._vault.sealer(tenant, at.date(), at=at)
        sealed = [
            {
                "tenant": tenant,
                "log_index": index,
                "content": seal(index, record.payload, record.members["payload_digest"]),
            }
            for index, record in numbered
            if record.payload is not None
        ]
        if sealed:
            self._connection.execute(insert(payloads), sealed)

    def _put_aside(self, tenant: str, lines: Sequence[QuarantinedLine], at: datetime) -> None:
        by_digest = {line.digest: line for line in lines}
        if not by_digest:
            return
        # A line that is sent again is not kept again: its digest is its key.
        stored = set(
            self._connection.execute(
                select(quarantine.c.digest).where(
                    quarantine.c.tenant == tenant,
                    quarantine.c.digest.in_(list(by_digest)),
                ),
            ).scalars(),
        )
        rows = [
            {"tenant": tenant, "digest": digest, "reason": line.reason, "line": line.line, "received_at": at}
            for digest, line in by_digest.items()
            if digest not in stored
        ]
        if rows:
            self._connection.execute(insert(quarantine), rows)


def _row(index: int, record: ReceivedRecord, at: datetime) -> dict[str, Any]:
    return {
        "tenant": record.tenant,
        "log_index": index,
        "environment": record.environment,
        "source_id": record.source_id,
        "boot_id": record.boot_id,
        "seq": record.seq,
        "record_id": record.record_id,
        "request_id": record.request_id,
        "kind": record.kind,
        "received_at": at,
        "envelope": record.envelope,
        "envelope_digest": _digest(record),
    }


def _digest(record: ReceivedRecord) -> str:
    return "sha256:" + hashlib.sha256(record.envelope).hexdigest()
