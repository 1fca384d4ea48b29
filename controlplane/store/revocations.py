# SPDX-License-Identifier: Apache-2.0
"""What is revoked, and the newest signed document that says so."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, or_, select, update

from controlplane.services.model import ApiKey, Artifact, Page
from controlplane.services.revocation import RevokedToken
from controlplane.store.api_keys import read_key
from controlplane.store.pages import page_of
from controlplane.store.revocation_tables import revocations, revoked_tokens
from controlplane.store.tables import api_keys


class SqlRevocations:
    """`controlplane.services.revocation.RevocationStore`. Whoever writes holds the environment's lock."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, revoked: RevokedToken) -> None:
        self._connection.execute(insert(revoked_tokens).values(asdict(revoked)))

    def remove(self, tenant: str, revoked_id: str) -> None:
        self._connection.execute(delete(revoked_tokens).where(*_named(tenant, revoked_id)))

    def get(self, tenant: str, revoked_id: str) -> RevokedToken | None:
        row = self._connection.execute(select(revoked_tokens).where(*_named(tenant, revoked_id))).one_or_none()
        return None if row is None else _token(row)

    def page(self, tenant: str, environment: str, *, after: str | None, limit: int) -> Page[RevokedToken]:
        query = (
            select(revoked_tokens)
            .where(*_of_environment(tenant, environment))
            .order_by(revoked_tokens.c.id)
            .limit(limit + 1)
        )
        if after is not None:
            query = query.where(revoked_tokens.c.id > after)
        return page_of(self._connection.execute(query).all(), limit=limit, item=_token, key="id")

    def count(self, tenant: str, environment: str) -> int:
        query = select(func.count()).select_from(revoked_tokens).where(*_of_environment(tenant, environment))
        return self._connection.execute(query).scalar_one()

    def of_environment(self, tenant: str, environment: str) -> tuple[RevokedToken, ...]:
        query = select(revoked_tokens).where(*_of_environment(tenant, environment)).order_by(revoked_tokens.c.id)
        return tuple(map(_token, self._connection.execute(query)))

    def prune(self, tenant: str, environment: str, *, expired_before: datetime) -> None:
        expired = revoked_tokens.c.expires_at < expired_before
        self._connection.execute(delete(revoked_tokens).where(*_of_environment(tenant, environment), expired))

    def revoked_keys(self, tenant: str, environment: str, *, expired_before: datetime) -> tuple[str, ...]:
        # A key that was rotated has an earlier end here than an older credentials document says.
        may_count = or_(
            api_keys.c.expires_at.is_(None),
            api_keys.c.expires_at >= expired_before,
            api_keys.c.replaced_by.is_not(None),
        )
        query = (
            select(api_keys.c.id)
            .where(
                api_keys.c.tenant == tenant,
                api_keys.c.environment == environment,
                api_keys.c.revoked_at.is_not(None),
                may_count,
            )
            .order_by(api_keys.c.id)
        )
        return tuple(self._connection.execute(query).scalars())

    def keys_of(self, tenant: str, environment: str, subject: str, *, made_before: datetime) -> tuple[ApiKey, ...]:
        query = select(api_keys).where(
            api_keys.c.tenant == tenant,
            api_keys.c.environment == environment,
            api_keys.c.subject == subject,
            api_keys.c.revoked_at.is_(None),
            api_keys.c.created_at < made_before,
        )
        return tuple(map(read_key, self._connection.execute(query.order_by(api_keys.c.id))))

    def document(self, tenant: str, environment: str) -> Artifact | None:
        query = select(revocations.c.etag, revocations.c.document).where(*_document(tenant, environment))
        row = self._connection.execute(query).one_or_none()
        return None if row is None else Artifact(etag=row.etag, content=bytes(row.document))

    def epoch(self, tenant: str, environment: str) -> int:
        query = select(revocations.c.epoch).where(*_document(tenant, environment))
        return self._connection.execute(query).scalar_one_or_none() or 0

    def put(self, tenant: str, environment: str, document: Artifact, *, epoch: int, credentials_due: bool) -> None:
        values = {
            "epoch": epoch,
            "etag": document.etag,
            "document": document.content,
            "credentials_due": int(credentials_due),
        }
        changed = self._connection.execute(update(revocations).where(*_document(tenant, environment)).values(values))
        if changed.rowcount == 0:
            self._connection.execute(insert(revocations).values(tenant=tenant, environment=environment, **values))

    def due(self) -> tuple[tuple[str, str], ...]:
        query = select(revocations.c.tenant, revocations.c.environment).where(revocations.c.credentials_due > 0)
        return tuple((row.tenant, row.environment) for row in self._connection.execute(query))

    def settle(self, tenant: str, environment: str) -> None:
        self._connection.execute(
            update(revocations).where(*_document(tenant, environment)).values(credentials_due=0),
        )


def _named(tenant: str, revoked_id: str) -> tuple[ColumnElement[bool], ...]:
    return (revoked_tokens.c.tenant == tenant, revoked_tokens.c.id == revoked_id)


def _of_environment(tenant: str, environment: str) -> tuple[ColumnElement[bool], ...]:
    return (revoked_tokens.c.tenant == tenant, revoked_tokens.c.environment == environment)


def _document(tenant: str, environment: str) -> tuple[ColumnElement[bool], ...]:
    return (revocations.c.tenant == tenant, revocations.c.environment == environment)


def _token(row: Row[Any]) -> RevokedToken:
    return RevokedToken(
        tenant=row.tenant,
        environment=row.environment,
        id=row.id,
        issuer=row.issuer,
        jti=row.jti,
        sha256=row.sha256,
        subject=row.subject,
        issued_before=row.issued_before,
        expires_at=row.expires_at,
        reason=row.reason,
        revoked_by=row.revoked_by,
        revoked_at=row.revoked_at,
    )
