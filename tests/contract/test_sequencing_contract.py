# SPDX-License-Identifier: Apache-2.0
"""The sequencer on every database: what it signs, what it refuses to sign, and that only one does."""

import hashlib
import json
import threading
from datetime import timedelta

import pytest
from sqlalchemy import text

from controlplane.audit.checkpoints import open_checkpoint
from controlplane.audit.note_keys import VerifierKey
from controlplane.identifiers import new_ulid
from controlplane.services.log_key import LogKey, new_log_key
from controlplane.services.model import AdminEvent
from controlplane.services.record_lines import read_line
from controlplane.services.sequencing import Sequencer
from controlplane.services.signed_memory import SignedFolder, SignedMemory
from controlplane.store.leadership import TERM_S, leadership
from tests.control_planes import TurnableClock
from tests.records import NOON, make_record

T = "default"
KEY = LogKey.parse(new_log_key())


@pytest.fixture
def clock() -> TurnableClock:
    return TurnableClock()


@pytest.fixture
def sequencer(engine, store, clock):
    made = []

    def make(key: LogKey = KEY, memory: SignedMemory | None = None) -> Sequencer:
        leads = leadership(engine, clock)
        made.append(leads)
        return Sequencer(
            store=store, leadership=leads, key=key, clock=clock, new_id=new_ulid, pseudonym_key=b"p" * 32, memory=memory
        )

    yield make
    for leads in made:
        leads.close()


def stop(one: Sequencer) -> None:
    over = threading.Event()
    over.set()
    one.run(over)


def append(store, first: int, count: int) -> None:
    records = [read_line(make_record(seq=seq).to_line(), tenant=T) for seq in range(first, first + count)]
    with store.write() as session:
        session.decisions.append(T, records, [], at=NOON)


def signed(store):
    with store.read() as session:
        return session.checkpoints.latest(T)


def opened(store, key: LogKey = KEY):
    return open_checkpoint(signed(store).text.encode(), [VerifierKey.parse(key.vkey(T))])


def test_what_is_there_is_signed_and_renewed_also_when_nothing_happens(store, sequencer, clock):
    append(store, 1, 5)
    one = sequencer()
    one.step()
    first = opened(store)
    clock.turn(2)
    one.step()
    second = opened(store)
    assert first.checkpoint == second.checkpoint
    assert (first.checkpoint.origin, first.checkpoint.size) == (f"{KEY.name}/{T}", 5)
    assert second.at_s == first.at_s + 2
    assert signed(store).first_signed_at == NOON


def test_the_next_checkpoint_has_what_was_added(store, sequencer):
    one = sequencer()
    for count in (1, 3, 2):
        append(store, (signed(store).size if signed(store) else 0) + 1, count)
        one.step()
    with store.read() as session:
        sizes = [each.size for each in session.checkpoints.page(T, after=None, limit=10).items]
        head = session.log.head(T)
    assert sizes == [1, 4, 6]
    assert opened(store).checkpoint.root == head.root


def test_one_of_two_signs(store, sequencer, clock):
    append(store, 1, 2)
    first, second = sequencer(), sequencer()
    first.step()
    before = signed(store)
    clock.turn(2)
    second.step()
    assert (first.leads, second.leads) == (True, False)
    assert signed(store) == before


def test_one_that_slept_and_was_followed_signs_nothing_more(store, sequencer, clock, engine):
    append(store, 1, 2)
    slept, second = sequencer(), sequencer()
    slept.step()
    clock.turn(TERM_S + 1)
    _end_sessions(engine)
    second.step()
    append(store, 3, 1)
    second.step()
    by_second = signed(store)
    slept._sign_or_refuse = None  # it must not come so far
    slept.step()
    assert (slept.leads, second.leads) == (False, True)
    assert signed(store) == by_second


def test_one_that_sleeps_within_its_transaction_stores_nothing_afterwards(store, sequencer, clock, engine):
    append(store, 1, 2)
    slept, second = sequencer(), sequencer()
    slept.step()
    append(store, 3, 1)
    clock.turn(TERM_S + 1)
    _end_sessions(engine)
    second.step()
    before = signed(store)
    # It claimed before it slept, and goes on where it was.
    slept._lead = lambda: True
    slept.step()
    assert not slept.leads
    assert signed(store) == before


def test_a_restart_goes_on_where_the_last_one_ended(store, sequencer):
    append(store, 1, 4)
    first = sequencer()
    first.step()
    first._leadership.close()
    append(store, 5, 3)
    second = sequencer()
    second.step()
    assert opened(store).checkpoint.size == 7
    assert second.status()[0].altered is None


def test_a_log_signed_by_another_key_is_not_signed(store, sequencer, clock):
    append(store, 1, 4)
    other = LogKey(KEY.name, b"k" * 32)
    first = sequencer(other)
    first.step()
    first._leadership.close()
    before = signed(store)
    second = sequencer()
    second.step()
    assert "not signed by the log's key" in second.status()[0].altered
    assert signed(store) == before


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        pytest.param("DELETE FROM checkpoints", "no longer there", id="the-checkpoint-is-gone"),
        pytest.param("UPDATE checkpoints SET size = 3", "another size or root", id="a-smaller-size-beside-the-note"),
        pytest.param("UPDATE checkpoints SET root = :root", "another size or root", id="another-root-beside-the-note"),
        pytest.param("UPDATE checkpoints SET note = replace(note, '4', '5')", "not signed", id="a-changed-note"),
    ],
)
def test_a_changed_checkpoint_stops_the_signing(store, sequencer, engine, statement, problem):
    append(store, 1, 4)
    one = sequencer()
    one.step()
    _change(engine, statement)
    append(store, 5, 1)
    for _ in range(2):
        one.step()
    assert problem in one.status()[0].altered
    assert (signed(store) is None) or signed(store).size <= 4


@pytest.mark.parametrize(
    ("alter", "problem"),
    [
        pytest.param(
            "UPDATE log_tiles SET hashes = :flipped WHERE level = 0 AND number = 0", "root", id="a-flipped-leaf"
        ),
        pytest.param("UPDATE log_tiles SET hashes = :flipped WHERE level = 1", "root", id="a-flipped-node"),
        pytest.param("DELETE FROM log_tiles WHERE level = 0 AND number = 1", "tile 0/1", id="a-tile-gone"),
        pytest.param("UPDATE log_heads SET root = :root", "root that was kept", id="another-root"),
        pytest.param("UPDATE log_heads SET size = 299, frontier = :frontier", "299", id="the-last-entry-cut-off"),
        pytest.param("UPDATE records SET envelope = :root WHERE log_index = 290", "entry 290", id="an-altered-entry"),
        pytest.param("DELETE FROM records WHERE log_index = 299", "entry 299 is missing", id="the-last-entry-gone"),
        pytest.param("UPDATE log_tiles SET hashes = :root", "not 256 wide", id="tiles-cut-short"),
        pytest.param("DELETE FROM records WHERE log_index = 17", "entry 17 is missing", id="an-entry-gone"),
    ],
)
def test_an_altered_log_is_not_signed_at_the_next_start(store, sequencer, engine, alter, problem):
    append(store, 1, 300)
    first = sequencer()
    first.step()
    first._leadership.close()
    before = signed(store)
    _change(engine, "DELETE FROM payloads")
    _change(engine, alter)
    second = sequencer()
    second.step()
    assert problem in second.status()[0].altered
    assert signed(store) == before


@pytest.mark.parametrize(
    "alter",
    [
        pytest.param("UPDATE log_tiles SET hashes = :flipped WHERE level = 1", id="a-flipped-node"),
        pytest.param("UPDATE log_heads SET root = :root", id="another-root"),
        pytest.param("DELETE FROM log_tiles WHERE level = 0 AND number = 1", id="the-newest-tile-gone"),
    ],
)
def test_what_is_altered_while_it_runs_is_seen_before_the_next_signature(store, sequencer, engine, alter):
    append(store, 1, 300)
    one = sequencer()
    one.step()
    before = signed(store)
    _change(engine, alter)
    one.step()
    assert one.status()[0].altered is not None
    assert signed(store) == before


def test_administration_is_in_the_log_in_its_order_and_each_event_once(store, sequencer):
    events = [event(f"policy-{number}") for number in range(5)]
    with store.write() as session:
        for each in events[:3]:
            session.admin_events.add(each)
    one = sequencer()
    one.step()
    append(store, 1, 2)
    with store.write() as session:
        for each in events[3:]:
            session.admin_events.add(each)
    one.step()
    one.step()
    with store.read() as session:
        entries = list(session.log.entries(T, 0, 99))
        listed = session.admin_events.page(T, after=None, limit=99).items
    assert [entry.kind for entry in entries] == ["admin"] * 3 + ["terminal"] * 2 + ["admin"] * 2
    targets = [json.loads(entry.envelope)["target"] for entry in entries if entry.kind == "admin"]
    assert targets == [each.target for each in events]
    assert [each.log_index for each in listed] == [0, 1, 2, 5, 6]
    assert signed(store).size == 7


@pytest.mark.only_on("sqlite")
def test_text_where_bytes_were_is_an_alteration(store, sequencer, engine):
    append(store, 1, 3)
    _change(engine, "UPDATE records SET envelope = replace(envelope, 'alice', 'mallory') WHERE log_index = 1")
    one = sequencer()
    one.step()
    assert "cannot be read" in one.status()[0].altered
    assert signed(store) is None


def test_a_head_that_cannot_be_appended_to_is_said(store, sequencer, engine):
    append(store, 1, 3)
    one = sequencer()
    one.step()
    before = signed(store)
    _change(engine, "UPDATE log_heads SET frontier = :root")
    with store.write() as session:
        session.admin_events.add(event("a-policy"))
    one.step()
    assert "nothing can be appended" in one.status()[0].altered
    assert signed(store) == before


def test_an_event_is_put_there_without_waiting_for_the_next_signature(store, sequencer):
    with store.write() as session:
        session.admin_events.add(event("a-policy"))
    sequencer().step(sign=False)
    with store.read() as session:
        assert session.log.size(T) == 1
        assert session.checkpoints.latest(T) is None


def event(target: str) -> AdminEvent:
    return AdminEvent(
        tenant=T, seq=0, at=NOON, principal="author", role="author", action="policy_created", target=target, detail={}
    )


def test_records_are_taken_while_nothing_is_signed(store, sequencer, engine):
    append(store, 1, 4)
    one = sequencer()
    one.step()
    _change(engine, "DELETE FROM checkpoints")
    one.step()
    append(store, 5, 2)
    with store.read() as session:
        assert session.log.size(T) == 6


def test_each_tenant_has_its_own_log_and_origin(store, sequencer):
    append(store, 1, 2)
    with store.write() as session:
        session.decisions.append("other", [], [], at=NOON)
    one = sequencer()
    one.step()
    assert [status.tenant for status in one.status()] == ["default", "other"]
    with store.read() as session:
        note = session.checkpoints.latest("other").note
    assert note.startswith(f"{KEY.name}/other\n0\n")


def test_the_time_that_a_note_states_is_the_clocks(store, sequencer, clock):
    append(store, 1, 1)
    sequencer().step()
    assert opened(store).at_s == int(NOON.timestamp())
    assert signed(store).signed_at == NOON
    assert clock() - signed(store).signed_at == timedelta(0)


def _change(engine, statement: str) -> None:
    other = hashlib.sha256(b"x").digest()
    values = {"root": other, "flipped": other * 256, "frontier": other * (299).bit_count()}
    with engine.begin() as connection:
        connection.execute(text(statement), {name: value for name, value in values.items() if f":{name}" in statement})


def _end_sessions(engine) -> None:
    """End the session of the leader, as PostgreSQL does with one that sleeps, and wait until its lock is free."""
    if engine.dialect.name == "postgresql":
        with engine.begin() as connection:
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid, 30000) FROM pg_locks "
                "WHERE locktype = 'advisory' AND granted AND pid <> pg_backend_pid()"
            )


def test_an_older_copy_of_the_log_is_not_signed_by_who_signed_more(store, sequencer, engine, tmp_path):
    """All that the database knows is gone with the entries; what stands beside the key is not."""
    append(store, 1, 5)
    first = sequencer(memory=SignedFolder(tmp_path / "signed"))
    first.step()
    with engine.begin() as connection:
        head = connection.execute(text("SELECT size, root, frontier FROM log_heads")).one()
        tile = connection.execute(text("SELECT hashes FROM log_tiles")).scalar_one()
    append(store, 6, 5)
    first.step()
    with engine.begin() as connection:
        for table in ("records", "payloads"):
            connection.execute(text(f"DELETE FROM {table} WHERE log_index >= 5"))
        connection.execute(text("DELETE FROM checkpoints WHERE size > 5"))
        connection.execute(text("UPDATE log_tiles SET hashes = :hashes"), {"hashes": tile})
        connection.execute(
            text("UPDATE log_heads SET size = :size, root = :root, frontier = :frontier"),
            {"size": head.size, "root": head.root, "frontier": head.frontier},
        )
        connection.execute(text("UPDATE log_days SET end_index = 5"))
    stop(first)
    second = sequencer(memory=SignedFolder(tmp_path / "signed"))
    second.step()
    (status,) = second.status()
    assert "10 entries were signed here" in (status.altered or "")
    assert opened(store).checkpoint.size == 5
