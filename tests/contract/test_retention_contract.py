# SPDX-License-Identifier: Apache-2.0
"""Days past their policy go, on every database: announced first, and never what a hold covers."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text

from controlplane.services import retention as retention_module
from controlplane.services.decision_filter import DecisionFilter
from controlplane.services.dimensions import Dimension
from controlplane.services.keeping import Drop, DropState, RetentionClass
from controlplane.services.legal_holds import HoldScope, LegalHolds
from controlplane.services.model import Principal, Role
from controlplane.services.record_lines import read_line
from controlplane.services.retention import Retention
from controlplane.store.index_geometry import GEOMETRY
from controlplane.store.index_retention import delete_pieces
from controlplane.store.index_tables import decision_postings, decision_zones, decisions
from controlplane.store.log_tables import payloads, records
from controlplane.store.partitions import make_partitions
from controlplane.store.payload_tables import payload_keys
from controlplane.store.store import SqlStore
from tests.records import NOON, PSEUDONYM_KEY, make_record

T = "default"
ADMIN = Principal(tenant=T, id="admin", name="admin", role=Role.ADMIN, created_at=NOON)
DAYS = 3
EACH = 6


class Ids:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}{self.count:08}"


@pytest.fixture
def filled(store, engine) -> SqlStore:
    """Three days of six decisions, as a log of today has them."""
    with engine.begin() as connection:
        make_partitions(connection, NOON.date(), days=DAYS)
    for day in range(DAYS):
        fill(store, day)
    return store


@pytest.fixture
def retention(filled) -> Retention:
    """At the third day, with a sequencer that places every announcement at once."""
    made = Retention(store=filled, clock=lambda: NOON + timedelta(days=DAYS - 1), new_id=Ids(), timer=Ticks())
    return replace(made, sleep=lambda _: place(filled))


@pytest.fixture
def holds(filled) -> LegalHolds:
    return LegalHolds(store=filled, clock=lambda: NOON, new_id=Ids(), pseudonym_key=PSEUDONYM_KEY)


class Ticks:
    """A second passes whenever somebody looks."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


def fill(store: SqlStore, day: int, *, tenant: str = T, **members) -> None:
    at = NOON + timedelta(days=day)
    lines = (
        make_record(
            seq=seq,
            boot_id=f"b{day}",
            subject="user:bob" if seq == 3 else "user:alice",
            time=at.isoformat().replace("+00:00", "Z"),
            tenant=tenant,
            **members,
        ).to_line()
        for seq in range(1, EACH + 1)
    )
    with store.write() as session:
        session.decisions.append(tenant, [read_line(line, tenant=tenant) for line in lines], [], at=at)


def place(store: SqlStore) -> None:
    """Stand in for the sequencer: give every admin event a place in the log."""
    with store.write() as session:
        waiting = session.admin_events.waiting(limit=100)
        session.admin_events.placed({event.seq: 1000 + event.seq for event in waiting})


def keep(retention: Retention, of: RetentionClass, days: int | None) -> None:
    retention.set_policy(ADMIN, of, days=days)


def counts(engine, *tables) -> list[int]:
    with engine.connect() as connection:
        return [connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables]


def kept_of(store: SqlStore) -> list[tuple[bool, bool]]:
    """Return of every entry whether envelope and payload are there."""
    with store.read() as session:
        entries = session.log.entries(T, 0, session.log.size(T) - 1)
        return [(entry.envelope is not None, entry.payload is not None) for entry in entries]


def found(store: SqlStore, subject: str) -> list[int]:
    with store.read() as session:
        wanted = DecisionFilter(values={Dimension.SUBJECT: (subject,)})
        return [
            decision.log_index
            for decision in session.decision_index.find(
                T, wanted, after=None, as_of=session.decisions.size(T), descending=False, limit=100
            ).items
        ]


def decision_subject(store: SqlStore, index: int) -> str:
    with store.read() as session:
        return json.loads(session.log.entry(T, index).envelope)["subject"]["pseudonym"]


def actions(store: SqlStore) -> list[str]:
    with store.read() as session:
        return [event.action for event in session.admin_events.page(T, after=None, limit=100).items]


def of_days(*states: tuple[bool, bool]) -> list[tuple[bool, bool]]:
    return [state for state in states for _ in range(EACH)]


GONE, SEALED_GONE, KEPT = (False, False), (True, False), (True, True)


def test_payloads_of_days_past_their_policy_go_and_their_keys(filled, engine, retention):
    keep(retention, RetentionClass.PAYLOADS, 1)
    (drop,) = retention.apply(ADMIN)
    assert (drop.day, drop.first_index, drop.end_index, drop.state) == (NOON.date(), 0, EACH, DropState.DONE)
    assert kept_of(filled) == of_days(SEALED_GONE, KEPT, KEPT)
    with engine.connect() as connection:
        rows = connection.execute(select(payload_keys.c.day).where(payload_keys.c.wrapped.is_not(None))).scalars()
        assert sorted(rows) == ["2026-11-21", "2026-11-22"]


def test_records_go_with_their_payloads_and_what_they_were_found_by(filled, engine, retention):
    before = counts(engine, records, payloads, decisions)
    keep(retention, RetentionClass.RECORDS, 1)
    assert [drop.state for drop in retention.apply(ADMIN)] == [DropState.DONE]
    assert kept_of(filled) == of_days(GONE, KEPT, KEPT)
    assert counts(engine, records, payloads, decisions) == [count - EACH for count in before]
    assert found(filled, decision_subject(filled, EACH)) == [
        index for index in range(EACH, DAYS * EACH) if index % EACH != 2
    ]


def test_payloads_and_then_records_of_the_same_day_go(filled, retention):
    keep(retention, RetentionClass.PAYLOADS, 1)
    retention.apply(ADMIN)
    keep(retention, RetentionClass.RECORDS, 1)
    retention.apply(ADMIN)
    assert kept_of(filled) == of_days(GONE, KEPT, KEPT)


def test_the_tree_stays(filled, retention):
    with filled.read() as session:
        head, leaves = session.log.head(T), [e.leaf_hash for e in session.log.entries(T, 0, 99)]
    keep(retention, RetentionClass.RECORDS, 1)
    retention.apply(ADMIN)
    with filled.read() as session:
        assert session.log.head(T) == head
        assert [e.leaf_hash for e in session.log.entries(T, 0, 99)] == leaves


def test_nothing_goes_before_its_announcement_has_a_place_in_the_log(filled, retention):
    keep(retention, RetentionClass.RECORDS, 1)
    waiting = replace(retention, sleep=lambda _: None, timer=Ticks())
    assert [drop.state for drop in waiting.apply(ADMIN)] == [DropState.ANNOUNCED]
    waiting.go_on()
    assert kept_of(filled) == of_days(KEPT, KEPT, KEPT)
    assert actions(filled) == ["retention_policy_set", "retention_drop_announced"]
    place(filled)
    waiting.go_on()
    assert kept_of(filled) == of_days(GONE, KEPT, KEPT)
    assert actions(filled)[2:] == ["retention_drop_done"]


def test_what_is_announced_says_what_goes(filled, retention):
    keep(retention, RetentionClass.PAYLOADS, 1)
    retention.apply(ADMIN)
    with filled.read() as session:
        events = session.admin_events.page(T, after=None, limit=100).items
    said = {"class": "payloads", "day": "2026-11-20", "first_index": 0, "last_index": 5, "count": 6}
    assert [event.detail for event in events[1:]] == [said, said | {"kept": 0}]


@pytest.mark.parametrize("days", [2, None], ids=["not-yet", "for-good"])
def test_what_is_within_its_policy_stays(filled, retention, days):
    keep(retention, RetentionClass.RECORDS, days)
    assert retention.apply(ADMIN) == ()
    assert kept_of(filled) == of_days(KEPT, KEPT, KEPT)


def test_the_day_that_the_log_is_in_stays_whatever_the_clock_says(filled, retention):
    keep(retention, RetentionClass.RECORDS, 1)
    later = replace(retention, clock=lambda: NOON + timedelta(days=1000))
    assert [drop.day for drop in later.apply(ADMIN)] == [NOON.date(), NOON.date() + timedelta(days=1)]
    assert kept_of(filled) == of_days(GONE, GONE, KEPT)


@pytest.mark.parametrize("of", list(RetentionClass))
def test_what_a_hold_covers_stays_until_it_is_released(filled, retention, holds, of):
    hold = holds.place(ADMIN, HoldScope(subject="user:bob"), reason="case 7")
    keep(retention, of, 1)
    (drop,) = retention.apply(ADMIN)
    assert (drop.state, drop.kept_count) == (DropState.PARTIAL, 1)
    gone = GONE if of is RetentionClass.RECORDS else SEALED_GONE
    assert kept_of(filled)[:EACH] == [gone, gone, KEPT, gone, gone, gone]
    assert found(filled, decision_subject(filled, 2)) == [2, EACH + 2, 2 * EACH + 2]
    holds.release(replace(ADMIN, id="another"), hold.id)
    (drop,) = retention.apply(ADMIN)
    assert (drop.state, drop.kept_count) == (DropState.DONE, 0)
    assert kept_of(filled)[:EACH] == [gone] * EACH


def test_a_hold_that_comes_while_a_drop_runs_keeps_what_is_not_gone_yet(filled, retention, holds, monkeypatch):
    monkeypatch.setattr(retention_module, "_SLICE", 2)
    keep(retention, RetentionClass.RECORDS, 1)
    slices = iter([None, lambda: holds.place(ADMIN, HoldScope(subject="user:bob"), reason="case 7")])
    carry_out_slice = Retention._slice

    def interrupted(self: Retention, drop: Drop) -> Drop:
        if (between := next(slices, None)) is not None:
            between()
        return carry_out_slice(self, drop)

    monkeypatch.setattr(Retention, "_slice", interrupted)
    without_partitions(monkeypatch)
    (drop,) = retention.apply(ADMIN)
    assert (drop.state, drop.kept_count) == (DropState.PARTIAL, 1)
    assert kept_of(filled)[:EACH] == [GONE, GONE, KEPT, GONE, GONE, GONE]


def without_partitions(monkeypatch) -> None:
    """A role that may not drop tables deletes by ranges: the slow way, between whose steps others come."""
    monkeypatch.setattr("controlplane.store.retention.SqlRetention.drop_partitions", lambda self, drop: None)


def test_a_drop_that_was_interrupted_goes_on(filled, retention, monkeypatch):
    monkeypatch.setattr(retention_module, "_SLICE", 2)
    without_partitions(monkeypatch)
    keep(retention, RetentionClass.RECORDS, 1)
    once = iter([True])
    carry_out_slice = Retention._slice

    def killed(self: Retention, drop: Drop) -> Drop:
        if next(once, None) is None:
            raise KeyboardInterrupt
        return carry_out_slice(self, drop)

    monkeypatch.setattr(Retention, "_slice", killed)
    with pytest.raises(KeyboardInterrupt):
        retention.apply(ADMIN)
    monkeypatch.setattr(Retention, "_slice", carry_out_slice)
    assert kept_of(filled)[:3] == [GONE, GONE, KEPT]
    retention.go_on()
    assert kept_of(filled) == of_days(GONE, KEPT, KEPT)


@pytest.mark.only_on("postgres")
def test_a_day_goes_as_a_table_on_postgresql_where_nobody_else_is_in_it(filled, engine, retention):
    for day in range(DAYS):
        fill(filled, day, tenant="other")
    keep(retention, RetentionClass.RECORDS, 1)
    retention.apply(ADMIN)
    with engine.connect() as connection:
        there = text("SELECT to_regclass('records_20261120'), to_regclass('payloads_20261120')")
        assert None not in connection.execute(there).one()
    assert kept_of(filled) == of_days(GONE, KEPT, KEPT)
    with filled.read() as session:
        assert all(entry.envelope for entry in session.log.entries("other", 0, 99))


@pytest.mark.only_on("postgres")
def test_a_table_that_is_dropped_is_gone(filled, engine, retention):
    keep(retention, RetentionClass.RECORDS, 1)
    retention.apply(ADMIN)
    with engine.connect() as connection:
        there = text("SELECT to_regclass('records_20261120'), to_regclass('records_20261121')::text")
        assert tuple(connection.execute(there).one()) == (None, "records_20261121")


def test_pieces_of_the_index_go_that_are_whole(filled, engine):
    assert GEOMETRY.chunk > EACH
    before = counts(engine, decision_postings, decision_zones)
    with engine.begin() as connection:
        delete_pieces(connection, T, first=0, end=EACH)
    assert counts(engine, decision_postings, decision_zones) == before
    with engine.begin() as connection:
        delete_pieces(connection, "other", first=0, end=GEOMETRY.group)
    assert counts(engine, decision_postings, decision_zones) == before
    with engine.begin() as connection:
        delete_pieces(connection, T, first=0, end=GEOMETRY.group)
    assert counts(engine, decision_postings, decision_zones) == [0, 0]


def test_a_leaf_is_proved_after_its_record_is_gone(filled, retention):
    keep(retention, RetentionClass.RECORDS, 1)
    retention.apply(ADMIN)
    with filled.read() as session:
        assert len(session.log.tile(T, 0, 0, DAYS * EACH)) == 32 * DAYS * EACH
