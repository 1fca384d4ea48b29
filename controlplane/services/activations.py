# SPDX-License-Identifier: Apache-2.0
"""Put releases to work, end that, and say worker by worker what is enforced (`docs/spec/life-cycle.md`).

Theory: an activation takes the environment's next serial and signs a bundle; nodes fetch it by themselves and say so.
What follows from what they say, and from time, the conductor does (`conducting.py`).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from controlplane.identifiers import Clock, NewId
from controlplane.services.acknowledgements import live_nodes, of_activation
from controlplane.services.activation_views import ActivationView, EnvironmentView, Views, rollout_at
from controlplane.services.admin_log import note
from controlplane.services.approvals import approve_by_activating, require_activatable
from controlplane.services.errors import Conflict, Invalid, NotFound, Problem
from controlplane.services.model import Agent, Environment, Page, Principal, Release
from controlplane.services.ports import Session, Store
from controlplane.services.preconditions import IfMatch
from controlplane.services.rollout import IN_FORCE, Asked, Review, Rollout, RolloutState
from controlplane.services.rollout_steps import Steps, the_system
from controlplane.services.scope import require_scope
from policies.bundle.environment import CandidateMode
from policies.contracts.codec import JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Activations:
    """`published` is called once nodes have something to learn."""

    store: Store
    steps: Steps
    views: Views
    clock: Clock
    new_id: NewId
    published: Callable[[], None]

    def activate(
        self,
        actor: Principal,
        *,
        release_id: str,
        environment: str,
        if_match: IfMatch,
        asked: Asked | None = None,
        validate_only: bool = False,
    ) -> ActivationView:
        """Put a release to work at the environment's next serial: at once, as a candidate, or when its time comes.

        With `validate_only` everything is judged as ever, and nothing is changed.
        """
        asked = asked or Asked()
        require_scope(actor, environment)
        with self.store.write() as session:
            before = _must_have(session.environments.lock(actor.tenant, environment))
            if_match.check(str(before.serial))
            release = self._activatable(session, actor, release_id, environment, asked)
            self._check(session, before, asked)
            rules = session.environment_rules.get(actor.tenant, environment)
            asked = replace(asked, acknowledge_within_s=asked.acknowledge_within_s or rules.acknowledge_within_s)
            if validate_only:
                previous = self.steps.previous_of(session, before)
                return self.views.as_it_would_be(actor, release, asked, serial=before.serial, previous=previous)
            if asked.break_glass is None:
                approve_by_activating(session, actor, release, rules, clock=self.clock, new_id=self.new_id)
            rollout = self.steps.ask(session, actor, release, asked, why=_said(asked))
            waits = asked.begins_as(self.clock()) is RolloutState.SCHEDULED
            serial = session.activations.last_serial(actor.tenant, environment) + 1
            glass = asked.break_glass
            how: dict[str, JSON] = {} if glass is None else {"reason": glass.reason, "minutes": glass.minutes}
            note(
                session,
                actor,
                self.clock,
                action="break_glass_used" if glass else "release_activated",
                target=release.id,
                environment=environment,
                serial=None if waits else serial,
                activation=rollout.id,
                **how,
            )
            if not waits:
                rollout = self.steps.start(session, actor, rollout, before)
            view = self.views.of(session, rollout)
        self.published()
        return view

    def promote(self, actor: Principal, activation_id: str) -> ActivationView:
        """Put a candidate in force for everybody."""
        with self.store.write() as session:
            rollout, environment = self._locked(session, actor, activation_id)
            if rollout.state is not RolloutState.CANDIDATE:
                raise Conflict("not-a-candidate", f"The activation is {rollout.state}: candidates are promoted.")
            release = session.releases.get(actor.tenant, rollout.release)
            if release is None:
                raise NotFound("release-unknown", "There is no such release.")
            rules = session.environment_rules.get(actor.tenant, environment.id)
            require_activatable(session, actor, release, rules, break_glass=False)
            view = self.views.of(
                session, self.steps.promote(session, actor, rollout, environment, why="promoted by hand")
            )
        self.published()
        return view

    def roll_back(self, actor: Principal, activation_id: str) -> ActivationView:
        """End a candidate, or put what was in force before back to work. Doing it again changes nothing."""
        with self.store.write() as session:
            rollout, environment = self._locked(session, actor, activation_id)
            if rollout.state is RolloutState.CANDIDATE:
                self.steps.withdraw(session, actor, rollout, RolloutState.ROLLED_BACK, why="rolled back by hand")
            elif rollout.state in IN_FORCE and rollout.serial == environment.serial:
                self.steps.go_back(session, actor, rollout, environment, why="rolled back by hand")
            elif rollout.state is not RolloutState.ROLLED_BACK:
                raise Conflict("not-in-force", f"The activation is {rollout.state}: there is nothing to roll back.")
            view = self.views.of(session, session.rollouts.get(actor.tenant, activation_id) or rollout)
        self.published()
        return view

    def roll_back_environment(
        self, actor: Principal, environment_id: str, *, from_serial: int | None, if_match: IfMatch | None
    ) -> ActivationView:
        """Put what was in force before back to work at the next serial, and return what is in force then.

        A candidate ends by it. Where `from_serial` is not in force any more there is nothing to do: so a second call
        changes nothing.
        """
        require_scope(actor, environment_id)
        with self.store.write() as session:
            environment = _must_have(session.environments.lock(actor.tenant, environment_id))
            if if_match is not None:
                if_match.check(str(environment.serial))
            current = rollout_at(session, environment)
            if current is None:
                raise Conflict("nothing-to-go-back-to", "Nothing was ever in force there.")
            if from_serial is not None and from_serial > environment.serial:
                current = self._end_candidate(session, actor, current, from_serial)
            elif from_serial is None or from_serial == environment.serial:
                current = self._go_back(session, actor, current, environment)
            view = self.views.of(session, current)
        self.published()
        return view

    def cancel(self, actor: Principal, activation_id: str) -> ActivationView:
        """End what is scheduled, or a candidate. Doing it again changes nothing."""
        with self.store.write() as session:
            rollout, _ = self._locked(session, actor, activation_id)
            if rollout.state is RolloutState.SCHEDULED:
                self.steps.move(session, actor, rollout, RolloutState.CANCELLED, why="cancelled")
            elif rollout.state is RolloutState.CANDIDATE:
                self.steps.withdraw(session, actor, rollout, RolloutState.CANCELLED, why="cancelled")
            elif rollout.state is not RolloutState.CANCELLED:
                raise Conflict("not-cancellable", f"The activation is {rollout.state}. Roll it back instead.")
            view = self.views.of(session, session.rollouts.get(actor.tenant, activation_id) or rollout)
        self.published()
        return view

    def review(self, actor: Principal, activation_id: str, *, approved: bool, comment: str = "") -> ActivationView:
        """Say afterwards what a break-glass was worth: approved it stays in force, else it is rolled back at once."""
        with self.store.write() as session:
            rollout, environment = self._locked(session, actor, activation_id)
            if rollout.asked.break_glass is None:
                raise Conflict("not-a-break-glass", "Only what was put to work by break-glass is reviewed.")
            if rollout.by in session.principals.of_the_persons(actor.tenant, {actor.id}):
                raise Conflict("own-break-glass", "Somebody else reviews it.")
            if rollout.review is not None:
                raise Conflict("reviewed-already", f"{rollout.review.by} reviewed it.")
            reviewed = replace(rollout, review=Review(by=actor.id, at=self.clock(), approved=approved, comment=comment))
            session.rollouts.set_review(reviewed)
            note(
                session,
                actor,
                self.clock,
                action="break_glass_reviewed",
                target=rollout.id,
                environment=environment.id,
                approved=approved,
            )
            if not approved and rollout.state in IN_FORCE and rollout.serial == environment.serial:
                self.steps.go_back(session, actor, reviewed, environment, why="its review did not approve it")
            view = self.views.of(session, session.rollouts.get(actor.tenant, activation_id) or reviewed)
        self.published()
        return view

    def get(self, actor: Principal, activation_id: str) -> ActivationView:
        with self.store.read() as session:
            return self.views.of(session, _known(session.rollouts.get(actor.tenant, activation_id)))

    def page(
        self, actor: Principal, *, awaiting_review: bool = False, after: str | None, limit: int
    ) -> Page[ActivationView]:
        with self.store.read() as session:
            page = session.rollouts.page(actor.tenant, awaiting_review=awaiting_review, after=after, limit=limit)
            items = tuple(self.views.of(session, rollout) for rollout in page.items)
            return Page(items=items, next_key=page.next_key)

    def environment(self, actor: Principal, environment: str) -> EnvironmentView:
        with self.store.read() as session:
            return self.views.environment(session, _must_have(session.environments.get(actor.tenant, environment)))

    def environments(self, actor: Principal) -> tuple[EnvironmentView, ...]:
        with self.store.read() as session:
            return tuple(self.views.environment(session, one) for one in session.environments.all(actor.tenant))

    def acknowledge(self, session: Session, agent: Agent) -> None:
        """Note within the transaction of a status report what the activation in force became by it."""
        environment = session.environments.get(agent.tenant, agent.environment)
        if environment is None:
            return
        rollout = session.rollouts.at_serial(agent.tenant, agent.environment, environment.serial)
        activation = session.activations.at_serial(agent.tenant, agent.environment, environment.serial)
        if rollout is None or activation is None or rollout.state not in IN_FORCE - {RolloutState.ACTIVE}:
            return
        live = live_nodes(session, agent.tenant, agent.environment, now=self.clock())
        said = of_activation(live, activation, since=rollout.began_at)
        system = the_system(agent.tenant, self.clock)
        try:
            if said.complete and not (rollout.state is RolloutState.FAILED and rollout.falls_back):
                self.steps.complete(session, system, rollout)
            elif said.refused is not None and rollout.state is RolloutState.PENDING:
                self.steps.move(session, system, rollout, RolloutState.FAILED, why=said.refused)
        except Conflict:
            pass  # a step of somebody else came in between, and the node has nothing to do with that

    def _activatable(
        self, session: Session, actor: Principal, release_id: str, environment: str, asked: Asked
    ) -> Release:
        release = session.releases.get(actor.tenant, release_id)
        if release is None:
            raise NotFound("release-unknown", "There is no such release.")
        if release.environment != environment:
            raise Conflict("environment-differs", f"The release was made for {release.environment!r}.")
        rules = session.environment_rules.get(actor.tenant, environment)
        require_activatable(session, actor, release, rules, break_glass=asked.break_glass is not None)
        return release

    def _check(self, session: Session, environment: Environment, asked: Asked) -> None:
        problems = tuple(self._problems(asked))
        if problems:
            raise Invalid("body-invalid", "The activation makes no sense as asked.", problems=problems)
        if environment.serial == 0 and (asked.tries or asked.expires_at or asked.break_glass):
            raise Conflict("nothing-in-force", "Nothing is in force there yet that this could go back to.")
        tried = session.rollouts.candidate(environment.tenant, environment.id)
        if tried is not None and asked.break_glass is None and asked.not_before is None:
            raise Conflict("candidate-under-way", f"{tried.id} is tried there. Promote it, roll it back or cancel it.")

    def _problems(self, asked: Asked) -> Iterator[Problem]:
        now = self.clock()
        if asked.canary is not None and asked.mode is not CandidateMode.ENFORCE:
            fix = "Leave it out, or take mode enforce."
            yield _problem("/canary", "Only what decides has a share: observe and warn judge all requests.", fix)
        if asked.expires_at is not None and asked.expires_at <= max(now, asked.not_before or now):
            yield _problem("/expires_at", "It would be over before it begins.")
        if asked.break_glass is not None and (asked.tries or asked.not_before or asked.expires_at):
            yield _problem("/break_glass", "It is all at once, and its time is its own.", "Leave the others out.")

    def _go_back(self, session: Session, actor: Principal, current: Rollout, environment: Environment) -> Rollout:
        tried = session.rollouts.candidate(current.tenant, current.environment)
        if tried is not None and self.steps.before(session, current) is None:
            # Whoever rolls back wants the new one gone, and that much can be done: what is in force is the oldest.
            self.steps.withdraw(session, actor, tried, RolloutState.ROLLED_BACK, why="rolled back by hand")
            return current
        return self.steps.go_back(session, actor, current, environment, why="rolled back by hand")

    def _end_candidate(self, session: Session, actor: Principal, current: Rollout, serial: int) -> Rollout:
        tried = session.rollouts.candidate(current.tenant, current.environment)
        if tried is not None and tried.serial == serial:
            self.steps.withdraw(session, actor, tried, RolloutState.ROLLED_BACK, why="rolled back by hand")
        elif serial > session.activations.last_serial(current.tenant, current.environment):
            raise Conflict("serial-unknown", "There is no such serial.")
        return current

    def _locked(self, session: Session, actor: Principal, activation_id: str) -> tuple[Rollout, Environment]:
        found = _known(session.rollouts.get(actor.tenant, activation_id))
        require_scope(actor, found.environment)
        environment = _must_have(session.environments.lock(actor.tenant, found.environment))
        return _known(session.rollouts.get(actor.tenant, activation_id)), environment


def _said(asked: Asked) -> str:
    if asked.break_glass is not None:
        return f"break-glass for {asked.break_glass.minutes} minutes: {asked.break_glass.reason}"
    return "asked for"


def _problem(pointer: str, message: str, fix: str | None = None) -> Problem:
    return Problem(code="body-invalid", message=message, pointer=pointer, fix=fix)


def _known(rollout: Rollout | None) -> Rollout:
    if rollout is None:
        raise NotFound("activation-unknown", "There is no such activation.")
    return rollout


def _must_have(environment: Environment | None) -> Environment:
    if environment is None:
        raise NotFound("environment-unknown", "There is no such environment.")
    return environment
