# SPDX-License-Identifier: Apache-2.0
"""The fleet at one glance: what every node and every stock OPA should enforce, what it does, and what is wrong there.

Theory: all of it is read in one transaction, so that what is wanted and what is reported are of one moment. A node is
as far as its slowest worker, because each of them decides requests.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from controlplane.services.acknowledgements import LIVE_FOR
from controlplane.services.model import Agent, Environment
from controlplane.services.opa_instances import OURS, Drift, OpaInstance
from controlplane.services.opa_intake import STALE_AFTER
from controlplane.services.ports import Session

_OPAS_A_PAGE = 500


class MemberKind(StrEnum):
    NODE = "node"
    OPA = "opa"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One that enforces. `serial` and `revision` are of the slowest worker; None where one enforces nothing.

    `lag_s` is for how long something else has been in force than all of it enforces; 0 where it does enforce that.
    What is `…_behind` counts documents; None where it does not say which it has. `stale`: it has not reported lately.
    """

    kind: MemberKind
    id: str
    environment: str
    version: str
    engine: str
    live: bool
    reported_at: datetime
    desired_serial: int
    desired_revision: str | None
    serial: int | None
    revision: str | None
    in_force: bool
    lag_s: int
    candidate_serial: int | None = None
    problem: str | None = None
    spool_depth: int | None = None
    spool_oldest_s: int | None = None
    dropped: int | None = None
    missing: int | None = None
    credentials_behind: int | None = None
    revocations_behind: int | None = None
    document_behind: int | None = None
    findings: tuple[str, ...] = ()

    @property
    def stale(self) -> bool:
        return not self.live


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """What is in force in an environment."""

    environment: Environment
    revision: str | None
    since: datetime | None
    revocations_epoch: int
    document_number: int

    def lag_s(self, now: datetime) -> int:
        return 0 if self.since is None else max(0, int((now - self.since) / timedelta(seconds=1)))


def members(session: Session, tenant: str, *, now: datetime) -> tuple[Member, ...]:
    """Return every node and every stock OPA of the tenant that ever reported, by environment, kind and id."""
    wanted = {each.id: _wanted(session, each) for each in session.environments.all(tenant)}
    missing: defaultdict[str, int] = defaultdict(int)
    for source in session.decisions.sources(tenant):
        missing[source.source_id.rpartition("/")[0]] += source.missing
    nodes = [
        _node(session, agent, each, missing=missing[agent.id], now=now)
        for each in wanted.values()
        for agent in session.agents.of_environment(tenant, each.environment.id)
    ]
    opas = [_opa(each, wanted[each.environment], now=now) for each in _opas(session, tenant)]
    return tuple(sorted((*nodes, *opas), key=lambda member: (member.environment, member.kind, member.id)))


def _wanted(session: Session, environment: Environment) -> _Wanted:
    where = (environment.tenant, environment.id)
    active = session.activations.at_serial(*where, environment.serial)
    return _Wanted(
        environment=environment,
        revision=None if active is None else active.revision,
        since=None if active is None else active.in_force_at or active.created_at,
        revocations_epoch=session.revocations.epoch(*where),
        document_number=session.environment_documents.number(*where),
    )


def _opas(session: Session, tenant: str) -> Iterator[OpaInstance]:
    after = None
    while True:
        page = session.opa.page(tenant, after=after, limit=_OPAS_A_PAGE)
        yield from page.items
        after = page.next_key
        if after is None:
            return


def _node(session: Session, agent: Agent, wanted: _Wanted, *, missing: int, now: datetime) -> Member:
    desired = wanted.environment.serial
    slowest = min(agent.workers, key=lambda worker: worker.serial, default=None)
    enforces = slowest is not None and all(worker.serial == desired for worker in agent.workers)
    candidates = {worker.candidate_serial for worker in agent.workers}
    return Member(
        kind=MemberKind.NODE,
        id=agent.id,
        environment=agent.environment,
        version=agent.version,
        engine=agent.guard_engine,
        live=agent.reported_at >= now - LIVE_FOR,
        reported_at=agent.reported_at,
        desired_serial=desired,
        desired_revision=wanted.revision,
        serial=None if slowest is None else slowest.serial or None,
        revision=None if slowest is None else slowest.revision,
        in_force=enforces,
        lag_s=0 if enforces else wanted.lag_s(now),
        candidate_serial=candidates.pop() if len(candidates) == 1 else None,
        problem=_problem(agent),
        spool_depth=None if agent.spool is None else agent.spool.depth_records,
        spool_oldest_s=None if agent.spool is None else agent.spool.oldest_s,
        missing=missing,
        credentials_behind=_behind(wanted.environment.epoch, (worker.epoch for worker in agent.workers)),
        revocations_behind=_behind(wanted.revocations_epoch, (each.revocations_epoch for each in agent.workers)),
        document_behind=_behind(wanted.document_number, (agent.environment_number,)),
        findings=tuple(found.check for found in session.posture.of_node(agent.tenant, agent.environment, agent.id)),
    )


def _opa(instance: OpaInstance, wanted: _Wanted, *, now: datetime) -> Member:
    desired = wanted.environment.serial
    ours = next((bundle for bundle in instance.bundles if bundle.name == OURS), None)
    drift = Drift.UNKNOWN if ours is None else ours.drift(desired)
    revision = None if ours is None or ours.serial is None else (ours.active_revision or "").partition("+")[2]
    return Member(
        kind=MemberKind.OPA,
        id=instance.id,
        environment=instance.environment,
        version=instance.version,
        engine="opa",
        live=instance.reported_at >= now - STALE_AFTER,
        reported_at=instance.reported_at,
        desired_serial=desired,
        desired_revision=wanted.revision,
        serial=None if ours is None else ours.serial,
        revision=revision,
        in_force=drift is Drift.NONE,
        lag_s=0 if drift is Drift.NONE else wanted.lag_s(now),
        problem=Drift.REPLAYED.value if drift is Drift.REPLAYED else None if ours is None else ours.code,
        dropped=instance.dropped,
    )


def _problem(agent: Agent) -> str | None:
    """Return the code of why the node does not enforce the newest bundle, where it says so."""
    if agent.rejected_bundle is not None:
        return agent.rejected_bundle.code
    return "worker-failed" if any(worker.error for worker in agent.workers) else None


def _behind(newest: int, said: Iterable[int | None]) -> int | None:
    known = list(said)
    lowest = min((each for each in known if each is not None), default=None)
    return None if lowest is None or None in known else max(0, newest - lowest)
