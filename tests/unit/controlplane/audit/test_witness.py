# SPDX-License-Identifier: Apache-2.0
"""What a witness signs, what it answers where it does not, and that it keeps before it signs."""

import hashlib

import pytest

from controlplane.audit.checkpoints import Checkpoint, open_checkpoint, sign_checkpoint
from controlplane.audit.note_keys import KeyKind, SignerKey
from controlplane.audit.notes import Note, parse_signature_lines, signature_of
from controlplane.audit.proof_texts import AddCheckpoint
from controlplane.audit.proofs import consistency_proof
from controlplane.audit.witness import Witness
from tests.unit.controlplane.audit.archives import LOG_KEY, ORDERLY, Log, request

LOG = Log(ORDERLY)
FORKED = Log([request(1), *ORDERLY[1:]])
KEY = SignerKey.generate("witness.example/w1", KeyKind.COSIGNATURE)


class Kept:
    def __init__(self):
        self.notes = {}
        self.contradictions = []

    def last(self, origin):
        return self.notes.get(origin)

    def keep(self, note, signed):
        assert note == signed.note.to_bytes()
        self.notes[signed.checkpoint.origin] = signed

    def keep_contradiction(self, origin, note):
        self.contradictions.append(note)


@pytest.fixture
def state():
    return Kept()


@pytest.fixture
def witness(state):
    return Witness(KEY, [LOG_KEY.verifier], state, lambda: 1_700_000_000.9)


def asked(old, size, *, log=LOG, note=None, proof=None):
    proof = consistency_proof(log.tiles, first=old, second=size) if proof is None else proof
    return AddCheckpoint(old_size=old, proof=proof, checkpoint=note or log.note(size).to_bytes()).to_text()


def test_it_cosigns_a_log_that_grows(witness, state):
    for old, size in [(0, 0), (0, 1), (1, 1), (1, 7), (7, 8), (8, 30), (30, 30)]:
        answer = witness.add_checkpoint(asked(old, size))
        assert answer.status == 200
        (line,) = parse_signature_lines(answer.body.decode())
        note = LOG.note(size).with_signatures([line]).to_bytes()
        opened = open_checkpoint(note, [LOG_KEY.verifier], [KEY.verifier])
        assert [(each.key, each.at_s) for each in opened.witnesses] == [(KEY.verifier, 1_700_000_000)]
        assert state.notes[LOG_KEY.name].note.to_bytes() == note


def test_it_shows_what_it_cosigned(witness):
    path = hashlib.sha256(LOG_KEY.name.encode()).hexdigest()
    assert [witness.checkpoint(each).status for each in (path, "0" * 64)] == [404, 404]
    witness.add_checkpoint(asked(0, 7))
    answer = witness.checkpoint(path)
    assert answer.status == 200
    assert len(open_checkpoint(answer.body, [LOG_KEY.verifier], [KEY.verifier]).verified) == 3


def test_who_asks_from_another_size_is_told_the_last(witness):
    assert witness.add_checkpoint(asked(7, 8)).body == b"0\n"
    witness.add_checkpoint(asked(0, 8))
    for old, size in [(0, 30), (7, 30), (9, 30), (0, 7), (7, 7)]:
        answer = witness.add_checkpoint(asked(old, size))
        assert (answer.status, answer.body, answer.content_type) == (409, b"8\n", "text/x.tlog.size")


OTHER = SignerKey.generate(LOG_KEY.name)
STRANGER = SignerKey.generate("stranger.example")
NOTE = LOG.note(7)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b"", 400, id="empty"),
        pytest.param(b"\0" * 300_000, 400, id="too-long"),
        pytest.param(asked(0, 7, note=b"no note"), 400, id="no-note"),
        pytest.param(asked(0, 7, note=Note(b"a\n", NOTE.signatures).to_bytes()), 404, id="no-checkpoint"),
        pytest.param(asked(0, 7, note=Note(f"{LOG_KEY.name}\n07\nx\n".encode(), NOTE.signatures).to_bytes()), 400, id="bad-size"),
        pytest.param(asked(7, 0, proof=[], note=LOG.note(0).to_bytes()), 400, id="old-size-above-the-new"),
        pytest.param(asked(0, 7, note=LOG.note(7, key=STRANGER).to_bytes()), 404, id="unknown-log"),
        pytest.param(asked(0, 7, note=LOG.note(7, key=OTHER).to_bytes()), 403, id="unknown-key"),
        pytest.param(asked(0, 7, note=Note(NOTE.text.replace(b"\n7\n", b"\n8\n"), NOTE.signatures).to_bytes()), 403, id="altered"),
        pytest.param(asked(0, 7, note=Note(NOTE.text, (signature_of(KEY, NOTE.text, at_s=1),)).to_bytes()), 403, id="no-log-s-line"),
        pytest.param(asked(0, 7, proof=[LOG.leaves[0]]), 422, id="proof-from-nothing"),
        pytest.param(asked(0, 0, note=sign_checkpoint(Checkpoint(LOG_KEY.name, 0, LOG.leaves[0]), LOG_KEY, at_s=1).to_bytes()), 422, id="a-root-of-nothing"),
    ],
)  # fmt: skip
def test_what_it_does_not_sign_has_its_status(witness, state, body, status):
    assert (witness.add_checkpoint(body).status, state.notes) == (status, {})


@pytest.mark.parametrize(
    "body",
    [
        asked(7, 30, log=FORKED),
        asked(7, 30, proof=consistency_proof(LOG.tiles, first=7, second=30)[:-1]),
        asked(7, 30, proof=(*consistency_proof(LOG.tiles, first=7, second=30), LOG.leaves[0])),
        asked(7, 30, proof=consistency_proof(LOG.tiles, first=6, second=30)),
        asked(7, 30, proof=()),
        asked(7, 7, log=FORKED),
        asked(7, 7, proof=(LOG.leaves[0],)),
    ],
)
def test_another_history_is_not_signed(witness, state, body):
    witness.add_checkpoint(asked(0, 7))
    assert witness.add_checkpoint(body).status == 422
    assert state.notes[LOG_KEY.name].checkpoint == Checkpoint.parse(LOG.note(7).text)


def test_a_log_that_contradicts_itself_leaves_the_evidence(witness, state):
    witness.add_checkpoint(asked(0, 7))
    witness.add_checkpoint(asked(7, 7, log=FORKED))
    assert state.contradictions == [FORKED.note(7).to_bytes()]


def test_a_signature_leaves_only_when_it_is_kept(witness, state):
    def full(note, signed):
        raise OSError(28, "No space left on device")

    state.keep = full
    with pytest.raises(OSError, match="No space"):
        witness.add_checkpoint(asked(0, 7))
    assert state.notes == {}


def test_a_note_signed_by_others_too_is_kept_without_them(witness, state):
    note = LOG.note(7).with_signatures([signature_of(STRANGER, LOG.note(7).text, at_s=1)])
    assert witness.add_checkpoint(asked(0, 7, note=note.to_bytes())).status == 200
    assert {line.name for line in state.notes[LOG_KEY.name].note.signatures} == {LOG_KEY.name, KEY.name}


def test_a_log_s_key_is_no_witness_s():
    with pytest.raises(ValueError, match="cosigner's"):
        Witness(LOG_KEY, [], Kept(), lambda: 0)
