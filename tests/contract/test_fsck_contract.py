# SPDX-License-Identifier: Apache-2.0
"""A pass over all that is stored of a log finds every alteration of it, on every database."""

import hashlib

import pytest
from sqlalchemy import text

from controlplane.audit.checkpoints import Checkpoint, sign_checkpoint
from controlplane.identifiers import new_ulid
from controlplane.services.fsck import Finding, LogCheck
from controlplane.services.log_key import LogKey, new_log_key
from controlplane.services.model import AdminEvent
from controlplane.services.record_lines import read_line
from controlplane.services.sequencing import Sequencer
from controlplane.store.leadership import leadership
from tests.control_planes import TurnableClock
from tests.records import NOON, make_record

T = "default"
KEY = LogKey.parse(new_log_key())
OTHER = hashlib.sha256(b"x").digest()


@pytest.fixture
def log(engine, store):
    """A log of 310 entries of two kinds, with three checkpoints."""
    leads = leadership(engine, TurnableClock())
    sequencer = Sequencer(
        store=store, leadership=leads, key=KEY, clock=TurnableClock(), new_id=new_ulid, pseudonym_key=b"p" * 32
    )
    with store.write() as session:
        for number in range(10):
            session.admin_events.add(
                AdminEvent(
                    tenant=T, seq=0, at=NOON, principal="p", role="admin", action="a", target=str(number), detail={}
                )
            )
    for first, count in ((1, 1), (2, 249), (251, 50)):
        records = [read_line(make_record(seq=seq).to_line(), tenant=T) for seq in range(first, first + count)]
        with store.write() as session:
            session.decisions.append(T, records, [], at=NOON)
        sequencer.step()
    leads.close()
    return store


def findings(store) -> list[Finding]:
    with store.read() as session:
        return list(LogCheck(session, T, KEY.signer(T).verifier).run(lambda entries: None))


def test_a_log_that_was_only_written_is_sound(log):
    told = []
    with log.read() as session:
        check = LogCheck(session, T, KEY.signer(T).verifier)
        assert list(check.run(told.append)) == []
    assert (check.head.size, sum(told)) == (310, 310)


def test_an_empty_log_is_sound(store):
    assert findings(store) == []


@pytest.mark.parametrize(
    ("alter", "place"),
    [
        pytest.param("UPDATE records SET envelope = :other WHERE log_index = 40", "entry 40", id="an-envelope"),
        pytest.param("DELETE FROM records WHERE log_index = 309", "entry 309", id="the-last-entry-gone"),
        pytest.param("DELETE FROM records WHERE log_index = 41", "entry 41", id="an-entry-gone"),
        pytest.param("UPDATE payloads SET content = :other WHERE log_index = 50", "entry 50", id="a-payload"),
        pytest.param("UPDATE log_tiles SET hashes = :tile WHERE level = 0 AND number = 0", "head", id="leaf-hashes"),
        pytest.param("UPDATE log_tiles SET hashes = :other WHERE level = 1", "tile 1/0", id="a-node"),
        pytest.param("DELETE FROM log_tiles WHERE level = 0 AND number = 1", "tile 0/1", id="a-tile-gone"),
        pytest.param("DELETE FROM log_tiles WHERE level = 1", "tile 1/0", id="a-tile-above-gone"),
        pytest.param("UPDATE log_heads SET root = :other", "head", id="the-heads-root"),
        pytest.param("UPDATE checkpoints SET root = :other WHERE size = 260", "checkpoint 260", id="a-signed-root"),
        pytest.param("UPDATE checkpoints SET note = 'x' WHERE size = 11", "checkpoint 11", id="a-note"),
        pytest.param("DELETE FROM source_runs", "runs", id="the-numbers-of-sources-gone"),
        pytest.param("UPDATE decision_index_heads SET size = 300", "index", id="the-index-behind"),
    ],
)
def test_every_alteration_is_found(log, engine, alter, place):
    values = {"other": OTHER, "tile": OTHER * 256}
    with engine.begin() as connection:
        connection.execute(text(alter), {name: value for name, value in values.items() if f":{name}" in alter})
    assert place in {finding.place for finding in findings(log)}


@pytest.mark.only_on("sqlite")
def test_text_where_bytes_were_is_found_and_hides_nothing_else(log, engine):
    with engine.begin() as connection:
        connection.execute(text("UPDATE records SET envelope = replace(envelope, 'a', 'b') WHERE log_index = 40"))
        connection.execute(text("UPDATE records SET envelope = :other WHERE log_index = 45"), {"other": OTHER})
    assert {"entry 40", "entry 45"} <= {finding.place for finding in findings(log)}


def test_a_tail_that_was_cut_off_with_its_tree_is_found_by_the_checkpoint(log, engine):
    with log.read() as session:
        root = session.checkpoints.covering(T, 260).root
    from controlplane.audit.frontier import Frontier, split

    with log.read() as session:
        leaves = [*split(session.log.tile(T, 0, 0, 256)), *split(session.log.tile(T, 0, 1, 4))]
    frontier = Frontier().append(leaves)
    assert frontier.root() == root
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM payloads WHERE log_index >= 260"))
        connection.execute(text("DELETE FROM records WHERE log_index >= 260"))
        connection.execute(text("UPDATE log_days SET end_index = 260"))
        connection.execute(
            text("UPDATE log_tiles SET hashes = :hashes WHERE level = 0 AND number = 1"),
            {"hashes": b"".join(leaves[256:])},
        )
        connection.execute(
            text("UPDATE log_heads SET size = 260, root = :root, frontier = :frontier"),
            {"root": root, "frontier": frontier.to_bytes()},
        )
    assert "checkpoint 310" in {finding.place for finding in findings(log)}


def test_a_checkpoint_of_another_key_is_found(log, engine):
    other = LogKey(KEY.name, b"o" * 32).signer(T)
    with log.read() as session:
        last = session.checkpoints.latest(T)
    note = sign_checkpoint(Checkpoint(other.name, last.size, last.root), other, at_s=1).to_bytes().decode()
    with engine.begin() as connection:
        connection.execute(text("UPDATE checkpoints SET note = :note WHERE size = 310"), {"note": note})
    assert "checkpoint 310" in {finding.place for finding in findings(log)}
