# SPDX-License-Identifier: Apache-2.0
"""Take the steps that nobody asks for at that moment: schedules, deadlines, expiry, candidates, the end of break-glass.

Theory: what is to be done is read from the database alone, and looked at again behind the environment's lock before it
is done, in one transaction. So replicas may all do this at once, and one that dies has lost nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto

from controlplane.identifiers import Clock
from controlplane.services.acknowledgements import Acknowledgements, live_nodes, of_activation, of_candidate
from controlplane.services.approvals import require_activatable
from controlplane.services.canaries import exceeded, is_proven, measure
from controlplane.services.errors import Conflict, Forbidden, Refused
from controlplane.services.model import Environment, Principal
from controlplane.services.ports import Session, Store
from controlplane.services.rollout import IN_FORCE, Rollout, RolloutState, Transition
from controlplane.services.rollout_steps import Steps, the_system


class Move(Enum):
    """What is to be done for a rollout now."""

    START = auto()
    DISCARD = auto()
    RUN_THE_CLOCK = auto()
    STOP_THE_CLOCK = auto()
    COMPLETE = auto()
    FAIL = auto()
    GO_BACK = auto()
    EXPIRE = auto()
    WITHDRAW = auto()
    PROMOTE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    move: Move
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Conducting:
    """`published` is called after each change that nodes are to learn of."""

    store: Store
    steps: Steps
    clock: Clock
    published: Callable[[], None]

    def go_on(self) -> bool:
        """Take every step that is due, and return whether there was one."""
        with self.store.read() as session:
            waiting = session.rollouts.open()
            due = [rollout for rollout in waiting if self._due(session, rollout) is not None]
        taken = [self._step(rollout) for rollout in due]
        return any(taken)

    def adopt(self) -> None:
        """Take over what a release put to work that knew of no rollouts."""
        with self.store.read() as session:
            found = session.activations.unrolled()
        for publication in found:
            with self.store.write() as session:
                environment = session.environments.lock(publication.tenant, publication.environment)
                if environment is None or session.rollouts.get(publication.tenant, publication.id) is not None:
                    continue
                rollout = Rollout.of_publication(publication, in_force=environment.serial)
                why = "put to work by a release that kept no history"
                session.rollouts.add(
                    rollout, Transition(at=rollout.created_at, state=rollout.state, by=rollout.by, why=why)
                )
                before = session.rollouts.at_serial(rollout.tenant, rollout.environment, publication.serial - 1)
                if before is not None and before.state in IN_FORCE:
                    why = f"serial {publication.serial} came into force"
                    self.steps.move(
                        session, the_system(rollout.tenant, self.clock), before, RolloutState.SUPERSEDED, why=why
                    )

    def _step(self, rollout: Rollout) -> bool:
        try:
            with self.store.write() as session:
                environment = session.environments.lock(rollout.tenant, rollout.environment)
                current = session.rollouts.get(rollout.tenant, rollout.id)
                # Another replica, or somebody, may have been quicker: what is due is asked again behind the lock.
                due = None if current is None else self._due(session, current)
                if environment is None or current is None or due is None:
                    return False
                self._take(session, current, environment, due)
        except Refused:
            return False  # as it stands now, the step is not possible: the next look sees why
        self.published()
        return True

    def _due(self, session: Session, rollout: Rollout) -> Due | None:
        now = self.clock()
        if not rollout.is_open:
            return None
        if rollout.state is RolloutState.SCHEDULED:
            return self._due_of_scheduled(session, rollout, now)
        activation = session.activations.get(rollout.tenant, rollout.id)
        environment = session.environments.get(rollout.tenant, rollout.environment)
        if activation is None or environment is None:
            return None
        if rollout.state is not RolloutState.CANDIDATE and rollout.serial != environment.serial:
            return None  # a server of a release without rollouts put something else in force: `adopt` takes that over
        live = live_nodes(session, rollout.tenant, rollout.environment, now=now)
        if rollout.state is RolloutState.CANDIDATE:
            said = of_candidate(live, activation, since=rollout.began_at)
            return due_of_candidate(rollout, said, now) or self._due_by_decisions(session, rollout, environment, now)
        return due_in_force(rollout, of_activation(live, activation, since=rollout.began_at), now)

    def _due_of_scheduled(self, session: Session, rollout: Rollout, now: datetime) -> Due | None:
        if _is_past(rollout.asked.expires_at, now):
            return Due(move=Move.EXPIRE, why="it expired before it began")
        if rollout.asked.not_before is not None and now < rollout.asked.not_before:
            return None
        if session.rollouts.candidate(rollout.tenant, rollout.environment) is not None:
            return None  # begins once the candidate that is tried has ended
        refused = _refusal(session, rollout)
        if refused is not None:
            return Due(move=Move.DISCARD, why=refused)
        return Due(move=Move.START, why="its time has come")

    def _due_by_decisions(
        self, session: Session, rollout: Rollout, environment: Environment, now: datetime
    ) -> Due | None:
        canary = rollout.asked.canary
        if canary is None or rollout.began_at is None:
            return None
        measured = measure(session, rollout, environment, now=now)
        broken = exceeded(canary, measured)
        if broken is not None:
            return Due(move=Move.WITHDRAW, why=broken)
        if is_proven(canary, measured, began_at=rollout.began_at, now=now):
            return Due(move=Move.PROMOTE, why="every threshold held for as long as it was to be tried")
        return None

    def _take(self, session: Session, rollout: Rollout, environment: Environment, due: Due) -> None:
        system, steps = the_system(rollout.tenant, self.clock), self.steps
        match due.move:
            case Move.START:
                steps.start(session, system, rollout, environment)
            case Move.DISCARD | Move.FAIL:
                steps.move(session, system, rollout, RolloutState.FAILED, why=due.why)
            case Move.RUN_THE_CLOCK:
                session.rollouts.set_deadline(rollout, self.clock() + _acknowledge_within(rollout))
            case Move.STOP_THE_CLOCK:
                session.rollouts.set_deadline(rollout, None)
            case Move.COMPLETE:
                steps.complete(session, system, rollout)
            case Move.GO_BACK:
                steps.go_back(session, system, rollout, environment, why=due.why)
            case Move.EXPIRE:
                self._expire(session, system, rollout, environment, why=due.why)
            case Move.WITHDRAW:
                steps.withdraw(session, system, rollout, RolloutState.ROLLED_BACK, why=due.why)
            case Move.PROMOTE:
                steps.promote(session, system, rollout, environment, why=f"promoted: {due.why}")

    def _expire(
        self, session: Session, system: Principal, rollout: Rollout, environment: Environment, *, why: str
    ) -> None:
        match rollout.state:
            case RolloutState.SCHEDULED:
                self.steps.move(session, system, rollout, RolloutState.EXPIRED, why=why)
            case RolloutState.CANDIDATE:
                self.steps.withdraw(session, system, rollout, RolloutState.EXPIRED, why=why)
            case _:
                self.steps.go_back(session, system, rollout, environment, state=RolloutState.EXPIRED, why=why)


def due_in_force(rollout: Rollout, said: Acknowledgements, now: datetime) -> Due | None:
    """Return what is due for a rollout that is in force."""
    if rollout.state is RolloutState.FAILED:
        return Due(move=Move.GO_BACK, why="it failed") if rollout.falls_back else None
    if rollout.glass_is_open and _is_past(rollout.glass_until, now) and rollout.previous is not None:
        return Due(move=Move.GO_BACK, why="nobody approved the break-glass within its time")
    if _is_past(rollout.asked.expires_at, now) and rollout.previous is not None:
        return Due(move=Move.EXPIRE, why="it expired")
    return _due_of_pending(rollout, said, now) if rollout.state is RolloutState.PENDING else None


def _due_of_pending(rollout: Rollout, said: Acknowledgements, now: datetime) -> Due | None:
    if said.refused is not None:
        return Due(move=Move.FAIL, why=said.refused)
    if said.complete:
        return Due(move=Move.COMPLETE, why="")
    return _due_by_clock(rollout, said, now, late=Move.FAIL)


def due_of_candidate(rollout: Rollout, said: Acknowledgements, now: datetime) -> Due | None:
    """Return what is due for a candidate by what the workers say of it, and by the clock."""
    if said.refused is not None:
        return Due(move=Move.WITHDRAW, why=said.refused)
    if _is_past(rollout.asked.expires_at, now):
        return Due(move=Move.EXPIRE, why="it expired")
    # Of a share of the workers, those that are not chosen need not load it.
    canary = rollout.asked.canary
    by_share = canary is not None and canary.workers_percent is not None
    if said.complete or (by_share and any(worker.enforces for worker in said.workers)):
        return None
    return _due_by_clock(rollout, said, now, late=Move.WITHDRAW)


def _due_by_clock(rollout: Rollout, said: Acknowledgements, now: datetime, *, late: Move) -> Due | None:
    """Only live workers count: with none the clock stands, and it begins anew with the first."""
    if rollout.asked.acknowledge_within_s is None:
        return None
    if rollout.acknowledge_by is None:
        return Due(move=Move.RUN_THE_CLOCK, why="") if said.nodes else None
    if not said.nodes:
        return Due(move=Move.STOP_THE_CLOCK, why="")
    if now < rollout.acknowledge_by:
        return None
    missing = sum(not worker.enforces for worker in said.workers)
    why = f"{missing} of {len(said.workers)} live workers did not acknowledge it in time"
    return Due(move=late, why=why)


def _refusal(session: Session, rollout: Rollout) -> str | None:
    """Return why what was scheduled may not begin, by the rules, approvals and roles of now."""
    actor = session.principals.by_id(rollout.tenant, rollout.by)
    release = session.releases.get(rollout.tenant, rollout.release)
    if actor is None or release is None:
        return "whoever asked for it, or its release, is gone"
    if rollout.asked.expires_at is not None or rollout.asked.tries:
        environment = session.environments.get(rollout.tenant, rollout.environment)
        if environment is None or environment.serial == 0:
            return "nothing is in force that it could be tried beside, or give way to"
    rules = session.environment_rules.get(rollout.tenant, rollout.environment)
    try:
        require_activatable(session, actor, release, rules, break_glass=False)
    except (Conflict, Forbidden) as exc:
        return f"{exc.code}: {exc.detail}"
    return None


def _is_past(at: datetime | None, now: datetime) -> bool:
    return at is not None and now >= at


def _acknowledge_within(rollout: Rollout) -> timedelta:
    return timedelta(seconds=rollout.asked.acknowledge_within_s or 0)
