# SPDX-License-Identifier: Apache-2.0
"""Holds and erasures, and the lock that puts them in an order."""

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, func, insert, select, update

from controlplane.services.keeping import Erasure, ErasureKind, ErasureState, LegalHold
from controlplane.services.model import Page
from controlplane.store.keeping_tables import erasures, legal_holds
from controlplane.store.pages import page_of

# Any number that no other advisory lock of ours has: it stands before the tenant's hash.
_LOCK: Final = 0x4B45


class SqlLegalHolds:
    """`controlplane.services.ports.LegalHolds`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def lock(self, tenant: str) -> None:
        """Wait until nobody else places a hold, erases or drops, and keep it so until the transaction ends."""
        if self._connection.dialect.name == "postgresql":  # on SQLite a transaction that writes is alone
            self._connection.execute(select(func.pg_advisory_xact_lock(_LOCK, func.hashtext(tenant))))

    def add(self, hold: LegalHold) -> None:
        row = asdict(hold) | {"request_ids": json.dumps(hold.request_ids)}
        self._connection.execute(insert(legal_holds).values(row))

    def get(self, tenant: str, hold_id: str) -> LegalHold | None:
        query = select(legal_holds).where(legal_holds.c.tenant == tenant, legal_holds.c.id == hold_id)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _hold(row)

    def active(self, tenant: str) -> tuple[LegalHold, ...]:
        query = select(legal_holds).where(legal_holds.c.tenant == tenant, legal_holds.c.released_at.is_(None))
        return tuple(map(_hold, self._connection.execute(query.order_by(legal_holds.c.id))))

    def page(self, tenant: str, *, after: str | None, limit: int) -> Page[LegalHold]:
        query = select(legal_holds).where(legal_holds.c.tenant == tenant).order_by(legal_holds.c.id)
        if after is not None:
            query = query.where(legal_holds.c.id > after)
        return page_of(self._connection.execute(query.limit(limit + 1)).all(), limit=limit, item=_hold, key="id")

    def release(self, tenant: str, hold_id: str, *, by: str, at: datetime) -> bool:
        released = self._connection.execute(
            update(legal_holds)
            .where(legal_holds.c.tenant == tenant, legal_holds.c.id == hold_id, legal_holds.c.released_at.is_(None))
            .values(released_by=by, released_at=at),
        )
        return released.rowcount == 1


class SqlErasures:
    """`controlplane.services.ports.Erasures`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, erasure: Erasure) -> None:
        self._connection.execute(insert(erasures).values(asdict(erasure)))

    def put(self, erasure: Erasure) -> None:
        self._connection.execute(
            update(erasures)
            .where(erasures.c.tenant == erasure.tenant, erasures.c.id == erasure.id)
            .values(asdict(erasure)),
        )

    def get(self, tenant: str, erasure_id: str) -> Erasure | None:
        query = select(erasures).where(erasures.c.tenant == tenant, erasures.c.id == erasure_id)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _erasure(row)

    def running(self) -> tuple[Erasure, ...]:
        query = select(erasures).where(erasures.c.state == ErasureState.RUNNING).order_by(erasures.c.id)
        return tuple(map(_erasure, self._connection.execute(query)))

    def page(self, tenant: str, *, after: str | None, limit: int) -> Page[Erasure]:
        query = select(erasures).where(erasures.c.tenant == tenant).order_by(erasures.c.id)
        if after is not None:
            query = query.where(erasures.c.id > after)
        return page_of(self._connection.execute(query.limit(limit + 1)).all(), limit=limit, item=_erasure, key="id")


def _hold(row: Row[Any]) -> LegalHold:
    return LegalHold(**{**row._mapping, "request_ids": tuple(json.loads(row.request_ids))})  # noqa: SLF001  # SQLAlchemy documents it


def _erasure(row: Row[Any]) -> Erasure:
    return Erasure(**{**row._mapping, "kind": ErasureKind(row.kind), "state": ErasureState(row.state)})  # noqa: SLF001  # SQLAlchemy documents it
