# SPDX-License-Identifier: Apache-2.0
"""Stock OPAs: which of their decisions are stored, and their last status."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from controlplane.services.model import Page
from controlplane.services.opa_instances import OpaBundle, OpaInstance
from controlplane.store.opa_tables import opa_decisions, opa_instances
from controlplane.store.pages import page_of

# SQLite takes 32,766 parameters in a statement, PostgreSQL 65,535.
_SLICE = 1000


class SqlOpa:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def remember(
        self, tenant: str, keys: Sequence[tuple[str, str]], *, now: datetime, forget_before: datetime
    ) -> frozenset[tuple[str, str]]:
        self._connection.execute(delete(opa_decisions).where(opa_decisions.c.received_at < forget_before))
        fresh = frozenset(keys) - self._known(tenant, keys)
        rows = [
            {"tenant": tenant, "instance": instance, "decision_id": decision_id, "received_at": now}
            for instance, decision_id in sorted(fresh)
        ]
        if rows:
            self._connection.execute(insert(opa_decisions), rows)
        return fresh

    def get(self, tenant: str, environment: str, instance: str) -> OpaInstance | None:
        found = self._connection.execute(
            select(opa_instances).where(*_one(tenant, environment, instance))
        ).one_or_none()
        return None if found is None else _instance(found)

    def put(self, instance: OpaInstance) -> None:
        self._connection.execute(delete(opa_instances).where(*_one(instance.tenant, instance.environment, instance.id)))
        self._connection.execute(
            insert(opa_instances).values(
                tenant=instance.tenant,
                environment=instance.environment,
                id=instance.id,
                version=instance.version,
                bundles=json.dumps([asdict(bundle) for bundle in instance.bundles]),
                dropped=instance.dropped,
                reported_by=instance.reported_by,
                reported_at=instance.reported_at,
            )
        )

    def page(self, tenant: str, *, after: str | None, limit: int) -> Page[OpaInstance]:
        query = select(opa_instances).where(opa_instances.c.tenant == tenant).order_by(opa_instances.c.id)
        if after is not None:
            query = query.where(opa_instances.c.id > after)
        rows = self._connection.execute(query.limit(limit + 1)).all()
        return page_of(rows, limit=limit, item=_instance, key="id")

    def _known(self, tenant: str, keys: Sequence[tuple[str, str]]) -> frozenset[tuple[str, str]]:
        by_instance: defaultdict[str, list[str]] = defaultdict(list)
        for instance, decision_id in keys:
            by_instance[instance].append(decision_id)
        known: set[tuple[str, str]] = set()
        for instance, ids in by_instance.items():
            for start in range(0, len(ids), _SLICE):
                query = select(opa_decisions.c.decision_id).where(
                    opa_decisions.c.tenant == tenant,
                    opa_decisions.c.instance == instance,
                    opa_decisions.c.decision_id.in_(ids[start : start + _SLICE]),
                )
                known |= {(instance, found) for found in self._connection.execute(query).scalars()}
        return frozenset(known)


def _one(tenant: str, environment: str, instance: str) -> tuple[Any, Any, Any]:
    return (
        opa_instances.c.tenant == tenant,
        opa_instances.c.environment == environment,
        opa_instances.c.id == instance,
    )


def _instance(row: Row[Any]) -> OpaInstance:
    return OpaInstance(
        tenant=row.tenant,
        environment=row.environment,
        id=row.id,
        version=row.version,
        bundles=tuple(OpaBundle(**bundle) for bundle in json.loads(row.bundles)),
        dropped=row.dropped,
        reported_by=row.reported_by,
        reported_at=row.reported_at,
    )
