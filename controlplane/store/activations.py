# SPDX-License-Identifier: Apache-2.0
"""Activations and the bundles they put to work."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, case, func, insert, select, update

from controlplane.services.model import Activation, Artifact, Page
from controlplane.store.activation_tables import rollouts
from controlplane.store.pages import page_of
from controlplane.store.tables import activations

# A release that knew of no rollouts put at once in force what it published.
_IN_FORCE_AT = case((rollouts.c.id.is_(None), activations.c.created_at), else_=rollouts.c.in_force_at)
_KNOWN: Select[Any] = (
    select(*(column for column in activations.c if column.name != "bundle"), _IN_FORCE_AT.label("in_force_at"))
    .select_from(activations)
    .outerjoin(rollouts, and_(rollouts.c.tenant == activations.c.tenant, rollouts.c.id == activations.c.id))
)


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
        return self._one(_KNOWN.where(activations.c.tenant == tenant, activations.c.id == activation_id))

    def at_serial(self, tenant: str, environment: str, serial: int) -> Activation | None:
        return self._one(_KNOWN.where(*_at(tenant, environment, serial)))

    def in_force(self, tenant: str, environment: str, at: datetime) -> Activation | None:
        query = _KNOWN.where(*_in(tenant, environment), at >= _IN_FORCE_AT)
        return self._one(query.order_by(activations.c.serial.desc()).limit(1))

    def next_in_force(self, tenant: str, environment: str, serial: int) -> Activation | None:
        query = _KNOWN.where(*_in(tenant, environment), activations.c.serial > serial, _IN_FORCE_AT.is_not(None))
        return self._one(query.order_by(activations.c.serial).limit(1))

    def last_serial(self, tenant: str, environment: str) -> int:
        query = select(func.max(activations.c.serial)).where(*_in(tenant, environment))
        return self._connection.execute(query).scalar_one() or 0

    def unrolled(self) -> tuple[Activation, ...]:
        query = _KNOWN.where(rollouts.c.id.is_(None)).order_by(activations.c.tenant, activations.c.serial)
        return tuple(map(_activation, self._connection.execute(query)))

    def bundle(self, tenant: str, environment: str, serial: int) -> Artifact | None:
        query = select(activations.c.etag, activations.c.bundle).where(*_at(tenant, environment, serial))
        row = self._connection.execute(query).one_or_none()
        return None if row is None else Artifact(etag=row.etag, content=bytes(row.bundle))

    def page(self, tenant: str, *, after: str | None, limit: int) -> Page[Activation]:
        query = _KNOWN.where(activations.c.tenant == tenant).order_by(activations.c.id).limit(limit + 1)
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


def _in(tenant: str, environment: str) -> tuple[Any, ...]:
    return (activations.c.tenant == tenant, activations.c.environment == environment)


def _at(tenant: str, environment: str, serial: int) -> tuple[Any, ...]:
    return (*_in(tenant, environment), activations.c.serial == serial)


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
        in_force_at=row.in_force_at,
    )
