# SPDX-License-Identifier: Apache-2.0
"""What is shown of activations and environments: what was asked, how it stands, and what each worker says of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from controlplane.identifiers import Clock
from controlplane.services.acknowledgements import (
    Acknowledgements,
    WorkerAcknowledgement,
    enforcing,
    live_nodes,
    of_activation,
    of_candidate,
)
from controlplane.services.canaries import Measured, measure
from controlplane.services.model import Activation, Environment, Principal, Release
from controlplane.services.ports import Session
from controlplane.services.rollout import IN_FORCE, Asked, Rollout, RolloutState, Transition


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivationView:
    """`activation` is what was published, None before; `measured` is None of what is no candidate.

    `state` is that of the rollout, but for what its workers have said since: who reads it learns that at once.
    """

    rollout: Rollout
    activation: Activation | None
    state: RolloutState
    workers: tuple[WorkerAcknowledgement, ...]
    history: tuple[Transition, ...]
    measured: Measured | None

    @property
    def active_at(self) -> datetime | None:
        return None if self.activation is None else self.activation.active_at


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentView:
    """`desired` is the activation in force, None before the first; `workers` say what each enforces."""

    environment: Environment
    desired: ActivationView | None
    candidate: ActivationView | None
    workers: tuple[WorkerAcknowledgement, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Views:
    clock: Clock

    def of(self, session: Session, rollout: Rollout) -> ActivationView:
        now = self.clock()
        activation = session.activations.get(rollout.tenant, rollout.id)
        said = None if activation is None else self._said(session, rollout, activation)
        environment = session.environments.get(rollout.tenant, rollout.environment)
        is_tried = rollout.state is RolloutState.CANDIDATE and environment is not None
        return ActivationView(
            rollout=rollout,
            activation=activation,
            state=_shown(rollout, said),
            workers=() if said is None else said.workers,
            history=session.rollouts.history(rollout.tenant, rollout.id),
            measured=measure(session, rollout, environment, now=now) if is_tried and environment is not None else None,
        )

    def as_it_would_be(
        self, actor: Principal, release: Release, asked: Asked, *, serial: int, previous: int | None
    ) -> ActivationView:
        """Return what asking for it now would give, with neither id nor serial: nothing is kept of it.

        `serial` is in force, and `previous` what a rollback would bring back.
        """
        now = self.clock()
        state = asked.begins_as(now)
        back_to = {RolloutState.CANDIDATE: serial, RolloutState.PENDING: previous}
        glass = asked.break_glass
        rollout = Rollout(
            tenant=release.tenant,
            environment=release.environment,
            id="",
            release=release.id,
            revision=release.revision,
            by=actor.id,
            created_at=now,
            asked=asked,
            state=state,
            previous=back_to.get(state),
            glass_until=None if glass is None else now + timedelta(minutes=glass.minutes),
        )
        return ActivationView(rollout=rollout, activation=None, state=state, workers=(), history=(), measured=None)

    def environment(self, session: Session, environment: Environment) -> EnvironmentView:
        desired = rollout_at(session, environment)
        candidate = session.rollouts.candidate(environment.tenant, environment.id)
        live = live_nodes(session, environment.tenant, environment.id, now=self.clock())
        return EnvironmentView(
            environment=environment,
            desired=None if desired is None else self.of(session, desired),
            candidate=None if candidate is None else self.of(session, candidate),
            workers=enforcing(live, environment.serial),
        )

    def _said(self, session: Session, rollout: Rollout, activation: Activation) -> Acknowledgements:
        live = live_nodes(session, rollout.tenant, rollout.environment, now=self.clock())
        of = of_candidate if rollout.state is RolloutState.CANDIDATE else of_activation
        return of(live, activation, since=rollout.began_at)


def rollout_at(session: Session, environment: Environment) -> Rollout | None:
    """Return the rollout in force, also one that a release put to work which knew of no rollouts."""
    found = session.rollouts.at_serial(environment.tenant, environment.id, environment.serial)
    if found is not None:
        return found
    published = session.activations.at_serial(environment.tenant, environment.id, environment.serial)
    return None if published is None else Rollout.of_publication(published, in_force=environment.serial)


def _shown(rollout: Rollout, said: Acknowledgements | None) -> RolloutState:
    if said is None or rollout.state not in IN_FORCE:
        return rollout.state
    if rollout.state is not RolloutState.ACTIVE and said.complete:
        return RolloutState.ACTIVE
    if rollout.state is RolloutState.PENDING and said.refused is not None:
        return RolloutState.FAILED
    return rollout.state
