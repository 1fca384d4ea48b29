# SPDX-License-Identifier: Apache-2.0
"""Principals, found by the hash of their token."""

import json
from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from controlplane.services.model import Page, Principal, Role
from controlplane.store.pages import page_of
from controlplane.store.tables import principals as table

_COLUMNS = tuple(column for column in table.c if column.name != "token_hash")


class SqlPrincipals:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def by_token_hash(self, token_hash: str) -> Principal | None:
        row = self._connection.execute(select(*_COLUMNS).where(table.c.token_hash == token_hash)).one_or_none()
        return None if row is None else _principal(row)

    def by_id(self, tenant: str, principal_id: str) -> Principal | None:
        found = select(*_COLUMNS).where(table.c.tenant == tenant, table.c.id == principal_id)
        row = self._connection.execute(found).one_or_none()
        return None if row is None else _principal(row)

    def page(self, tenant: str, *, after: str | None, limit: int) -> Page[Principal]:
        query = select(*_COLUMNS).where(table.c.tenant == tenant).order_by(table.c.id).limit(limit + 1)
        if after is not None:
            query = query.where(table.c.id > after)
        return page_of(self._connection.execute(query).all(), limit=limit, item=_principal, key="id")

    def put(self, principal: Principal, *, token_hash: str) -> None:
        values = {
            "name": principal.name,
            "role": principal.role.value,
            "token_hash": token_hash,
            "environments": None if principal.environments is None else json.dumps(principal.environments),
            "person": principal.person,
        }
        one = (table.c.tenant == principal.tenant, table.c.id == principal.id)
        if self._connection.execute(update(table).where(*one).values(values)).rowcount == 0:
            key = {"tenant": principal.tenant, "id": principal.id, "created_at": principal.created_at}
            self._connection.execute(insert(table).values(key | values))

    def remove(self, tenant: str, principal_id: str) -> None:
        self._connection.execute(delete(table).where(table.c.tenant == tenant, table.c.id == principal_id))

    def of_the_persons(self, tenant: str, principal_ids: Collection[str]) -> frozenset[str]:
        persons = select(table.c.person).where(table.c.tenant == tenant, table.c.id.in_(principal_ids))
        theirs = select(table.c.id).where(table.c.tenant == tenant, table.c.person.in_(persons))
        return frozenset(principal_ids) | frozenset(self._connection.execute(theirs).scalars())

    def lock_of_role(self, tenant: str, role: str) -> frozenset[str]:
        query = select(table.c.id).where(table.c.tenant == tenant, table.c.role == role).order_by(table.c.id)
        return frozenset(self._connection.execute(query.with_for_update()).scalars())


def _principal(row: Any) -> Principal:
    return Principal(
        tenant=row.tenant,
        id=row.id,
        name=row.name,
        role=Role(row.role),
        created_at=row.created_at,
        environments=None if row.environments is None else tuple(json.loads(row.environments)),
        person=row.person,
    )
