# SPDX-License-Identifier: Apache-2.0
"""Who changed what. Appended in the transaction of the change itself, so that neither is without the other."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from controlplane.services.model import AdminEvent, Page
from controlplane.store.pages import page_of
from controlplane.store.tables import admin_events


class SqlAdminEvents:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, event: AdminEvent) -> None:
        self._connection.execute(
            insert(admin_events).values(
                tenant=event.tenant,
                at=event.at,
                principal=event.principal,
                role=event.role,
                action=event.action,
                target=event.target,
                detail=json.dumps(event.detail, sort_keys=True),
            ),
        )

    def waiting(self, *, limit: int, tenant: str | None = None) -> tuple[AdminEvent, ...]:
        query = select(admin_events).where(admin_events.c.log_index.is_(None)).order_by(admin_events.c.seq)
        if tenant is not None:
            query = query.where(admin_events.c.tenant == tenant)
        return tuple(map(_event, self._connection.execute(query.limit(limit))))

    def placed(self, indexes: Mapping[int, int]) -> None:
        statement = update(admin_events).where(admin_events.c.seq == bindparam("of_seq"))
        rows = [{"of_seq": seq, "at_index": index} for seq, index in indexes.items()]
        if rows:
            self._connection.execute(statement.values(log_index=bindparam("at_index")), rows)

    def page(self, tenant: str, *, after: int | None, limit: int) -> Page[AdminEvent]:
        query = select(admin_events).where(admin_events.c.tenant == tenant).order_by(admin_events.c.seq)
        if after is not None:
            query = query.where(admin_events.c.seq > after)
        rows = self._connection.execute(query.limit(limit + 1)).all()
        return page_of(rows, limit=limit, item=_event, key="seq")


def _event(row: Row[Any]) -> AdminEvent:
    return AdminEvent(
        tenant=row.tenant,
        seq=row.seq,
        at=row.at,
        principal=row.principal,
        role=row.role,
        action=row.action,
        target=row.target,
        detail=json.loads(row.detail),
        log_index=row.log_index,
    )
