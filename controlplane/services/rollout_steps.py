# SPDX-License-Identifier: Apache-2.0
"""The steps of an activation, each within the transaction of whoever takes it, behind the environment's lock.

Theory: a step changes everything that depends on it, or nothing: the rollout, its history, the serial in force, the
environment document and the admin event. So a process that dies between two steps leaves a state that the next one,
here or in another replica, goes on from.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from controlplane.identifiers import Clock, NewId
from controlplane.services.admin_log import note
from controlplane.services.errors import Conflict
from controlplane.services.model import Activation, Environment, Principal, Release
from controlplane.services.ports import Session
from controlplane.services.publishing import Publisher
from controlplane.services.rollout import IN_FORCE, STATES, Asked, Rollout, RolloutState, Transition
from controlplane.services.system import system
from policies.contracts.codec import JSON
from policies.contracts.snapshot import PolicySnapshot

SYSTEM: Final = "system"


def the_system(tenant: str, clock: Clock) -> Principal:
    """Return who does what nobody asks for at that moment."""
    return system(tenant, SYSTEM, clock)


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """`publish` signs the environment's document anew; `told` is called with each state that is reached."""

    publisher: Publisher
    clock: Clock
    new_id: NewId
    publish: Callable[[Session, str, str], object]
    told: Callable[[Rollout], None]

    def ask(self, session: Session, actor: Principal, release: Release, asked: Asked, *, why: str) -> Rollout:
        """Keep what is asked for, as `scheduled`: what comes next is a step of its own."""
        rollout = Rollout(
            tenant=release.tenant,
            environment=release.environment,
            id=self.new_id("act_"),
            release=release.id,
            revision=release.revision,
            by=actor.id,
            created_at=self.clock(),
            asked=asked,
            state=RolloutState.SCHEDULED,
        )
        began = Transition(at=rollout.created_at, state=rollout.state, by=actor.id, why=why)
        session.rollouts.add(rollout, began)
        return rollout

    def start(self, session: Session, actor: Principal, rollout: Rollout, environment: Environment) -> Rollout:
        """Publish a scheduled rollout at the next serial: as a candidate, or in force at once."""
        published = self._pack(session, rollout)
        if rollout.asked.tries:
            return self._try(session, actor, published, environment)
        return self.promote(session, actor, published, environment, why=f"put in force as serial {published.serial}")

    def promote(
        self, session: Session, actor: Principal, rollout: Rollout, environment: Environment, *, why: str
    ) -> Rollout:
        """Put a published rollout in force. A rollback of it brings back what is in force now, unless that failed."""
        previous = self.previous_of(session, environment)
        return self.put_in_force(session, actor, rollout, environment, previous=previous, why=why)

    def previous_of(self, session: Session, environment: Environment) -> int | None:
        """Return the serial that a rollback of what comes into force next brings back."""
        before = session.rollouts.at_serial(environment.tenant, environment.id, environment.serial)
        if before is not None and before.state is RolloutState.FAILED:
            return before.previous
        return environment.serial or None

    def put_in_force(
        self,
        session: Session,
        actor: Principal,
        rollout: Rollout,
        environment: Environment,
        *,
        previous: int | None,
        why: str,
    ) -> Rollout:
        """Make the bundle of `rollout` the one that nodes enforce, and end what was tried or in force before."""
        tenant, now, serial = rollout.tenant, self.clock(), _must_have_serial(rollout)
        before = session.rollouts.at_serial(tenant, environment.id, environment.serial)
        if before is not None and before.state in IN_FORCE:
            self.move(session, actor, before, RolloutState.SUPERSEDED, why=f"serial {serial} came into force")
        tried = session.rollouts.candidate(tenant, environment.id)
        if tried is not None and tried.id != rollout.id:
            self.move(session, actor, tried, RolloutState.SUPERSEDED, why=f"serial {serial} came into force instead")
        session.environments.set_serial(tenant, environment.id, serial)
        glass = rollout.asked.break_glass
        after = replace(
            rollout,
            previous=previous,
            began_at=now,
            in_force_at=now,
            acknowledge_by=_later(now, rollout.asked.acknowledge_within_s),
            glass_until=None if glass is None else now + timedelta(minutes=glass.minutes),
        )
        moved = self.move(session, actor, after, RolloutState.PENDING, why=why)
        if session.environment_documents.candidate(tenant, environment.id) is not None:
            self.publish(session, tenant, environment.id)
        return moved

    def _try(self, session: Session, actor: Principal, rollout: Rollout, environment: Environment) -> Rollout:
        now = self.clock()
        after = replace(
            rollout,
            previous=environment.serial,
            began_at=now,
            acknowledge_by=_later(now, rollout.asked.acknowledge_within_s),
        )
        why = f"tried as serial {rollout.serial} beside serial {environment.serial}: {after.asked.mode.value}"
        moved = self.move(session, actor, after, RolloutState.CANDIDATE, why=why)
        self.publish(session, rollout.tenant, environment.id)
        return moved

    def complete(self, session: Session, actor: Principal, rollout: Rollout) -> Rollout:
        """Note that every live worker enforces what is in force."""
        moved = self.move(session, actor, rollout, RolloutState.ACTIVE, why="every live worker enforces it")
        session.activations.set_active(rollout.tenant, rollout.id, self.clock())
        return moved

    def withdraw(
        self, session: Session, actor: Principal, rollout: Rollout, state: RolloutState, *, why: str
    ) -> Rollout:
        """End a candidate. What is in force stays so; nodes are told to try nothing any more."""
        moved = self.move(session, actor, rollout, state, why=why)
        self.publish(session, rollout.tenant, rollout.environment)
        return moved

    def before(self, session: Session, rollout: Rollout) -> tuple[Activation, Release] | None:
        """Return what a rollback of `rollout` brings back, None where there is nothing."""
        if rollout.previous is None:
            return None
        target = session.activations.at_serial(rollout.tenant, rollout.environment, rollout.previous)
        release = None if target is None else session.releases.get(rollout.tenant, target.release)
        return None if target is None or release is None else (target, release)

    def go_back(
        self,
        session: Session,
        actor: Principal,
        rollout: Rollout,
        environment: Environment,
        *,
        state: RolloutState = RolloutState.ROLLED_BACK,
        why: str,
    ) -> Rollout:
        """Put the release from before `rollout`, which is in force, to work again at the next serial; return that.

        Raises Conflict where nothing was in force before.
        """
        tenant = rollout.tenant
        before = self.before(session, rollout)
        if before is None:
            raise Conflict("nothing-to-go-back-to", "Nothing was in force there before.")
        target, release = before
        was = session.rollouts.at_serial(tenant, rollout.environment, target.serial)
        self.move(session, actor, rollout, state, why=why)
        back = self.ask(
            session,
            actor,
            release,
            Asked(acknowledge_within_s=rollout.asked.acknowledge_within_s, rolls_back=rollout.id),
            why=f"goes back from serial {rollout.serial} to the release of serial {target.serial}: {why}",
        )
        return self.put_in_force(
            session,
            actor,
            self._pack(session, back),
            environment,
            # Another rollback goes on from there, instead of coming back to what was just left.
            previous=None if was is None else was.previous,
            why=f"the release of serial {target.serial} again",
        )

    def move(self, session: Session, actor: Principal, rollout: Rollout, state: RolloutState, *, why: str) -> Rollout:
        """Give `rollout`, as it is to be kept, the state `state`. Raises Conflict where another was quicker."""
        if state not in STATES[rollout.state]:
            raise ValueError(f"an activation that is {rollout.state} does not become {state}")
        after = replace(rollout, state=state)
        transition = Transition(at=self.clock(), state=state, by=actor.id, why=why)
        if not session.rollouts.move(after, transition, before=rollout.state):
            raise Conflict("state-changed", "The activation is in another state by now. Read it again.")
        detail: dict[str, JSON] = {"environment": rollout.environment, "serial": rollout.serial, "why": why}
        action = f"activation_{state.value.replace('-', '_')}"
        note(session, actor, self.clock, action=action, target=rollout.id, **detail)
        self.told(after)
        return after

    def _pack(self, session: Session, rollout: Rollout) -> Rollout:
        """Return the rollout with the next serial, at which its bundle is kept from now on."""
        release = session.releases.get(rollout.tenant, rollout.release)
        if release is None:
            raise Conflict("release-unknown", "The release is not there any more.")
        # Above every candidate's too: a node that once tried that serial must not take this one for it.
        serial = session.activations.last_serial(rollout.tenant, rollout.environment) + 1
        bundle = self.publisher.pack(PolicySnapshot.from_json(json.loads(release.snapshot)), serial=serial)
        activation = Activation(
            tenant=rollout.tenant,
            environment=rollout.environment,
            id=rollout.id,
            serial=serial,
            release=rollout.release,
            revision=rollout.revision,
            etag=bundle.etag,
            by=rollout.by,
            created_at=self.clock(),
            active_at=None,
        )
        session.activations.add(activation, bundle)
        return replace(rollout, serial=serial)


def _later(now: datetime, seconds: int | None) -> datetime | None:
    return None if seconds is None else now + timedelta(seconds=seconds)


def _must_have_serial(rollout: Rollout) -> int:
    if rollout.serial is None:
        raise ValueError(f"{rollout.id} was never published")
    return rollout.serial
