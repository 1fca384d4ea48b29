# SPDX-License-Identifier: Apache-2.0
"""Policies of the working set and their revisions. A revision, once kept, is never changed or removed."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, insert, select, tuple_, update

from controlplane.services.model import Page, Policy, PolicyRevision
from controlplane.store.pages import page_of
from controlplane.store.rows import add_if_absent
from controlplane.store.tables import policies, policy_revisions

# Two values each: far below what either database takes in one statement.
_PINS_AT_ONCE: Final = 500


class SqlPolicies:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, tenant: str, policy_id: str) -> Policy | None:
        return self._one(_present(tenant).where(policies.c.id == policy_id))

    def lock(self, tenant: str, policy_id: str) -> Policy | None:
        # SQLite leaves FOR UPDATE out: there the whole transaction is the only writer.
        return self._one(_present(tenant).where(policies.c.id == policy_id).with_for_update())

    def page(self, tenant: str, *, after: str | None, limit: int) -> Page[Policy]:
        query = _present(tenant).order_by(policies.c.id).limit(limit + 1)
        if after is not None:
            query = query.where(policies.c.id > after)
        return page_of(self._connection.execute(query).all(), limit=limit, item=_policy, key="id")

    def current(self, tenant: str) -> tuple[Policy, ...]:
        return tuple(map(_policy, self._connection.execute(_present(tenant).order_by(policies.c.id))))

    def add(self, policy: Policy) -> bool:
        one = (policies.c.tenant == policy.tenant, policies.c.id == policy.id)
        query = select(policies.c.removed_at).where(*one).with_for_update()
        row = self._connection.execute(query).one_or_none()
        values = {
            "kind": policy.kind,
            "version": policy.version,
            "revision": policy.revision,
            "author": policy.author,
            "filename": policy.filename,
            "created_at": policy.created_at,
            "updated_at": policy.updated_at,
            "removed_at": None,
        }
        if row is None:
            return add_if_absent(self._connection, policies, {"tenant": policy.tenant, "id": policy.id} | values)
        if row.removed_at is None:
            return False
        self._connection.execute(update(policies).where(*one).values(values))
        return True

    def set_revision(self, policy: Policy) -> None:
        self._connection.execute(
            update(policies)
            .where(policies.c.tenant == policy.tenant, policies.c.id == policy.id)
            .values(
                kind=policy.kind,
                version=policy.version,
                revision=policy.revision,
                author=policy.author,
                filename=policy.filename,
                updated_at=policy.updated_at,
            ),
        )

    def remove(self, tenant: str, policy_id: str, *, at: datetime) -> None:
        self._connection.execute(
            update(policies).where(policies.c.tenant == tenant, policies.c.id == policy_id).values(removed_at=at),
        )

    def add_revision(self, revision: PolicyRevision) -> None:
        if self.revision(revision.tenant, revision.policy, revision.revision) is not None:
            return
        self._connection.execute(
            insert(policy_revisions).values(
                tenant=revision.tenant,
                policy=revision.policy,
                kind=revision.kind,
                version=revision.version,
                revision=revision.revision,
                filename=revision.filename,
                source=revision.source,
                author=revision.author,
                created_at=revision.created_at,
            ),
        )

    def revision(self, tenant: str, policy_id: str, revision: str) -> PolicyRevision | None:
        query = _revisions(tenant, policy_id).where(policy_revisions.c.revision == revision)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _revision(row)

    def authors(self, tenant: str, pins: Collection[tuple[str, str]]) -> frozenset[str]:
        found: set[str] = set()
        ordered = sorted(pins)
        for first in range(0, len(ordered), _PINS_AT_ONCE):
            some = ordered[first : first + _PINS_AT_ONCE]
            # Who first wrote a text, and who brought it back: a revision is kept once, under its first author.
            wrote = select(policy_revisions.c.author).where(
                policy_revisions.c.tenant == tenant,
                tuple_(policy_revisions.c.policy, policy_revisions.c.revision).in_(some),
            )
            set_last = select(policies.c.author).where(
                policies.c.tenant == tenant, tuple_(policies.c.id, policies.c.revision).in_(some)
            )
            found |= set(self._connection.execute(wrote.union(set_last)).scalars())
        return frozenset(found)

    def revisions(self, tenant: str, policy_id: str, *, after: str | None, limit: int) -> Page[PolicyRevision]:
        query = _revisions(tenant, policy_id).order_by(policy_revisions.c.revision).limit(limit + 1)
        if after is not None:
            query = query.where(policy_revisions.c.revision > after)
        return page_of(self._connection.execute(query).all(), limit=limit, item=_revision, key="revision")

    def _one(self, query: Select[Any]) -> Policy | None:
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _policy(row)


def _present(tenant: str) -> Select[Any]:
    return select(policies).where(policies.c.tenant == tenant, policies.c.removed_at.is_(None))


def _revisions(tenant: str, policy_id: str) -> Select[Any]:
    return select(policy_revisions).where(
        policy_revisions.c.tenant == tenant,
        policy_revisions.c.policy == policy_id,
    )


def _policy(row: Row[Any]) -> Policy:
    return Policy(
        tenant=row.tenant,
        id=row.id,
        kind=row.kind,
        version=row.version,
        revision=row.revision,
        author=row.author,
        filename=row.filename,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _revision(row: Row[Any]) -> PolicyRevision:
    return PolicyRevision(
        tenant=row.tenant,
        policy=row.policy,
        kind=row.kind,
        version=row.version,
        revision=row.revision,
        filename=row.filename,
        source=bytes(row.source),
        author=row.author,
        created_at=row.created_at,
    )
