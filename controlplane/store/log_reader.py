# SPDX-License-Identifier: Apache-2.0
"""Read the log as a list of entries and as a tree (`controlplane.services.ports.LogReader`)."""

import hashlib
from collections.abc import Iterator
from itertools import groupby
from typing import Any, Final

from sqlalchemy import Connection, select

from controlplane.services.records import Head, LogDay, LogEntry, TileMissing
from controlplane.store.payload_vault import SqlPayloadVault
from controlplane.store.tables import log_heads, payloads, records

# An entry has at most 8 KiB of envelope and 1 MiB of payload, nearly always some kilobytes: a slice is a few megabytes.
_SLICE: Final = 256
_TILE: Final = 256


class SqlLogReader:
    def __init__(self, connection: Connection, vault: SqlPayloadVault) -> None:
        self._connection = connection
        self._vault = vault

    def size(self, tenant: str) -> int:
        found = self._connection.execute(select(log_heads.c.size).where(log_heads.c.tenant == tenant))
        return int(found.scalar_one_or_none() or 0)

    def head(self, tenant: str) -> Head:
        size = self.size(tenant)
        leaves = [entry.leaf_hash for entry in self.entries(tenant, 0, size - 1)]
        days = self.days(tenant)
        return Head(size=size, root=_root(leaves), day=days[-1].day if days else None)

    def entries(self, tenant: str, first: int, last: int) -> Iterator[LogEntry]:
        query = (
            select(records.c.log_index, records.c.kind, records.c.received_at, records.c.envelope, payloads.c.content)
            .outerjoin(
                payloads,
                (payloads.c.tenant == records.c.tenant) & (payloads.c.log_index == records.c.log_index),
            )
            .where(records.c.tenant == tenant)
            .order_by(records.c.log_index)
        )
        for begin in range(first, last + 1, _SLICE):
            end = min(begin + _SLICE, last + 1)
            rows = self._connection.execute(
                query.where(records.c.log_index >= begin, records.c.log_index < end),
            ).all()
            yield from (self._entry(tenant, row) for row in rows)
            if len(rows) < end - begin:
                return

    def entry(self, tenant: str, index: int) -> LogEntry | None:
        return next(self.entries(tenant, index, index), None)

    def tile(self, tenant: str, level: int, number: int, width: int) -> bytes:
        first = number * _TILE
        if level == 0 and 1 <= width <= _TILE and first + width <= self.size(tenant):
            return b"".join(entry.leaf_hash for entry in self.entries(tenant, first, first + width - 1))
        raise TileMissing(f"tile {level}/{number} is not {width} wide")

    def days(self, tenant: str) -> tuple[LogDay, ...]:
        query = select(records.c.log_index, records.c.received_at).where(records.c.tenant == tenant)
        rows = self._connection.execute(query.order_by(records.c.log_index))
        days = []
        for day, entries in groupby(rows, key=lambda row: row.received_at.date()):
            indexes = [row.log_index for row in entries]
            days.append(LogDay(day=day, first_index=indexes[0], end_index=indexes[-1] + 1))
        return tuple(days)

    def _entry(self, tenant: str, row: Any) -> LogEntry:
        envelope = bytes(row.envelope)
        payload = self._vault.open(tenant, row.log_index, envelope, row.content)
        return LogEntry(
            log_index=row.log_index,
            kind=row.kind,
            received_at=row.received_at,
            envelope=envelope,
            payload=payload.content,
            payload_state=payload.state,
            leaf_hash=hashlib.sha256(b"\0" + envelope).digest(),
        )


def _root(leaves: list[bytes]) -> bytes:
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    return hashlib.sha256(b"\1" + _root(leaves[:split]) + _root(leaves[split:])).digest()
