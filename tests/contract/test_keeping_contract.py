# SPDX-License-Identifier: Apache-2.0
"""Erasures and holds, on every database."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread

import pytest
from sqlalchemy import Engine, select, update

from controlplane.services import erasures as erasures_module
from controlplane.services.erasures import Erasures
from controlplane.services.errors import Conflict
from controlplane.services.keeping import Erasure, ErasureKind, ErasureState
from controlplane.services.legal_holds import HoldScope, LegalHolds
from controlplane.services.model import Principal, Role
from controlplane.services.payload_state import PayloadState
from controlplane.services.record_lines import put_aside, read_line
from controlplane.store.log_tables import payloads, quarantine
from controlplane.store.payload_tables import payload_keys
from controlplane.store.store import SqlStore
from tests.records import NOON, PSEUDONYM_KEY, make_record

T = "default"
ADMIN = Principal(tenant=T, id="admin", name="admin", role=Role.ADMIN, created_at=NOON)


def ids(prefix: str) -> str:
    ids.count += 1
    return f"{prefix}{ids.count:08}"


ids.count = 0


@pytest.fixture
def erasures(store) -> Erasures:
    return Erasures(store=store, clock=lambda: NOON, new_id=ids, pseudonym_key=PSEUDONYM_KEY)


@pytest.fixture
def holds(store) -> LegalHolds:
    return LegalHolds(store=store, clock=lambda: NOON, new_id=ids, pseudonym_key=PSEUDONYM_KEY)


def fill(store: SqlStore, count: int, *, at=NOON, boot_id="b0", **members) -> None:
    lines = (make_record(seq=seq, boot_id=boot_id, **members).to_line() for seq in range(1, count + 1))
    with store.write() as session:
        session.decisions.append(T, [read_line(line, tenant=T) for line in lines], [], at=at)


def states(store: SqlStore) -> list[PayloadState]:
    with store.read() as session:
        return [entry.payload_state for entry in session.log.entries(T, 0, session.log.size(T) - 1)]


def in_slices_of(monkeypatch, size: int) -> None:
    monkeypatch.setattr(erasures_module, "_SLICE", size)
    monkeypatch.setattr(erasures_module, "_ENTRIES_AT_ONCE", size)


def test_a_subject_is_erased_in_slices(store, erasures, monkeypatch):
    in_slices_of(monkeypatch, 3)
    fill(store, 10)
    fill(store, 2, boot_id="b1", subject="user:bob")
    erasure = erasures.erase_subject(ADMIN, "user:alice")
    assert (erasure.state, erasure.payload_count) == (ErasureState.DONE, 10)
    assert states(store) == [PayloadState.ERASED] * 10 + [PayloadState.KEPT] * 2


def test_what_is_not_done_in_the_call_goes_on_behind_it(store, erasures, monkeypatch):
    in_slices_of(monkeypatch, 3)
    fill(store, 10)
    ticks = iter([0.0, 0.0, 99.0])
    begun = replace(erasures, timer=lambda: next(ticks)).erase_subject(ADMIN, "user:alice")
    assert (begun.state, begun.payload_count) == (ErasureState.RUNNING, 3)
    erasures.go_on()
    assert (erasures.get(ADMIN, begun.id).state, states(store)) == (ErasureState.DONE, [PayloadState.ERASED] * 10)


def test_a_day_takes_what_was_stored_in_plain_with_it_and_leaves_other_days(store, engine, erasures, monkeypatch):
    in_slices_of(monkeypatch, 3)
    fill(store, 7)
    with engine.begin() as connection:
        connection.execute(update(payloads).where(payloads.c.log_index < 5).values(content=b'{"input":{}}'))
    fill(store, 2, boot_id="b1", at=NOON + timedelta(days=1))
    erasure = erasures.erase_period(ADMIN, NOON.date())
    assert (erasure.state, erasure.payload_count, erasure.key_count) == (ErasureState.DONE, 5, 1)
    assert states(store) == [PayloadState.ERASED] * 7 + [PayloadState.KEPT] * 2


def test_lines_put_aside_on_an_erased_day_keep_their_digest_alone(store, engine, erasures):
    fill(store, 1)
    line = put_aside(b'{"payload":"alice"}', tenant=T, reason="line-not-a-record")
    with store.write() as session:
        session.decisions.append(T, [], [line], at=NOON)
    erasures.erase_period(ADMIN, NOON.date())
    with engine.connect() as connection:
        row = connection.execute(select(quarantine)).one()
    assert (bytes(row.line), row.digest, row.reason) == (b"", line.digest, line.reason)


def test_a_hold_that_comes_in_between_stops_an_erasure(store, erasures, holds, monkeypatch):
    in_slices_of(monkeypatch, 3)
    fill(store, 10)
    ticks = iter([0.0, 0.0, 99.0])
    begun = replace(erasures, timer=lambda: next(ticks)).erase_subject(ADMIN, "user:alice")
    hold = holds.place(ADMIN, HoldScope(subject="user:alice"), reason="case 7")
    erasures.go_on()
    ended = erasures.get(ADMIN, begun.id)
    assert (ended.state, ended.held_by, ended.payload_count) == (ErasureState.HELD, hold.id, 3)
    assert states(store)[3:] == [PayloadState.KEPT] * 7


def test_a_hold_waits_for_the_slice_that_is_being_erased(store, holds):
    """Once a hold is placed nothing more goes: whoever erases now is waited for."""
    placed, erasing = Event(), Event()

    def place() -> None:
        erasing.wait(10)
        holds.place(ADMIN, HoldScope(subject="user:alice"), reason="case 7")
        placed.set()

    thread = Thread(target=place)
    thread.start()
    with store.write() as session:
        session.legal_holds.lock(T)
        assert session.legal_holds.active(T) == ()
        erasing.set()
        assert not placed.wait(0.3)
    thread.join(10)
    assert placed.is_set()


def test_nobody_releases_a_hold_that_they_placed(holds):
    hold = holds.place(ADMIN, HoldScope(policy="chat"), reason="case 7")
    with pytest.raises(Conflict, match="own-hold"):
        holds.release(ADMIN, hold.id)
    another = replace(ADMIN, id="another")
    assert holds.release(another, hold.id).released_by == "another"
    assert holds.get(ADMIN, hold.id).placed_by == "admin"


def test_a_hold_is_of_its_tenant_only(store, erasures, holds):
    fill(store, 1)
    holds.place(replace(ADMIN, tenant="other"), HoldScope(subject="user:alice"), reason="case 7")
    assert erasures.erase_subject(ADMIN, "user:alice").state is ErasureState.DONE


@pytest.mark.only_on("sqlite")
def test_a_destroyed_key_is_nowhere_in_the_files_of_sqlite(store, engine, erasures):
    fill(store, 3)
    with engine.connect() as connection:
        wrapped = bytes(connection.execute(select(payload_keys.c.wrapped)).scalar_one())
    assert wrapped in content_of_files(engine)
    erasures.erase_period(ADMIN, NOON.date())
    assert wrapped not in content_of_files(engine)


def content_of_files(engine: Engine) -> bytes:
    database = Path(str(engine.url.database))
    return b"".join(path.read_bytes() for path in database.parent.glob(database.name + "*"))


def test_erasures_are_listed_in_order(store):
    erasure = Erasure(
        tenant=T,
        id="era_1",
        kind=ErasureKind.PERIOD,
        target="2026-11-20",
        state=ErasureState.RUNNING,
        requested_by="admin",
        requested_at=NOON,
    )
    with store.write() as session:
        session.erasures.add(erasure)
        session.erasures.add(replace(erasure, id="era_2", state=ErasureState.DONE))
        session.erasures.add(replace(erasure, id="era_0", tenant="other"))
    with store.read() as session:
        assert [each.id for each in session.erasures.running()] == ["era_0", "era_1"]
        page = session.erasures.page(T, after=None, limit=1)
        assert (page.items, page.next_key) == ((erasure,), "era_1")
        assert session.erasures.page(T, after="era_1", limit=5).items[0].id == "era_2"
