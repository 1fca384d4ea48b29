# SPDX-License-Identifier: Apache-2.0
"""How environments are run and releases put to work, on every database."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from threading import Barrier

import pytest

from controlplane.identifiers import new_ulid
from controlplane.services.activation_views import Views
from controlplane.services.activations import Activations
from controlplane.services.conducting import Conducting
from controlplane.services.environment_documents import EnvironmentDocuments
from controlplane.services.model import Agent, Artifact, Principal, Release, Role, WorkerStatus
from controlplane.services.preconditions import IfMatch
from controlplane.services.rollout import Asked, BreakGlass, RolloutState
from controlplane.services.rollout_steps import Steps
from controlplane.store.store import SqlStore
from policies.bundle.environment import CandidateMode
from policies.contracts.codec import canonical_bytes
from tests.control_planes import TurnableClock
from tests.dying_stores import Crash, DyingStore
from tests.records import NOON
from tests.unit.policies.bundle.bundles import make_snapshot

T = "default"
APPROVER = Principal(tenant=T, id="approver", name="approver", role=Role.APPROVER, created_at=NOON)


def test_the_newest_document_of_each_environment_is_kept(store):
    with store.write() as session:
        for tenant in (T, "other"):
            session.environments.ensure(tenant, "production")
        kept = session.environment_documents
        assert (kept.get(T, "production"), kept.number(T, "production")) == (None, 0)
        kept.put(T, "production", Artifact(etag="a", content=b"\0jws"), number=1, candidate=7)
        kept.put(T, "production", Artifact(etag="b", content=b"\1jws"), number=2, candidate=None)
        kept.put("other", "production", Artifact(etag="c", content=b"c"), number=9, candidate=3)
    with store.read() as session:
        assert session.environment_documents.get(T, "production") == Artifact(etag="b", content=b"\1jws")
        assert session.environment_documents.number(T, "production") == 2
        assert session.environment_documents.candidate(T, "production") is None
        assert session.environment_documents.candidate("other", "production") == 3
        assert session.environments.heads() == {(T, "production"): (0, 0, 2, 0), ("other", "production"): (0, 0, 9, 0)}


class NumberingPublisher:
    def sign_environment(self, document):
        return Artifact(etag=f"sha256-{document.number}", content=str(document.number).encode())


def test_many_who_publish_at_once_take_a_number_each(store):
    with store.write() as session:
        session.environments.ensure(T, "production")
    documents = EnvironmentDocuments(store=store, publisher=NumberingPublisher(), clock=lambda: NOON)
    together = Barrier(4)

    def publish(_) -> bytes:
        together.wait(timeout=10)
        documents.current(T, "production")
        with store.write() as session:
            return documents.publish(session, T, "production").content

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(publish, range(4))) == [b"2", b"3", b"4", b"5"]


class PackingPublisher(NumberingPublisher):
    def pack(self, snapshot, *, serial):
        return Artifact(etag=f"sha256-{serial}", content=f"{serial} {snapshot.revision}".encode())


@dataclass
class Scene:
    """Activations over a store, with a clock that stands still until it is turned."""

    store: SqlStore
    clock: TurnableClock = field(default_factory=TurnableClock)

    def __post_init__(self):
        snapshot = make_snapshot()
        release = Release(
            tenant=T,
            environment="production",
            id="rel_1",
            policy_set="default",
            revision=snapshot.revision,
            policies=(),
            tests=(),
            snapshot=canonical_bytes(snapshot.to_json()),
            description="",
            author="author",
            created_at=NOON,
        )
        with self.store.write() as session:
            session.environments.ensure(T, "production")
            session.principals.put(APPROVER, token_hash="approver")
            session.releases.add(release)

    def documents(self):
        return EnvironmentDocuments(store=self.store, publisher=PackingPublisher(), clock=self.clock)

    def steps(self, told=lambda _: None):
        return Steps(
            publisher=PackingPublisher(), clock=self.clock, new_id=new_ulid, publish=self.documents().publish, told=told
        )

    def activations(self):
        return Activations(
            store=self.store,
            steps=self.steps(),
            views=Views(clock=self.clock),
            clock=self.clock,
            new_id=new_ulid,
            published=lambda: None,
        )

    def conducting(self, store=None, told=lambda _: None):
        return Conducting(store=store or self.store, steps=self.steps(told), clock=self.clock, published=lambda: None)

    def activate(self, **asked):
        return (
            self.activations()
            .activate(
                APPROVER, release_id="rel_1", environment="production", if_match=IfMatch(None), asked=Asked(**asked)
            )
            .rollout
        )

    def live(self, serial):
        worker = WorkerStatus(slot="w0", pid=1, serial=serial, revision=None, epoch=1, error=None)
        agent = Agent(
            tenant=T,
            environment="production",
            id="n1",
            version="1",
            guard_engine="opa",
            workers=(worker,),
            spool=None,
            rejected_bundle=None,
            reported_by="agent",
            reported_at=self.clock(),
        )
        with self.store.write() as session:
            session.agents.put(agent)
            self.activations().acknowledge(session, agent)

    def seen(self):
        """Return everything that steps change, but for the clock of an acknowledgement, which nothing shows."""
        with self.store.read() as session:
            listed = session.rollouts.page(T, after=None, limit=100).items
            rollouts = tuple(replace(rollout, acknowledge_by=None) for rollout in listed)
            return (
                rollouts,
                [session.rollouts.history(T, rollout.id) for rollout in rollouts],
                session.environments.get(T, "production"),
                session.environment_documents.get(T, "production"),
                [event.action for event in session.admin_events.page(T, after=None, limit=500).items],
            )


@pytest.fixture
def scene(store):
    return Scene(store)


def late(scene):
    """An activation that no worker acknowledged in its time."""
    scene.activate()
    scene.live(1)
    second = scene.activate(acknowledge_within_s=10)
    scene.clock.turn(10)
    scene.live(1)
    return second


def scheduled(scene):
    scene.activate()
    second = scene.activate(not_before=scene.clock() + timedelta(seconds=60))
    scene.clock.turn(60)
    return second


def expired(scene):
    scene.activate()
    second = scene.activate(expires_at=scene.clock() + timedelta(seconds=60))
    scene.clock.turn(60)
    return second


def broken_glass(scene):
    scene.activate()
    second = scene.activate(break_glass=BreakGlass(reason="x", minutes=5))
    scene.clock.turn(300)
    return second


def expired_candidate(scene):
    scene.activate()
    second = scene.activate(mode=CandidateMode.OBSERVE, expires_at=scene.clock() + timedelta(seconds=60))
    scene.clock.turn(60)
    return second


DUE = [
    pytest.param(late, RolloutState.ROLLED_BACK, 3, id="a-deadline"),
    pytest.param(scheduled, RolloutState.PENDING, 2, id="a-schedule"),
    pytest.param(expired, RolloutState.EXPIRED, 3, id="an-expiry"),
    pytest.param(broken_glass, RolloutState.ROLLED_BACK, 3, id="a-break-glass"),
    pytest.param(expired_candidate, RolloutState.EXPIRED, 1, id="a-candidate's-expiry"),
]


def conduct(conducting):
    while conducting.go_on():
        pass


@pytest.mark.parametrize(("due", "state", "serial"), DUE)
def test_of_two_conductors_at_once_one_takes_each_step(scene, due, state, serial):
    asked = due(scene)
    together = Barrier(3)

    def replica(_):
        together.wait(timeout=10)
        conduct(scene.conducting())

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(replica, range(3)))
    rollouts, histories, environment, _, events = scene.seen()
    assert environment.serial == serial
    assert {rollout.id: rollout.state for rollout in rollouts}[asked.id] is state
    for history in histories:
        states = [line.state for line in history]
        assert len(states) == len(set(states))
    assert events.count("activation_pending") == sum(rollout.in_force_at is not None for rollout in rollouts)


@pytest.mark.parametrize(("due", "state", "serial"), DUE)
def test_a_process_that_dies_between_any_two_statements_leaves_a_state_that_goes_on(scene, due, state, serial):
    asked = due(scene)
    for statement in range(1, 400):
        before = scene.seen()
        died = DyingStore(scene.store, after=statement)
        with suppress(Crash):
            conduct(scene.conducting(store=died))
            break
        # What was under way is as if it had never begun; a step before it may have been done as a whole.
        after = scene.seen()
        assert after == before or len(after[4]) > len(before[4])
    else:
        pytest.fail("it never ended")
    rollouts, _, environment, _, _ = scene.seen()
    assert environment.serial == serial
    assert {rollout.id: rollout.state for rollout in rollouts}[asked.id] is state
