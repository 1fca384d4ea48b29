# SPDX-License-Identifier: Apache-2.0
"""Put releases to work, and say worker by worker what is enforced.

Theory: an activation takes the environment's next serial and signs a bundle; nodes fetch it by themselves. It is
`active` once every worker of every live node said that it enforces the serial, `failed` where a node rejected the
bundle or a worker could not load it, `superseded` once a later serial exists, and `pending` otherwise.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from controlplane.identifiers import Clock, NewId
from controlplane.services.admin_log import note
from controlplane.services.approvals import approve_by_activating, require_activatable
from controlplane.services.errors import Conflict, NotFound
from controlplane.services.model import Activation, Agent, Environment, Page, Principal, Release
from controlplane.services.ports import Session, Store
from controlplane.services.preconditions import IfMatch
from controlplane.services.publishing import Publisher
from policies.contracts.snapshot import PolicySnapshot

# Nodes report each change at once, and every 5 s anyway; one that missed two reports is taken for dead, so that a
# node that was switched off does not keep an activation pending for ever.
LIVE_FOR: Final = timedelta(seconds=15)


class ActivationState(StrEnum):
    PENDING = "pending"
    ACTIVE = "active"
    FAILED = "failed"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerAcknowledgement:
    node: str
    slot: str
    serial: int
    revision: str | None
    enforces: bool
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivationView:
    activation: Activation
    state: ActivationState
    workers: tuple[WorkerAcknowledgement, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentView:
    """`desired` is the activation in force, None before the first; `workers` say what each enforces."""

    environment: Environment
    desired: ActivationView | None
    workers: tuple[WorkerAcknowledgement, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Activations:
    store: Store
    publisher: Publisher
    clock: Clock
    new_id: NewId
    published: Callable[[], None]

    def activate(self, actor: Principal, *, release_id: str, environment: str, if_match: IfMatch) -> ActivationView:
        """Put a release to work at the environment's next serial. Activating an old one again is the rollback."""
        with self.store.write() as session:
            before = _must_have(session.environments.lock(actor.tenant, environment))
            if_match.check(str(before.serial))
            release = self._activatable(session, actor, release_id, environment)
            serial = before.serial + 1
            snapshot = PolicySnapshot.from_json(json.loads(release.snapshot))
            bundle = self.publisher.pack(snapshot, serial=serial)
            activation = Activation(
                tenant=actor.tenant,
                environment=environment,
                id=self.new_id("act_"),
                serial=serial,
                release=release.id,
                revision=release.revision,
                etag=bundle.etag,
                by=actor.id,
                created_at=self.clock(),
                active_at=None,
            )
            session.activations.add(activation, bundle)
            session.environments.set_serial(actor.tenant, environment, serial)
            note(
                session,
                actor,
                self.clock,
                action="release_activated",
                target=release.id,
                environment=environment,
                serial=serial,
            )
            view = self._view(session, activation)
        self.published()
        return view

    def get(self, actor: Principal, activation_id: str) -> ActivationView:
        with self.store.read() as session:
            activation = session.activations.get(actor.tenant, activation_id)
            if activation is None:
                raise NotFound("activation-unknown", "There is no such activation.")
            return self._view(session, activation)

    def page(self, actor: Principal, *, after: str | None, limit: int) -> Page[ActivationView]:
        with self.store.read() as session:
            page = session.activations.page(actor.tenant, after=after, limit=limit)
            return Page(
                items=tuple(self._view(session, activation) for activation in page.items),
                next_key=page.next_key,
            )

    def environment(self, actor: Principal, environment: str) -> EnvironmentView:
        with self.store.read() as session:
            return self._environment(session, _must_have(session.environments.get(actor.tenant, environment)))

    def environments(self, actor: Principal) -> tuple[EnvironmentView, ...]:
        with self.store.read() as session:
            return tuple(self._environment(session, one) for one in session.environments.all(actor.tenant))

    def acknowledge(self, session: Session, agent: Agent) -> None:
        """Note within the transaction of a status report when the activation in force became active by it."""
        environment = session.environments.get(agent.tenant, agent.environment)
        if environment is None:
            return
        activation = session.activations.at_serial(agent.tenant, agent.environment, environment.serial)
        if activation is None or activation.active_at is not None:
            return
        if self._view(session, activation).state is ActivationState.ACTIVE:
            session.activations.set_active(agent.tenant, activation.id, self.clock())

    def _activatable(self, session: Session, actor: Principal, release_id: str, environment: str) -> Release:
        release = session.releases.get(actor.tenant, release_id)
        if release is None:
            raise NotFound("release-unknown", "There is no such release.")
        if release.environment != environment:
            raise Conflict("environment-differs", f"The release was made for {release.environment!r}.")
        rules = session.environment_rules.get(actor.tenant, environment)
        require_activatable(session, actor, release, rules, break_glass=False)
        approve_by_activating(session, actor, release, rules, clock=self.clock, new_id=self.new_id)
        return release

    def _environment(self, session: Session, environment: Environment) -> EnvironmentView:
        desired = session.activations.at_serial(environment.tenant, environment.id, environment.serial)
        return EnvironmentView(
            environment=environment,
            desired=None if desired is None else self._view(session, desired),
            workers=_acknowledgements(self._live(session, environment.tenant, environment.id), environment.serial),
        )

    def _view(self, session: Session, activation: Activation) -> ActivationView:
        live = self._live(session, activation.tenant, activation.environment)
        workers = _acknowledgements(live, activation.serial)
        environment = session.environments.get(activation.tenant, activation.environment)
        if environment is not None and environment.serial > activation.serial:
            state = ActivationState.SUPERSEDED
        elif any(_rejects(agent, activation) for agent in live) or any(
            worker.error and not worker.enforces for worker in workers
        ):
            state = ActivationState.FAILED
        elif workers and all(agent.workers for agent in live) and all(worker.enforces for worker in workers):
            state = ActivationState.ACTIVE
        else:
            state = ActivationState.PENDING
        return ActivationView(activation=activation, state=state, workers=workers)

    def _live(self, session: Session, tenant: str, environment: str) -> tuple[Agent, ...]:
        oldest = self.clock() - LIVE_FOR
        return tuple(
            agent for agent in session.agents.of_environment(tenant, environment) if agent.reported_at >= oldest
        )


def _rejects(agent: Agent, activation: Activation) -> bool:
    rejected = agent.rejected_bundle
    return rejected is not None and (rejected.etag or "").strip('"') == activation.etag


def _acknowledgements(live: tuple[Agent, ...], serial: int) -> tuple[WorkerAcknowledgement, ...]:
    return tuple(
        WorkerAcknowledgement(
            node=agent.id,
            slot=worker.slot,
            serial=worker.serial,
            revision=worker.revision,
            enforces=worker.serial == serial,
            error=worker.error,
        )
        for agent in live
        for worker in agent.workers
    )


def _must_have(environment: Environment | None) -> Environment:
    if environment is None:
        raise NotFound("environment-unknown", "There is no such environment.")
    return environment
