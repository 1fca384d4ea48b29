# SPDX-License-Identifier: Apache-2.0
"""Proxy nodes as they last reported themselves, with their workers."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, delete, insert, select, update

from controlplane.services.model import Agent, Page, RejectedBundle, SpoolStatus, WorkerStatus
from controlplane.store.rows import add_if_absent
from controlplane.store.tables import agent_workers, agents


class SqlAgents:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, tenant: str, environment: str, agent_id: str) -> Agent | None:
        found = self._agents(
            select(agents).where(
                agents.c.tenant == tenant,
                agents.c.environment == environment,
                agents.c.id == agent_id,
            ),
        )
        return found[0] if found else None

    def put(self, agent: Agent) -> None:
        key = {"tenant": agent.tenant, "environment": agent.environment, "id": agent.id}
        one = and_(*(agents.c[name] == value for name, value in key.items()))
        values = {
            "version": agent.version,
            "guard_engine": agent.guard_engine,
            "spool": json.dumps(None if agent.spool is None else asdict(agent.spool)),
            "rejected_bundle": json.dumps(None if agent.rejected_bundle is None else asdict(agent.rejected_bundle)),
            "reported_by": agent.reported_by,
            "reported_at": agent.reported_at,
            "environment_number": agent.environment_number,
        }
        known = update(agents).where(one).values(values)
        if self._connection.execute(known).rowcount == 0 and not add_if_absent(self._connection, agents, key | values):
            self._connection.execute(known)
        worker_key = {"tenant": agent.tenant, "environment": agent.environment, "agent": agent.id}
        self._connection.execute(
            delete(agent_workers).where(and_(*(agent_workers.c[name] == value for name, value in worker_key.items()))),
        )
        if agent.workers:
            self._connection.execute(
                insert(agent_workers),
                [worker_key | asdict(worker) for worker in agent.workers],
            )

    def of_environment(self, tenant: str, environment: str) -> tuple[Agent, ...]:
        return self._agents(select(agents).where(agents.c.tenant == tenant, agents.c.environment == environment))

    def page(self, tenant: str, *, after: str | None, limit: int) -> Page[Agent]:
        query = select(agents).where(agents.c.tenant == tenant).limit(limit + 1)
        if after is not None:
            # The key of a page is `ENVIRONMENT ID`; neither may hold a space.
            environment, _, agent_id = after.partition(" ")
            query = query.where(
                (agents.c.environment > environment)
                | ((agents.c.environment == environment) & (agents.c.id > agent_id)),
            )
        found = self._agents(query)
        shown = found[:limit]
        more = len(found) > limit
        return Page(items=shown, next_key=f"{shown[-1].environment} {shown[-1].id}" if more else None)

    def _agents(self, query: Select[Any]) -> tuple[Agent, ...]:
        rows = self._connection.execute(query.order_by(agents.c.environment, agents.c.id)).all()
        if not rows:
            return ()
        ids = {row.id for row in rows}
        workers = self._connection.execute(
            select(agent_workers)
            .where(agent_workers.c.tenant == rows[0].tenant, agent_workers.c.agent.in_(ids))
            .order_by(agent_workers.c.environment, agent_workers.c.agent, agent_workers.c.slot),
        )
        by_agent = {
            key: tuple(map(_worker, group)) for key, group in groupby(workers, lambda row: (row.environment, row.agent))
        }
        return tuple(_agent(row, by_agent.get((row.environment, row.id), ())) for row in rows)


def _worker(row: Row[Any]) -> WorkerStatus:
    return WorkerStatus(
        slot=row.slot,
        pid=row.pid,
        serial=row.serial,
        revision=row.revision,
        epoch=row.epoch,
        error=row.error,
        failed_serial=row.failed_serial,
        revocations_epoch=row.revocations_epoch,
        candidate_serial=row.candidate_serial,
        candidate_error=row.candidate_error,
    )


def _agent(row: Row[Any], workers: Iterable[WorkerStatus]) -> Agent:
    spool, rejected = json.loads(row.spool), json.loads(row.rejected_bundle)
    return Agent(
        tenant=row.tenant,
        environment=row.environment,
        id=row.id,
        version=row.version,
        guard_engine=row.guard_engine,
        workers=tuple(workers),
        spool=None if spool is None else SpoolStatus(**spool),
        rejected_bundle=None if rejected is None else RejectedBundle(**rejected),
        reported_by=row.reported_by,
        reported_at=row.reported_at,
        environment_number=row.environment_number,
    )
