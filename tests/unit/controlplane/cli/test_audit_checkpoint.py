# SPDX-License-Identifier: Apache-2.0
"""`gatehouse audit checkpoint` and `gatehouse audit prove`: what they believe, and what they find out."""

import json

import pytest
from sqlalchemy import text

from controlplane.audit.checkpoints import Checkpoint, open_checkpoint, sign_checkpoint
from controlplane.audit.hashes import EMPTY_ROOT
from controlplane.audit.note_keys import KeyKind, SignerKey, VerifierKey
from controlplane.audit.proof_texts import TlogProof
from controlplane.identifiers import new_ulid, utc_now
from controlplane.services.log_key import LogKey, new_log_key
from controlplane.services.sequencing import Sequencer
from controlplane.store.leadership import leadership
from tests.records import make_record

KEY_FILE = new_log_key()
KEY = LogKey.parse(KEY_FILE)
LOG = VerifierKey.parse(KEY.vkey("default"))


@pytest.fixture
def log(under_test, home):
    """A signed log of some records, whose key the home has."""
    (home / "keys").mkdir()
    (home / "keys" / "log-signing.key").write_text(KEY_FILE + "\n")
    grown = SignedLog(under_test)
    grown.grow(3)
    return grown


class SignedLog:
    def __init__(self, under_test, key: LogKey = KEY) -> None:
        self.plane = under_test
        self.engine = under_test.store._engine
        leads = leadership(self.engine, utc_now)
        self.sequencer = Sequencer(
            store=under_test.store, leadership=leads, key=key, clock=utc_now, new_id=new_ulid, pseudonym_key=b"p" * 32
        )
        self.at = 0

    def grow(self, count: int) -> None:
        self.plane.ingest(*(make_record(seq=self.at + number) for number in range(1, count + 1)))
        self.at += count
        self.sequencer.step()

    def change(self, statement: str, **values: object) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(statement), values)

    def size(self) -> int:
        with self.plane.store.read() as session:
            return session.checkpoints.latest("default").size


def shown(result):
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_the_key_is_shown_without_asking_anybody(gatehouse, log):
    assert gatehouse("audit", "checkpoint", "--key").stdout == KEY.vkey("default") + "\n"
    assert shown(gatehouse("audit", "checkpoint", "--key", "--json")) == {"key": KEY.vkey("default")}


def test_a_checkpoint_is_printed_as_it_is_signed(gatehouse, log):
    printed = gatehouse("audit", "checkpoint")
    assert printed.exit_code == 0
    assert open_checkpoint(printed.stdout.encode(), [LOG]).checkpoint.size == log.size()
    assert "seen here for the first time" in printed.stderr


def test_each_look_is_compared_with_the_one_before(gatehouse, log):
    first = shown(gatehouse("audit", "checkpoint", "--json"))
    log.grow(4)
    second = shown(gatehouse("audit", "checkpoint", "--json"))
    assert first["consistent_with"] is None
    assert second["consistent_with"] == first["size"]
    assert second["size"] == log.size()


def test_a_log_that_was_cut_off_is_found(gatehouse, log, home):
    shown(gatehouse("audit", "checkpoint", "--json"))
    signer = KEY.signer("default")
    note = sign_checkpoint(Checkpoint(signer.name, 0, EMPTY_ROOT), signer, at_s=1).to_bytes().decode()
    log.change("DELETE FROM checkpoints")
    log.change("INSERT INTO checkpoints VALUES ('default', 0, :root, :note, '', 0, 0)", root=EMPTY_ROOT, note=note)
    found = gatehouse("audit", "checkpoint")
    assert (found.exit_code, "entries were cut off" in found.stderr) == (1, True)


def test_a_log_that_was_written_anew_is_found(gatehouse, log):
    shown(gatehouse("audit", "checkpoint", "--json"))
    size = log.size() + 1
    signer = KEY.signer("default")
    note = sign_checkpoint(Checkpoint(signer.name, size, b"x" * 32), signer, at_s=1).to_bytes().decode()
    log.plane.ingest(make_record(seq=log.at + 1))
    log.change(
        "INSERT INTO checkpoints VALUES ('default', :size, :root, :note, '', 0, 0)",
        size=size,
        root=b"x" * 32,
        note=note,
    )
    found = gatehouse("audit", "checkpoint")
    assert (found.exit_code, "is not the beginning of this one" in found.stderr) == (1, True)


@pytest.mark.parametrize("command", [("checkpoint",), ("prove", "0")], ids=["checkpoint", "prove"])
def test_another_keys_log_is_not_believed(gatehouse, log, command):
    other = SignerKey(LOG.name, KeyKind.NOTE, b"o" * 32).verifier
    found = gatehouse("audit", *command, "--vkey", str(other))
    assert (found.exit_code, "not the log's" in found.stderr) == (1, True)


def test_a_machine_without_a_key_is_told_to_give_one(gatehouse, log, home):
    (home / "keys" / "log-signing.key").unlink()
    found = gatehouse("audit", "checkpoint")
    assert (found.exit_code, "--vkey" in found.stderr) == (2, True)
    assert gatehouse("audit", "checkpoint", "--vkey", KEY.vkey("default")).exit_code == 0


def test_a_record_is_proved_and_its_proof_goes_home(gatehouse, log, tmp_path):
    proved = shown(gatehouse("audit", "prove", "rec_b0_2", "--json", "--out", tmp_path / "proof"))
    assert json.loads(proved["entry"])["record_id"] == "rec_b0_2"
    assert shown(gatehouse("audit", "prove", proved["index"], "--json"))["leaf_hash"] == proved["leaf_hash"]
    proof = TlogProof.parse((tmp_path / "proof").read_bytes())
    assert proof.index == proved["index"]
    assert open_checkpoint(proof.checkpoint, [LOG]).checkpoint.size == log.size()


def test_an_altered_entry_is_not_proved(gatehouse, log):
    index = shown(gatehouse("audit", "prove", "rec_b0_2", "--json"))["index"]
    log.change("DELETE FROM payloads")
    log.change("UPDATE records SET envelope = :other WHERE log_index = :index", other=b'{"record_id":"x"}', index=index)
    found = gatehouse("audit", "prove", index)
    assert (found.exit_code, "was altered" in found.stderr) == (1, True)


def test_an_altered_tree_is_not_proved(gatehouse, log):
    hashes = b"z" * 32 * log.size()
    log.change("UPDATE log_tiles SET hashes = :hashes WHERE level = 0", hashes=hashes)
    found = gatehouse("audit", "prove", "1")
    assert (found.exit_code, "is not proved" in found.stderr) == (1, True)


def test_what_is_not_there_is_said(gatehouse, log):
    found = gatehouse("audit", "prove", "rec_nobody")
    assert (found.exit_code, "no such entry" in found.stderr) == (1, True)
