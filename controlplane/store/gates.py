# SPDX-License-Identifier: Apache-2.0
"""What releases passed (`controlplane.services.change_ports.GatesOfReleases`). Evidence is never changed."""

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from controlplane.services.gate import Gate, GateEvidence
from controlplane.services.model import Page
from controlplane.store.change_tables import release_evidence as table
from controlplane.store.pages import page_of
from controlplane.store.tables import activations, releases


class SqlGates:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, evidence: GateEvidence) -> None:
        row = asdict(evidence) | {"gate": evidence.gate.value, "summary": json.dumps(evidence.summary)}
        self._connection.execute(insert(table).values(row))

    def page(self, tenant: str, release: str, *, after: str | None, limit: int) -> Page[GateEvidence]:
        query = select(table).where(table.c.tenant == tenant, table.c.release == release).order_by(table.c.id)
        if after is not None:
            query = query.where(table.c.id > after)
        return page_of(self._connection.execute(query.limit(limit + 1)).all(), limit=limit, item=_evidence, key="id")

    def passed(self, tenant: str, releases: Collection[str]) -> frozenset[Gate]:
        query = select(table.c.gate).where(table.c.tenant == tenant, table.c.release.in_(sorted(releases))).distinct()
        return frozenset(map(Gate, self._connection.execute(query).scalars()))

    def serials(self, tenant: str, environment: str, release: str) -> frozenset[int]:
        query = select(activations.c.serial).where(
            activations.c.tenant == tenant, activations.c.environment == environment, activations.c.release == release
        )
        return frozenset(self._connection.execute(query).scalars())

    def enforced(self, tenant: str, environment: str, pins: Sequence[tuple[str, str]]) -> frozenset[str]:
        # Pins are kept in the order of their policies, so that equal ones are equal texts.
        query = (
            select(releases.c.id)
            .join(
                activations,
                (activations.c.tenant == releases.c.tenant) & (activations.c.release == releases.c.id),
            )
            .where(
                releases.c.tenant == tenant,
                releases.c.environment == environment,
                releases.c.policies == json.dumps(pins),
                activations.c.environment == environment,
                activations.c.active_at.is_not(None),
            )
            .distinct()
        )
        return frozenset(self._connection.execute(query).scalars())


def _evidence(row: Row[Any]) -> GateEvidence:
    return GateEvidence(**{**row._mapping, "gate": Gate(row.gate), "summary": json.loads(row.summary)})  # noqa: SLF001  # SQLAlchemy documents it
