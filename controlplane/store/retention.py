# SPDX-License-Identifier: Apache-2.0
"""Retention policies, and the drops of days that they lead to (`controlplane.services.ports.Retention`).

Facts: on PostgreSQL a day of `records` or `payloads` is a table, which is dropped as one where no other tenant is in
it. Everything else is deleted by ranges of the log, in an order in which tables and their indexes are kept.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import date
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite
from sqlalchemy.exc import ProgrammingError

from controlplane.services.keeping import Drop, DropState, RetentionClass, RetentionPolicy
from controlplane.services.model import Page
from controlplane.store.free_pages import Freed, freed
from controlplane.store.index_retention import delete_pieces
from controlplane.store.index_tables import decisions
from controlplane.store.keeping_tables import retention_drops, retention_policies
from controlplane.store.log_tables import log_days, payloads, records
from controlplane.store.pages import page_of
from controlplane.store.partitions import partition_name
from controlplane.store.tables import admin_events

# Payloads first: what is found of a record must not promise what is gone.
_TABLES: Final = {
    RetentionClass.PAYLOADS: (payloads,),
    RetentionClass.RECORDS: (payloads, records),
}


class SqlRetention:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._is_postgres = connection.dialect.name == "postgresql"

    def policies(self, tenant: str | None = None) -> tuple[RetentionPolicy, ...]:
        query = select(retention_policies).order_by(retention_policies.c.tenant, retention_policies.c.of)
        if tenant is not None:
            query = query.where(retention_policies.c.tenant == tenant)
        return tuple(map(_policy, self._connection.execute(query)))

    def put_policy(self, policy: RetentionPolicy) -> None:
        upsert = (insert_postgresql if self._is_postgres else insert_sqlite)(retention_policies).values(asdict(policy))
        columns = {name: upsert.excluded[name] for name in ("days", "set_by", "set_at")}
        self._connection.execute(upsert.on_conflict_do_update(index_elements=["tenant", "of"], set_=columns))

    def add(self, drop: Drop) -> None:
        self._connection.execute(insert(retention_drops).values(asdict(drop)))

    def put(self, drop: Drop) -> None:
        self._connection.execute(
            update(retention_drops)
            .where(retention_drops.c.tenant == drop.tenant, retention_drops.c.id == drop.id)
            .values(asdict(drop)),
        )

    def get(self, tenant: str, drop_id: str) -> Drop | None:
        query = select(retention_drops).where(retention_drops.c.tenant == tenant, retention_drops.c.id == drop_id)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _drop(row)

    def known(self, tenant: str, of: RetentionClass) -> frozenset[date]:
        query = select(retention_drops.c.day).where(retention_drops.c.tenant == tenant, retention_drops.c.of == of)
        return frozenset(self._connection.execute(query).scalars())

    def open(self) -> tuple[Drop, ...]:
        query = select(retention_drops).where(retention_drops.c.state != DropState.DONE)
        return tuple(map(_drop, self._connection.execute(query.order_by(retention_drops.c.id))))

    def is_logged(self, drop: Drop, action: str) -> bool:
        query = select(admin_events.c.log_index).where(
            admin_events.c.tenant == drop.tenant,
            admin_events.c.target == drop.id,
            admin_events.c.action == action,
        )
        return self._connection.execute(query).scalar_one_or_none() is not None

    def page(self, tenant: str, *, after: str | None, limit: int) -> Page[Drop]:
        query = select(retention_drops).where(retention_drops.c.tenant == tenant).order_by(retention_drops.c.id)
        if after is not None:
            query = query.where(retention_drops.c.id > after)
        return page_of(self._connection.execute(query.limit(limit + 1)).all(), limit=limit, item=_drop, key="id")

    def drop_partitions(self, drop: Drop) -> None:
        if not self._is_postgres or self._is_shared(drop):
            return
        # What a role that may not drop tables leaves, and what is in the default partition, is deleted by ranges.
        with suppress(ProgrammingError), self._connection.begin_nested():
            for table in _TABLES[drop.of]:
                self._connection.exec_driver_sql(f"DROP TABLE IF EXISTS {partition_name(table.name, drop.day)}")

    def envelopes(self, drop: Drop, first: int, end: int) -> Sequence[tuple[int, bytes]]:
        query = select(records.c.log_index, records.c.envelope).where(
            records.c.tenant == drop.tenant,
            records.c.day == drop.day,
            records.c.log_index >= first,
            records.c.log_index < end,
        )
        return [(row.log_index, bytes(row.envelope)) for row in self._connection.execute(query)]

    def delete_range(self, drop: Drop, first: int, end: int) -> None:
        # Payloads are sealed and their keys go: writing zeros over a day of them would cost as much as storing it did.
        with freed(self._connection, Freed.AS_IS):
            self._delete_range(drop, first, end)

    def _delete_range(self, drop: Drop, first: int, end: int) -> None:
        for table in _TABLES[drop.of]:
            self._connection.execute(
                delete(table).where(
                    table.c.tenant == drop.tenant,
                    table.c.day == drop.day,
                    table.c.log_index >= first,
                    table.c.log_index < end,
                ),
            )
        if drop.of is RetentionClass.RECORDS:
            of_the_day = or_(decisions.c.terminal_index.is_(None), decisions.c.terminal_index < drop.end_index)
            self._connection.execute(
                delete(decisions).where(
                    decisions.c.tenant == drop.tenant,
                    decisions.c.log_index >= first,
                    decisions.c.log_index < end,
                    of_the_day,
                ),
            )

    def delete(self, drop: Drop, indexes: Sequence[int]) -> None:
        """Delete these, and leave by what they are found: the records between them need it."""
        for table in _TABLES[drop.of]:
            self._connection.execute(
                delete(table).where(
                    table.c.tenant == drop.tenant, table.c.day == drop.day, table.c.log_index.in_(indexes)
                ),
            )

    def delete_index(self, drop: Drop) -> None:
        if drop.of is not RetentionClass.RECORDS:
            return
        # A request that began the day before and ended on this one is found by its first record.
        self._connection.execute(
            delete(decisions).where(
                decisions.c.tenant == drop.tenant,
                decisions.c.log_index < drop.first_index,
                decisions.c.terminal_index >= drop.first_index,
                decisions.c.terminal_index < drop.end_index,
            ),
        )
        first = self._connection.execute(
            select(records.c.log_index)
            .where(records.c.tenant == drop.tenant, records.c.log_index < drop.first_index)
            .order_by(records.c.log_index.desc())
            .limit(1),
        ).scalar_one_or_none()
        delete_pieces(self._connection, drop.tenant, first=0 if first is None else first + 1, end=drop.end_index)

    def _is_shared(self, drop: Drop) -> bool:
        query = select(log_days.c.tenant).where(log_days.c.day == drop.day, log_days.c.tenant != drop.tenant).limit(1)
        return self._connection.execute(query).first() is not None


def _policy(row: Row[Any]) -> RetentionPolicy:
    return RetentionPolicy(**{**row._mapping, "of": RetentionClass(row.of)})  # noqa: SLF001  # SQLAlchemy documents it


def _drop(row: Row[Any]) -> Drop:
    changed = {"of": RetentionClass(row.of), "state": DropState(row.state)}
    return Drop(**{**row._mapping, **changed})  # noqa: SLF001  # as above
