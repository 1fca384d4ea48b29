# SPDX-License-Identifier: Apache-2.0
"""What is kept of signed checkpoints, and who may sign them, on every database."""

from datetime import timedelta

import pytest

from controlplane.services.checkpoints import Contradiction, Superseded
from controlplane.store.leadership import TERM_S, PostgresLeadership, leadership
from tests.control_planes import TurnableClock
from tests.records import NOON

T = "default"
ROOT, OTHER = b"r" * 32, b"o" * 32


def sign(store, size: int, *, root: bytes = ROOT, note: str = "note\n", tenant: str = T, after_s: int = 0) -> None:
    with store.write() as session:
        session.checkpoints.sign(tenant, size=size, root=root, note=note, at=NOON + timedelta(seconds=after_s))


def latest(store, tenant: str = T):
    with store.read() as session:
        return session.checkpoints.latest(tenant)


@pytest.fixture
def clock() -> TurnableClock:
    return TurnableClock()


@pytest.fixture
def candidate(engine, clock):
    made = []

    def make():
        made.append(leadership(engine, clock))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_a_renewed_note_keeps_size_root_and_what_witnesses_said(store):
    sign(store, 3)
    with store.write() as session:
        session.checkpoints.cosign(T, size=3, lines="— w x\n")
    sign(store, 3, note="renewed\n", after_s=2)
    last = latest(store)
    assert (last.size, last.root, last.text) == (3, ROOT, "renewed\n— w x\n")
    assert (last.first_signed_at, last.signed_at) == (NOON, NOON + timedelta(seconds=2))


@pytest.mark.parametrize(("size", "root"), [(2, ROOT), (3, OTHER)], ids=["a-smaller-tree", "another-root-of-a-size"])
def test_what_contradicts_the_last_checkpoint_is_never_kept(store, size, root):
    sign(store, 3)
    with pytest.raises(Contradiction):
        sign(store, size, root=root)
    assert (latest(store).size, latest(store).root) == (3, ROOT)


def test_tenants_have_checkpoints_of_their_own(store):
    sign(store, 3)
    sign(store, 1, tenant="other", root=OTHER)
    assert (latest(store).size, latest(store, "other").size) == (3, 1)
    assert latest(store, "third") is None


def test_the_smallest_that_covers_an_entry_is_found(store):
    for size in (3, 5, 9):
        sign(store, size)
    with store.read() as session:
        found = [session.checkpoints.covering(T, size) for size in (1, 4, 5, 10)]
    assert [one and one.size for one in found] == [3, 5, 5, None]


def test_pages_go_from_the_oldest(store):
    for size in (3, 5, 9):
        sign(store, size)
    with store.read() as session:
        first = session.checkpoints.page(T, after=None, limit=2)
        second = session.checkpoints.page(T, after=int(first.next_key), limit=2)
    assert [one.size for one in (*first.items, *second.items)] == [3, 5, 9]
    assert second.next_key is None


def test_one_of_two_leads_and_keeps_its_number(candidate):
    first, second = candidate(), candidate()
    fence = first.claim()
    assert fence is not None
    assert second.claim() is None
    assert first.claim() == fence
    assert second.claim() is None


def test_another_leads_with_a_higher_number_once_the_leader_ends(candidate, store):
    first, second = candidate(), candidate()
    fence = first.claim()
    with store.write() as session:
        session.checkpoints.lead(fence)
    first.close()
    following = second.claim()
    assert following > fence
    with pytest.raises(Superseded), store.write() as session:
        session.checkpoints.lead(fence)
    with store.write() as session:
        session.checkpoints.lead(following)


def test_who_was_paused_for_longer_than_a_term_leads_no_more(candidate, clock, store, engine):
    paused, second = candidate(), candidate()
    fence = paused.claim()
    clock.turn(TERM_S + 1)
    if engine.dialect.name == "postgresql":
        _end_the_session_of(paused, engine)  # as the server does after idle_session_timeout
    following = second.claim()
    assert following > fence
    assert paused.claim() is None
    with pytest.raises(Superseded), store.write() as session:
        session.checkpoints.lead(fence)


@pytest.mark.only_on("sqlite")
def test_a_clock_that_was_set_back_keeps_nobody_out(candidate, clock, engine):
    candidate().claim()
    clock.turn(-3600)
    assert candidate().claim() is not None


@pytest.mark.only_on("sqlite")
def test_a_leader_renews_its_term(candidate, clock, engine):
    first, second = candidate(), candidate()
    fence = first.claim()
    for _ in range(4):
        clock.turn(TERM_S / 2)
        assert first.claim() == fence
        assert second.claim() is None


def _end_the_session_of(leader: PostgresLeadership, engine) -> None:
    with engine.begin() as connection:
        ended = connection.exec_driver_sql(
            "SELECT count(pg_terminate_backend(pid, 30000)) FROM pg_locks "
            "WHERE locktype = 'advisory' AND granted AND pid <> pg_backend_pid()"
        )
        assert ended.scalar_one() == 1
