# SPDX-License-Identifier: Apache-2.0
"""How far sinks were served and what stock OPAs sent, on every database."""

from dataclasses import replace
from datetime import timedelta

from controlplane.services.opa_instances import OpaBundle, OpaInstance
from controlplane.services.pushing import SinkPosition
from tests.records import NOON

T = "default"
LATER = NOON + timedelta(seconds=45)


def take(store, owner, *, now=NOON):
    with store.write() as session:
        return session.sink_positions.take(T, "siem", owner=owner, now=now, until=now + timedelta(seconds=45))


def move(store, owner, index):
    with store.write() as session:
        return session.sink_positions.move(T, "siem", SinkPosition(next_index=index), owner=owner, until=LATER)


def test_a_sink_begins_at_the_beginning_and_goes_on_where_it_was(store):
    assert take(store, "a") == SinkPosition(next_index=0)
    assert move(store, "a", 41)
    assert take(store, "a") == SinkPosition(next_index=41)


def test_a_sink_is_served_by_one_until_its_lease_is_over(store):
    take(store, "a")
    assert take(store, "b", now=NOON + timedelta(seconds=44)) is None
    assert not move(store, "b", 9)
    assert take(store, "b", now=LATER) == SinkPosition(next_index=0)
    assert not move(store, "a", 9)
    assert take(store, "a", now=LATER) is None


def test_a_sink_is_of_its_tenant(store):
    take(store, "a")
    with store.write() as session:
        found = session.sink_positions.take("other", "siem", owner="b", now=NOON, until=LATER)
    assert found == SinkPosition(next_index=0)


def remember(store, *keys, tenant=T, now=NOON):
    with store.write() as session:
        return session.opa.remember(tenant, keys, now=now, forget_before=now - timedelta(days=7))


def test_a_decision_is_new_once(store):
    assert remember(store, ("opa", "1"), ("opa", "2")) == {("opa", "1"), ("opa", "2")}
    assert remember(store, ("opa", "2"), ("opa", "3"), ("other", "2")) == {("opa", "3"), ("other", "2")}
    assert remember(store, ("opa", "1"), tenant="other") == {("opa", "1")}


def test_decisions_are_forgotten_after_their_time(store):
    remember(store, ("opa", "1"))
    assert not remember(store, ("opa", "1"), now=NOON + timedelta(days=7))
    assert remember(store, ("opa", "1"), now=NOON + timedelta(days=7, seconds=1)) == {("opa", "1")}


def test_more_decisions_than_a_statement_has_parameters(store):
    keys = [("opa", str(number)) for number in range(2500)]
    assert len(remember(store, *keys)) == 2500
    assert not remember(store, *keys)


def test_an_opa_is_kept_as_it_last_reported(store):
    bundle = OpaBundle(name="gatehouse", active_revision="7+sha256:9f", last_success="2026-11-20T12:00:00Z", code=None)
    opa = OpaInstance(
        tenant=T,
        environment="production",
        id="b",
        version="1.21.0",
        bundles=(bundle,),
        dropped=0,
        reported_by="agent",
        reported_at=NOON,
    )
    with store.write() as session:
        session.opa.put(opa)
        session.opa.put(replace(opa, dropped=3))
        session.opa.put(replace(opa, id="a"))
    with store.read() as session:
        assert session.opa.get(T, "production", "b") == replace(opa, dropped=3)
        assert session.opa.get(T, "staging", "b") is None
        page = session.opa.page(T, after=None, limit=1)
        assert ([found.id for found in page.items], page.next_key) == (["a"], "a")
        assert [found.id for found in session.opa.page(T, after="a", limit=1).items] == ["b"]
