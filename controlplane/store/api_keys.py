# SPDX-License-Identifier: Apache-2.0
"""The data plane's API keys, hashed. A revoked key stays, so that it is refused as revoked and never given again."""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from controlplane.services.model import ApiKey, Page
from controlplane.store.pages import page_of
from controlplane.store.tables import api_keys
from policies.contracts.scope import UNSCOPED, Scope


class SqlApiKeys:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, key: ApiKey) -> None:
        self._connection.execute(
            insert(api_keys).values(
                tenant=key.tenant,
                id=key.id,
                environment=key.environment,
                subject=key.subject,
                hash=key.hash,
                created_by=key.created_by,
                created_at=key.created_at,
                expires_at=key.expires_at,
                revoked_at=key.revoked_at,
                scope=_scope_text(key.scope),
                replaced_by=key.replaced_by,
            ),
        )

    def get(self, tenant: str, key_id: str) -> ApiKey | None:
        query = select(api_keys).where(api_keys.c.tenant == tenant, api_keys.c.id == key_id)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else read_key(row)

    def of_environment(self, tenant: str, environment: str) -> tuple[ApiKey, ...]:
        query = (
            select(api_keys)
            .where(api_keys.c.tenant == tenant, api_keys.c.environment == environment)
            .order_by(api_keys.c.id)
        )
        return tuple(map(read_key, self._connection.execute(query)))

    def page(self, tenant: str, *, after: str | None, limit: int) -> Page[ApiKey]:
        query = select(api_keys).where(api_keys.c.tenant == tenant).order_by(api_keys.c.id).limit(limit + 1)
        if after is not None:
            query = query.where(api_keys.c.id > after)
        return page_of(self._connection.execute(query).all(), limit=limit, item=read_key, key="id")

    def revoke(self, tenant: str, key_id: str, at: datetime) -> None:
        self._connection.execute(
            update(api_keys).where(api_keys.c.tenant == tenant, api_keys.c.id == key_id).values(revoked_at=at),
        )

    def replace(self, tenant: str, key_id: str, *, by: str, expires_at: datetime) -> None:
        self._connection.execute(
            update(api_keys)
            .where(api_keys.c.tenant == tenant, api_keys.c.id == key_id)
            .values(replaced_by=by, expires_at=expires_at),
        )


def _scope_text(scope: Scope) -> str | None:
    return None if scope == UNSCOPED else json.dumps({"operations": scope.operations, "models": scope.models})


def _scope(text: str | None) -> Scope:
    if text is None:
        return UNSCOPED
    kept = json.loads(text)
    return Scope(**{name: None if names is None else tuple(names) for name, names in kept.items()})


def read_key(row: Row[Any]) -> ApiKey:
    return ApiKey(
        tenant=row.tenant,
        environment=row.environment,
        id=row.id,
        subject=row.subject,
        hash=row.hash,
        created_by=row.created_by,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        scope=_scope(row.scope),
        replaced_by=row.replaced_by,
    )
