# SPDX-License-Identifier: Apache-2.0
"""Read the log as a list of entries and as a tree (`controlplane.services.ports.LogReader`).

The leaf hash of an entry is what the tree has of it, not what its envelope gives now: whoever doubts compares them.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, Table, select

from controlplane.audit.hashes import EMPTY_ROOT, HASH_BYTES
from controlplane.audit.tiles import TILE_WIDTH
from controlplane.services.payload_state import OpenedPayload, PayloadState
from controlplane.services.records import Head, LogDay, LogEntry, LoggedRecord, TileMissing
from controlplane.store.bulk import rows_of
from controlplane.store.columns import day_of
from controlplane.store.log_days import days_of
from controlplane.store.log_tables import log_days, log_heads, payloads, records
from controlplane.store.payload_vault import SqlPayloadVault
from controlplane.store.tiles import leaf_hashes, read_tile

# An entry is at most 8 KiB and a payload of 1 MiB, but nearly always some kilobytes: a slice is about a megabyte.
_SLICE: Final = 256
_DROPPED: Final = (None, OpenedPayload(PayloadState.ERASED, None))


class SqlLogReader:
    def __init__(self, connection: Connection, vault: SqlPayloadVault) -> None:
        self._connection = connection
        self._vault = vault

    def size(self, tenant: str) -> int:
        found = self._connection.execute(select(log_heads.c.size).where(log_heads.c.tenant == tenant))
        return int(found.scalar_one_or_none() or 0)

    def head(self, tenant: str) -> Head:
        query = select(log_heads.c.size, log_heads.c.root, log_heads.c.day).where(log_heads.c.tenant == tenant)
        row = self._connection.execute(query).one_or_none()
        if row is None:
            return Head(size=0, root=EMPTY_ROOT, day=None)
        return Head(size=row.size, root=bytes(row.root), day=row.day)

    def entries(self, tenant: str, first: int, last: int) -> Iterator[LogEntry]:
        end = min(last + 1, self.size(tenant))
        for begin in range(first, end, _SLICE):
            indexes = range(begin, min(begin + _SLICE, end))
            leaves = leaf_hashes(self._connection, tenant, indexes)
            kept = self._kept(tenant, indexes)
            for index in indexes:
                row, payload = kept.get(index, _DROPPED)
                yield LogEntry(
                    log_index=index,
                    kind=None if row is None else row.kind,
                    received_at=None if row is None else row.received_at,
                    envelope=None if row is None else bytes(row.envelope),
                    payload=payload.content,
                    payload_state=payload.state,
                    leaf_hash=leaves[index],
                )

    def entry(self, tenant: str, index: int) -> LogEntry | None:
        return next(self.entries(tenant, index, index), None)

    def records_at(self, tenant: str, indexes: Collection[int]) -> dict[int, LoggedRecord]:
        """Return the records at `indexes`, as far as they are kept."""
        return {
            index: LoggedRecord(
                log_index=index,
                received_at=row.received_at,
                envelope=bytes(row.envelope),
                payload=payload.content,
                payload_state=payload.state,
            )
            for index, (row, payload) in self._kept(tenant, indexes).items()
        }

    def payloads_at(self, tenant: str, digests: Mapping[int, str | None]) -> dict[int, OpenedPayload]:
        """Return the payloads of the records at these indexes; `digests` are what their envelopes name them by."""
        days = days_of(self._connection, tenant, digests)
        if not days:
            return {}
        # As in `_kept`; the days are numbers of ours.
        named = ", ".join(map(str, days))
        statement = (
            f"SELECT log_index, content FROM payloads WHERE tenant = ? AND day IN ({named}) AND log_index {{among}}"  # noqa: S608
        )
        sealed = dict(rows_of(self._connection, statement, tenant, among=list(digests)))
        return {
            index: self._vault.open_named(tenant, index, digest, sealed.get(index)) for index, digest in digests.items()
        }

    def tile(self, tenant: str, level: int, number: int, width: int) -> bytes:
        if 1 <= width <= TILE_WIDTH:
            hashes = read_tile(self._connection, tenant, level, number)
            if hashes is not None and len(hashes) >= width * HASH_BYTES:
                return hashes[: width * HASH_BYTES]
        raise TileMissing(f"tile {level}/{number} is not {width} wide")

    def days(self, tenant: str) -> tuple[LogDay, ...]:
        query = select(log_days.c.day, log_days.c.first_index, log_days.c.end_index).where(log_days.c.tenant == tenant)
        return tuple(
            LogDay(day=row.day, first_index=row.first_index, end_index=row.end_index)
            for row in self._connection.execute(query.order_by(log_days.c.day))
        )

    def _kept(self, tenant: str, indexes: Collection[int]) -> dict[int, tuple[Row[Any], OpenedPayload]]:
        """Return the rows at `indexes` with their payloads, opened, by index."""
        if not indexes:
            return {}
        # The days are named, so that PostgreSQL opens their partitions and no other.
        wanted = list(map(day_of, days_of(self._connection, tenant, indexes)))
        rows = select(records.c.log_index, records.c.kind, records.c.received_at, records.c.envelope)
        contents = {
            row.log_index: row.content
            for row in self._at(payloads, select(payloads.c.log_index, payloads.c.content), tenant, wanted, indexes)
        }
        return {
            row.log_index: (
                row,
                self._vault.open(tenant, row.log_index, bytes(row.envelope), contents.get(row.log_index)),
            )
            for row in self._at(records, rows, tenant, wanted, indexes)
        }

    def _at(
        self, table: Table, query: Select[Any], tenant: str, days: Collection[date], indexes: Collection[int]
    ) -> Iterable[Row[Any]]:
        query = query.where(table.c.tenant == tenant, table.c.day.in_(days))
        if isinstance(indexes, range):
            return self._connection.execute(
                query.where(table.c.log_index >= indexes.start, table.c.log_index < indexes.stop),
            )
        return self._connection.execute(query.where(table.c.log_index.in_(indexes)))
