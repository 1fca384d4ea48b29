# SPDX-License-Identifier: Apache-2.0
"""What the workers of live nodes say of a rollout: who enforces or tries it, and who refused it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from controlplane.services.model import Activation, Agent
from controlplane.services.ports import Session

# Nodes report each change at once, and every 5 s anyway; one that missed two reports is taken for dead, so that a
# node that was switched off does not keep an activation pending for ever.
LIVE_FOR: Final = timedelta(seconds=15)
# A worker keeps its last error until it loads something. Of which bundle it is, nodes of the version before do not say,
# and a candidate's is not said: what is reported right after a change may be of the one before.
_OLD_ERRORS_GONE: Final = timedelta(seconds=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerAcknowledgement:
    """`enforces` is of the activation that is asked about; of a candidate, whether the worker tries it.

    `failed_serial` is the bundle that `error` is of, None where that is not known.
    """

    node: str
    slot: str
    serial: int
    revision: str | None
    enforces: bool
    error: str | None
    failed_serial: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgements:
    """`refused` says who cannot put it to work, and why; None where nobody said so. `nodes` counts live ones."""

    workers: tuple[WorkerAcknowledgement, ...]
    nodes: int
    complete: bool
    refused: str | None


def live_nodes(session: Session, tenant: str, environment: str, *, now: datetime) -> tuple[Agent, ...]:
    oldest = now - LIVE_FOR
    return tuple(agent for agent in session.agents.of_environment(tenant, environment) if agent.reported_at >= oldest)


def of_activation(live: tuple[Agent, ...], activation: Activation, *, since: datetime | None) -> Acknowledgements:
    """Return what `live` say of what came into force at `since`, or was in force."""
    return _all_of(live, enforcing(live, activation.serial), activation, since)


def of_candidate(live: tuple[Agent, ...], activation: Activation, *, since: datetime | None) -> Acknowledgements:
    """Return what `live` say of a candidate that began at `since`."""
    workers = tuple(
        WorkerAcknowledgement(
            node=agent.id,
            slot=worker.slot,
            serial=worker.serial,
            revision=worker.revision,
            enforces=worker.candidate_serial == activation.serial,
            error=worker.candidate_error,
        )
        for agent in live
        for worker in agent.workers
    )
    return _all_of(live, workers, activation, since)


def enforcing(live: tuple[Agent, ...], serial: int) -> tuple[WorkerAcknowledgement, ...]:
    """Return what each worker of `live` enforces, and whether that is `serial`."""
    return tuple(
        WorkerAcknowledgement(
            node=agent.id,
            slot=worker.slot,
            serial=worker.serial,
            revision=worker.revision,
            enforces=worker.serial == serial,
            error=worker.error,
            failed_serial=worker.failed_serial,
        )
        for agent in live
        for worker in agent.workers
    )


def _all_of(
    live: tuple[Agent, ...],
    workers: tuple[WorkerAcknowledgement, ...],
    activation: Activation,
    since: datetime | None,
) -> Acknowledgements:
    refused = _rejection(live, activation) or _failure(live, workers, activation, since)
    complete = bool(workers) and all(agent.workers for agent in live) and all(worker.enforces for worker in workers)
    return Acknowledgements(workers=workers, nodes=len(live), complete=complete and refused is None, refused=refused)


def _rejection(live: tuple[Agent, ...], activation: Activation) -> str | None:
    for agent in live:
        rejected = agent.rejected_bundle
        if rejected is not None and (rejected.etag or "").strip('"') == activation.etag:
            return f"{agent.id} rejected the bundle: {rejected.code}"
    return None


def _failure(
    live: tuple[Agent, ...],
    workers: tuple[WorkerAcknowledgement, ...],
    activation: Activation,
    since: datetime | None,
) -> str | None:
    fresh = {agent.id for agent in live if since is None or agent.reported_at >= since + _OLD_ERRORS_GONE}
    for worker in workers:
        is_of_this = worker.node in fresh if worker.failed_serial is None else worker.failed_serial == activation.serial
        if worker.error and not worker.enforces and is_of_this:
            return f"{worker.node}/{worker.slot} could not load it"
    return None
