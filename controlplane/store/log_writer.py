# SPDX-License-Identifier: Apache-2.0
"""Write numbered entries: their rows, the tree over them, the head. All in the caller's transaction, under its lock.

Rows go to the driver directly, `executemany` on SQLite and `COPY` on PostgreSQL: everything between costs more than
the database does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, Self

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from controlplane.audit.frontier import Frontier
from controlplane.audit.hashes import EMPTY_ROOT
from controlplane.audit.tiles import append
from controlplane.services.records import ReceivedRecord
from controlplane.store.columns import day_number, microseconds
from controlplane.store.log_tables import log_days, log_heads
from controlplane.store.payload_vault import SqlPayloadVault
from controlplane.store.rows import add_if_absent
from controlplane.store.tiles import put_tiles

Numbered = Sequence[tuple[int, ReceivedRecord]]

_RECORDS: Final = "tenant, log_index, day, kind, received_at, envelope"
_RECORD_TYPES: Final = ("text", "int8", "int4", "text", "int8", "bytea")
_PAYLOADS: Final = "tenant, log_index, day, content"
_PAYLOAD_TYPES: Final = ("text", "int8", "int4", "bytea")


@dataclass(frozen=True, slots=True)
class LockedHead:
    """How far the log goes, while nobody else appends to it."""

    frontier: Frontier
    day: date | None

    @property
    def size(self) -> int:
        return self.frontier.size

    @classmethod
    def lock(cls, connection: Connection, tenant: str) -> Self:
        """Lock the log of `tenant` until the transaction ends."""
        heads = log_heads.c
        query = select(heads.size, heads.frontier, heads.day).where(heads.tenant == tenant).with_for_update()
        row = connection.execute(query).one_or_none()
        if row is None:
            empty = {"tenant": tenant, "size": 0, "root": EMPTY_ROOT, "frontier": b"", "day": None}
            add_if_absent(connection, log_heads, empty)
            row = connection.execute(query).one()
        return cls(Frontier.from_bytes(row.size, bytes(row.frontier)), row.day)


def write_entries(
    connection: Connection, tenant: str, head: LockedHead, entries: Numbered, *, vault: SqlPayloadVault, at: datetime
) -> date:
    """Put `entries`, numbered from the head's size on, into the log, and return the day they are of."""
    day = at.date() if head.day is None else max(head.day, at.date())
    number, received_at = day_number(day), microseconds(at)
    _put(
        connection,
        f"records ({_RECORDS})",
        _RECORD_TYPES,
        [(tenant, index, number, record.kind, received_at, record.envelope) for index, record in entries],
    )
    with_payload = [(index, record, record.payload) for index, record in entries if record.payload is not None]
    if with_payload:
        seal = vault.sealer(tenant, day, at=at)
        sealed = [
            (tenant, index, number, seal(index, payload, record.members["payload_digest"]))
            for index, record, payload in with_payload
        ]
        _put(connection, f"payloads ({_PAYLOADS})", _PAYLOAD_TYPES, sealed)
    appended = append(head.frontier, [record.leaf_hash for _, record in entries])
    put_tiles(connection, tenant, appended.updates)
    grown = appended.frontier
    _note_day(connection, tenant, day, head.size, grown.size)
    connection.execute(
        update(log_heads)
        .where(log_heads.c.tenant == tenant)
        .values(size=grown.size, root=grown.root(), frontier=grown.to_bytes(), day=day),
    )
    return day


def _put(connection: Connection, into: str, types: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        places = ", ".join("?" * len(types))
        connection.exec_driver_sql(f"INSERT INTO {into} VALUES ({places})", list(rows))  # noqa: S608  # names of ours
        return
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY {into} FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(types)
        for row in rows:
            copy.write_row(row)


def _note_day(connection: Connection, tenant: str, day: date, first: int, end: int) -> None:
    insert = insert_sqlite if connection.dialect.name == "sqlite" else insert_postgresql
    statement = insert(log_days).values(tenant=tenant, day=day, first_index=first, end_index=end)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[log_days.c.tenant, log_days.c.day],
            set_={"end_index": statement.excluded.end_index},
        ),
    )
