# SPDX-License-Identifier: Apache-2.0
"""Activations and the bundles they put to work."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, insert, select, update

from controlplane.services.model import Activation, Artifact, Page
from controlplane.store.pages import page_of
from controlplane.store.tables import activations

_COLUMNS = tuple(column for column in activations.c if column.name != "bundle")


class SqlActivations:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, activation: Activation, bundle: Artifact) -> None:
        self._connection.execute(
            insert(activations).values(
                tenant=activation.tenant,
                id=activation.id,
                environment=activation.environment,
                serial=activation.serial,
                release=activation.release,
                revision=activation.revision,
                etag=bundle.etag,
                bundle=bundle.content,
                by=activation.by,
                created_at=activation.created_at,
                active_at=activation.active_at,
            ),
        )

    def get(self, tenant: str, activation_id: str) -> Activation | None:
        return self._one(select(*_COLUMNS).where(activations.c.tenant == tenant, activations.c.id == activation_id))

    def at_serial(self, tenant: str, environment: str, serial: int) -> Activation | None:
        return self._one(select(*_COLUMNS).where(*_at(tenant, environment, serial)))

    def in_force(self, tenant: str, environment: str, at: datetime) -> Activation | None:
        query = select(*_COLUMNS).where(
            activations.c.tenant == tenant,
            activations.c.environment == environment,
            activations.c.created_at <= at,
        )
        return self._one(query.order_by(activations.c.serial.desc()).limit(1))

    def bundle(self, tenant: str, environment: str, serial: int) -> Artifact | None:
        query = select(activations.c.etag, activations.c.bundle).where(*_at(tenant, environment, serial))
        row = self._connection.execute(query).one_or_none()
        return None if row is None else Artifact(etag=row.etag, content=bytes(row.bundle))

    def page(self, tenant: str, *, after: str | None, limit: int) -> Page[Activation]:
        query = select(*_COLUMNS).where(activations.c.tenant == tenant).order_by(activations.c.id).limit(limit + 1)
        if after is not None:
            query = query.where(activations.c.id > after)
        return page_of(self._connection.execute(query).all(), limit=limit, item=_activation, key="id")

    def set_active(self, tenant: str, activation_id: str, at: datetime) -> None:
        self._connection.execute(
            update(activations)
            .where(
                activations.c.tenant == tenant,
                activations.c.id == activation_id,
                activations.c.active_at.is_(None),
            )
            .values(active_at=at),
        )

    def _one(self, query: Select[Any]) -> Activation | None:
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _activation(row)


def _at(tenant: str, environment: str, serial: int) -> tuple[Any, ...]:
    return (
        activations.c.tenant == tenant,
        activations.c.environment == environment,
        activations.c.serial == serial,
    )


def _activation(row: Row[Any]) -> Activation:
    return Activation(
        tenant=row.tenant,
        environment=row.environment,
        id=row.id,
        serial=row.serial,
        release=row.release,
        revision=row.revision,
        etag=row.etag,
        by=row.by,
        created_at=row.created_at,
        active_at=row.active_at,
    )
