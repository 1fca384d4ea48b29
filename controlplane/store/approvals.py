# SPDX-License-Identifier: Apache-2.0
"""Approvals of releases (`controlplane.services.change_ports.ApprovalsOfReleases`). Withdrawn ones stay."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, insert, select, update

from controlplane.services.approval import Approval, Word
from controlplane.services.model import Page
from controlplane.store.change_tables import approvals as table
from controlplane.store.pages import page_of


class SqlApprovals:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, approval: Approval) -> None:
        row = asdict(approval) | {"by_activation": int(approval.by_activation)}
        self._connection.execute(insert(table).values(row))

    def get(self, tenant: str, release: str, approval_id: str) -> Approval | None:
        row = self._connection.execute(_of(tenant, release).where(table.c.id == approval_id)).one_or_none()
        return None if row is None else _approval(row)

    def of_release(self, tenant: str, release: str) -> tuple[Approval, ...]:
        return tuple(map(_approval, self._connection.execute(_of(tenant, release))))

    def page(self, tenant: str, release: str, *, after: str | None, limit: int) -> Page[Approval]:
        query = _of(tenant, release).limit(limit + 1)
        if after is not None:
            query = query.where(table.c.id > after)
        return page_of(self._connection.execute(query).all(), limit=limit, item=_approval, key="id")

    def withdraw(self, approval: Approval, *, at: datetime) -> bool:
        withdrawn = self._connection.execute(
            update(table)
            .where(table.c.tenant == approval.tenant, table.c.id == approval.id, table.c.withdrawn_at.is_(None))
            .values(withdrawn_at=at),
        )
        return withdrawn.rowcount == 1


def _of(tenant: str, release: str) -> Select[Any]:
    return select(table).where(table.c.tenant == tenant, table.c.release == release).order_by(table.c.id)


def _approval(row: Row[Any]) -> Approval:
    members = {**row._mapping, "verdict": Word(row.verdict), "by_activation": bool(row.by_activation)}  # noqa: SLF001  # SQLAlchemy documents it
    return Approval(**members)
