# SPDX-License-Identifier: Apache-2.0
"""Environments: the serial in force, the credentials' epoch, and the credentials document of that epoch."""

from typing import Any

from sqlalchemy import Connection, and_, func, insert, select, update

from controlplane.services.model import Artifact, Environment
from controlplane.store.activation_tables import environment_documents
from controlplane.store.revocation_tables import revocations
from controlplane.store.tables import environments

_COLUMNS = (environments.c.tenant, environments.c.id, environments.c.serial, environments.c.epoch)


class SqlEnvironments:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def ensure(self, tenant: str, environment: str) -> None:
        if self.get(tenant, environment) is None:
            self._connection.execute(
                insert(environments).values(
                    tenant=tenant,
                    id=environment,
                    serial=0,
                    epoch=0,
                    credentials_etag="",
                    credentials=b"",
                ),
            )

    def get(self, tenant: str, environment: str) -> Environment | None:
        query = select(*_COLUMNS).where(environments.c.tenant == tenant, environments.c.id == environment)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _environment(row)

    def lock(self, tenant: str, environment: str) -> Environment | None:
        query = select(*_COLUMNS).where(environments.c.tenant == tenant, environments.c.id == environment)
        row = self._connection.execute(query.with_for_update()).one_or_none()
        return None if row is None else _environment(row)

    def all(self, tenant: str) -> tuple[Environment, ...]:
        query = select(*_COLUMNS).where(environments.c.tenant == tenant).order_by(environments.c.id)
        return tuple(map(_environment, self._connection.execute(query)))

    def tenants(self) -> tuple[str, ...]:
        query = select(environments.c.tenant).distinct().order_by(environments.c.tenant)
        return tuple(self._connection.execute(query).scalars())

    def heads(self) -> dict[tuple[str, str], tuple[int, ...]]:
        document = and_(
            environment_documents.c.tenant == environments.c.tenant,
            environment_documents.c.environment == environments.c.id,
        )
        revoked = and_(
            revocations.c.tenant == environments.c.tenant,
            revocations.c.environment == environments.c.id,
        )
        numbers = (
            func.coalesce(environment_documents.c.number, 0).label("number"),
            func.coalesce(revocations.c.epoch, 0).label("revocations_epoch"),
        )
        query = select(*_COLUMNS, *numbers).outerjoin(environment_documents, document).outerjoin(revocations, revoked)
        rows = self._connection.execute(query)
        return {(row.tenant, row.id): (row.serial, row.epoch, row.number, row.revocations_epoch) for row in rows}

    def set_serial(self, tenant: str, environment: str, serial: int) -> None:
        self._set(tenant, environment, serial=serial)

    def set_credentials(self, tenant: str, environment: str, epoch: int, document: Artifact) -> None:
        self._set(tenant, environment, epoch=epoch, credentials_etag=document.etag, credentials=document.content)

    def credentials(self, tenant: str, environment: str) -> Artifact | None:
        query = select(environments.c.credentials_etag, environments.c.credentials).where(
            environments.c.tenant == tenant,
            environments.c.id == environment,
            environments.c.epoch > 0,
        )
        row = self._connection.execute(query).one_or_none()
        return None if row is None else Artifact(etag=row.credentials_etag, content=bytes(row.credentials))

    def _set(self, tenant: str, environment: str, **values: object) -> None:
        self._connection.execute(
            update(environments)
            .where(environments.c.tenant == tenant, environments.c.id == environment)
            .values(**values),
        )


def _environment(row: Any) -> Environment:
    return Environment(tenant=row.tenant, id=row.id, serial=row.serial, epoch=row.epoch)
