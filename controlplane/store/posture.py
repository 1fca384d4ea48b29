# SPDX-License-Identifier: Apache-2.0
"""Results of nodes' checks, and findings (`controlplane.services.posture.PostureStore`)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, insert, select, update

from controlplane.services.model import Page
from controlplane.services.posture import CheckResult, Finding, FindingFilter, PostureResult
from controlplane.store.pages import page_of
from controlplane.store.posture_tables import posture_findings, posture_results

_IS_OPEN = posture_findings.c.closed_at.is_(None)


class SqlPosture:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def results(self, tenant: str, environment: str, node: str) -> tuple[PostureResult, ...]:
        query = select(posture_results).where(*_results_of(tenant, environment, node))
        rows = self._connection.execute(query.order_by(posture_results.c.check_name))
        return tuple(
            PostureResult(check=row.check_name, result=CheckResult(row.result), detail=row.detail, at=row.at)
            for row in rows
        )

    def put_results(self, tenant: str, environment: str, node: str, results: Sequence[PostureResult]) -> None:
        self._connection.execute(delete(posture_results).where(*_results_of(tenant, environment, node)))
        rows = [
            {
                "tenant": tenant,
                "environment": environment,
                "node": node,
                "check_name": each.check,
                "result": each.result.value,
                "detail": each.detail,
                "at": each.at,
            }
            for each in results
        ]
        if rows:
            self._connection.execute(insert(posture_results), rows)

    def add(self, finding: Finding) -> None:
        self._connection.execute(
            insert(posture_findings).values(
                tenant=finding.tenant,
                id=finding.id,
                environment=finding.environment,
                node=finding.node,
                check_name=finding.check,
                detail=finding.detail,
                opened_at=finding.opened_at,
                closed_at=finding.closed_at,
            )
        )

    def close(self, finding: Finding, *, at: datetime) -> None:
        one = (posture_findings.c.tenant == finding.tenant, posture_findings.c.id == finding.id)
        self._connection.execute(update(posture_findings).where(*one).values(closed_at=at))

    def of_node(self, tenant: str, environment: str, node: str) -> tuple[Finding, ...]:
        query = select(posture_findings).where(
            posture_findings.c.tenant == tenant,
            posture_findings.c.environment == environment,
            posture_findings.c.node == node,
            _IS_OPEN,
        )
        return tuple(map(_finding, self._connection.execute(query.order_by(posture_findings.c.id))))

    def open(self) -> tuple[Finding, ...]:
        query = select(posture_findings).where(_IS_OPEN).order_by(posture_findings.c.tenant, posture_findings.c.id)
        return tuple(map(_finding, self._connection.execute(query)))

    def page(self, tenant: str, wanted: FindingFilter, *, after: str | None, limit: int) -> Page[Finding]:
        query = select(posture_findings).where(posture_findings.c.tenant == tenant, *_wanted(wanted))
        if after is not None:
            query = query.where(posture_findings.c.id > after)
        rows = self._connection.execute(query.order_by(posture_findings.c.id).limit(limit + 1)).all()
        return page_of(rows, limit=limit, item=_finding, key="id")


def _results_of(tenant: str, environment: str, node: str) -> tuple[ColumnElement[bool], ...]:
    return (
        posture_results.c.tenant == tenant,
        posture_results.c.environment == environment,
        posture_results.c.node == node,
    )


def _wanted(wanted: FindingFilter) -> list[ColumnElement[bool]]:
    named = {"environment": wanted.environment, "node": wanted.node, "check_name": wanted.check}
    conditions = [posture_findings.c[name] == value for name, value in named.items() if value is not None]
    if wanted.is_open is not None:
        conditions.append(_IS_OPEN if wanted.is_open else ~_IS_OPEN)
    return conditions


def _finding(row: Row[Any]) -> Finding:
    return Finding(
        tenant=row.tenant,
        environment=row.environment,
        id=row.id,
        node=row.node,
        check=row.check_name,
        detail=row.detail,
        opened_at=row.opened_at,
        closed_at=row.closed_at,
    )
