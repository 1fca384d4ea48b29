# SPDX-License-Identifier: Apache-2.0
"""The subjects whom no credential identifies any more."""

from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from controlplane.services.model import BlockedSubject, Page
from controlplane.store.pages import page_of
from controlplane.store.tables import blocked_subjects


class SqlBlockedSubjects:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, blocked: BlockedSubject) -> bool:
        same = (
            blocked_subjects.c.tenant == blocked.tenant,
            blocked_subjects.c.environment == blocked.environment,
            blocked_subjects.c.subject == blocked.subject,
        )
        # The environment is locked by whoever changes its credentials, so that nothing comes in between.
        if self._connection.execute(select(blocked_subjects.c.subject).where(*same)).one_or_none() is not None:
            return False
        self._connection.execute(
            insert(blocked_subjects).values(
                tenant=blocked.tenant,
                environment=blocked.environment,
                subject=blocked.subject,
                blocked_by=blocked.blocked_by,
                blocked_at=blocked.blocked_at,
            ),
        )
        return True

    def remove(self, tenant: str, environment: str, subject: str) -> bool:
        removed = self._connection.execute(
            delete(blocked_subjects).where(
                blocked_subjects.c.tenant == tenant,
                blocked_subjects.c.environment == environment,
                blocked_subjects.c.subject == subject,
            ),
        )
        return removed.rowcount > 0

    def of_environment(self, tenant: str, environment: str) -> tuple[BlockedSubject, ...]:
        query = (
            select(blocked_subjects)
            .where(blocked_subjects.c.tenant == tenant, blocked_subjects.c.environment == environment)
            .order_by(blocked_subjects.c.subject)
        )
        return tuple(map(_blocked, self._connection.execute(query)))

    def page(self, tenant: str, environment: str, *, after: str | None, limit: int) -> Page[BlockedSubject]:
        query = (
            select(blocked_subjects)
            .where(blocked_subjects.c.tenant == tenant, blocked_subjects.c.environment == environment)
            .order_by(blocked_subjects.c.subject)
            .limit(limit + 1)
        )
        if after is not None:
            query = query.where(blocked_subjects.c.subject > after)
        return page_of(self._connection.execute(query).all(), limit=limit, item=_blocked, key="subject")


def _blocked(row: Row[Any]) -> BlockedSubject:
    return BlockedSubject(
        tenant=row.tenant,
        environment=row.environment,
        subject=row.subject,
        blocked_by=row.blocked_by,
        blocked_at=row.blocked_at,
    )
