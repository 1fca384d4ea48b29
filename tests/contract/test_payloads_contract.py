# SPDX-License-Identifier: Apache-2.0
"""Payloads are kept sealed, under keys that can be exchanged and destroyed, on every database."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import Engine, insert, select, update

from controlplane.sealing import KeyRing
from controlplane.services.errors import StoreUnavailable
from controlplane.services.payload_state import PayloadState
from controlplane.services.record_lines import read_line
from controlplane.services.records import LoggedRecord, ReceivedRecord
from controlplane.store.log_tables import payloads
from controlplane.store.payload_tables import payload_keys
from controlplane.store.store import SqlStore
from tests.records import NOON, make_record

T = "default"
DAY = NOON.date()


def received(**members) -> ReceivedRecord:
    return read_line(make_record(**members).to_line(), tenant=T)


def append(store: SqlStore, *records: ReceivedRecord, at=NOON) -> None:
    with store.write() as session:
        session.decisions.append(T, records, [], at=at)


def kept(store: SqlStore, record: ReceivedRecord) -> LoggedRecord:
    with store.read() as session:
        (found,) = session.decision_index.records(T, record.request_id, as_of=session.log.size(T))
    return found


def destroy(store: SqlStore, day: date) -> int:
    with store.write() as session:
        return session.payloads.destroy(T, day, at=NOON)


def stored(engine: Engine) -> list[bytes]:
    with engine.connect() as connection:
        return [bytes(each) for each in connection.execute(select(payloads.c.content)).scalars()]


def test_the_database_holds_no_payload_in_plain(store, engine):
    record = received(subject="user:alice")
    append(store, record)
    (content,) = stored(engine)
    assert b"alice" in record.payload
    assert b"alice" not in content
    assert kept(store, record).payload == record.payload
    with store.read() as session:
        assert session.log.entry(T, 0).payload == record.payload


def test_what_a_release_without_keys_stored_is_read_as_it_is(store, engine):
    record = received()
    append(store, record)
    with engine.begin() as connection:
        connection.execute(update(payloads).values(content=record.payload))
    assert kept(store, record).payload == record.payload


def test_a_day_has_one_key_and_the_next_another(store, engine):
    append(store, received(seq=1))
    append(store, received(seq=2))
    append(store, received(seq=3), at=NOON + timedelta(days=1))
    with engine.connect() as connection:
        rows = connection.execute(select(payload_keys.c.day, payload_keys.c.number).order_by(payload_keys.c.day)).all()
    assert [tuple(row) for row in rows] == [("2026-11-20", 1), ("2026-11-21", 1)]


def test_a_key_of_an_append_that_failed_is_not_used_again(store, engine):
    def fail() -> None:
        with store.write() as session:
            session.decisions.append(T, [received(seq=1)], [], at=NOON)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    record = received(seq=2)
    append(store, record)
    assert kept(store, record).payload == record.payload


def test_a_destroyed_key_takes_the_payloads_of_its_day_and_no_other(store):
    first, second = received(seq=1), received(seq=2)
    append(store, first)
    append(store, second, at=NOON + timedelta(days=1))
    assert destroy(store, DAY) == 1
    assert destroy(store, DAY) == 0
    assert (kept(store, first).payload, kept(store, first).payload_state) == (None, PayloadState.ERASED)
    assert kept(store, first).envelope == first.envelope
    assert kept(store, second).payload == second.payload


def test_what_arrives_after_a_destruction_is_sealed_anew(store):
    before, after = received(seq=1), received(seq=2)
    append(store, before)
    destroy(store, DAY)
    append(store, after)
    assert kept(store, before).payload_state is PayloadState.ERASED
    assert kept(store, after).payload == after.payload


def test_another_replica_cannot_open_what_was_destroyed(store, engine):
    replica, record = SqlStore(engine, KeyRing([b"k" * 32])), received()
    append(store, record)
    assert kept(replica, record).payload == record.payload
    destroy(store, DAY)
    assert kept(replica, record).payload is None


def test_a_payload_put_in_anothers_place_is_not_opened(store, engine):
    append(store, received(seq=1), received(seq=2))
    with engine.begin() as connection:
        first = connection.execute(select(payloads.c.content).where(payloads.c.log_index == 0)).scalar_one()
        connection.execute(update(payloads).where(payloads.c.log_index == 1).values(content=first))
    assert kept(store, received(seq=1)).payload_state is PayloadState.KEPT
    assert kept(store, received(seq=2)).payload_state is PayloadState.UNREADABLE


def test_payload_keys_are_rewrapped_and_the_old_key_file_is_not_needed_any_more(store, engine):
    record = received()
    append(store, record)
    both = SqlStore(engine, KeyRing([b"n" * 32, b"k" * 32]))
    with both.write() as session:
        assert session.payloads.unknown_keys() == 0
        assert session.payloads.rewrap() == 1
        assert session.payloads.rewrap() == 0
    new = SqlStore(engine, KeyRing([b"n" * 32]))
    assert kept(new, record).payload == record.payload
    assert kept(store, record).payload_state is PayloadState.UNREADABLE
    with store.read() as session:
        assert session.payloads.unknown_keys() == 1


def test_nothing_is_stored_where_the_key_file_is_another(store, engine):
    append(store, received(seq=1))
    with pytest.raises(StoreUnavailable, match="GATEHOUSE_PAYLOAD_KEY_FILE"):
        append(SqlStore(engine, KeyRing([b"x" * 32])), received(seq=2))
    assert len(stored(engine)) == 1


def test_a_wrapped_key_of_another_day_is_not_taken(store, engine):
    record = received()
    append(store, record, at=NOON)
    append(store, received(seq=2), at=NOON + timedelta(days=1))
    with engine.begin() as connection:
        other = connection.execute(
            select(payload_keys.c.wrapped).where(payload_keys.c.day == "2026-11-21")
        ).scalar_one()
        connection.execute(update(payload_keys).where(payload_keys.c.day == "2026-11-20").values(wrapped=other))
    assert kept(store, record).payload_state is PayloadState.UNREADABLE


def test_a_record_without_payload_has_none(store, engine):
    record = replace(received(), payload=None)
    append(store, record)
    assert stored(engine) == []
    with engine.begin() as connection:
        connection.execute(insert(payloads).values(tenant=T, log_index=0, day=NOON.date(), content=b"\1"))
    assert kept(store, record).payload_state is PayloadState.UNREADABLE
