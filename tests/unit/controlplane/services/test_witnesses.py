# SPDX-License-Identifier: Apache-2.0
"""Witnesses are asked, believed only where their signature holds, and never waited for."""

from datetime import timedelta

import pytest

from controlplane.audit.checkpoints import cosign, open_checkpoint
from controlplane.audit.note_keys import KeyKind, SignerKey, VerifierKey
from controlplane.audit.notes import Note, parse_note
from controlplane.audit.proof_texts import AddCheckpoint
from controlplane.audit.verification import verify_consistency
from controlplane.identifiers import new_ulid
from controlplane.services.log_key import LogKey, new_log_key
from controlplane.services.sequencing import Sequencer
from controlplane.services.witnesses import Witness, WitnessAnswer, Witnessing, WitnessUnusable
from controlplane.store.leadership import leadership
from tests.control_planes import make_plane, sqlite_url
from tests.records import make_record

KEY = LogKey.parse(new_log_key())
LOG = VerifierKey.parse(KEY.vkey("default"))


class HonestWitness:
    """Remembers what it signed, and signs what is consistent with it."""

    def __init__(self, name: str = "witness.example") -> None:
        self.key = SignerKey.generate(name, KeyKind.COSIGNATURE)
        self.witness = Witness(url=f"https://{name}", key=self.key.verifier)
        self.seen = None
        self.asked = 0
        self.down = False

    def __call__(self, witness: Witness, body: bytes) -> WitnessAnswer:
        self.asked += 1
        if self.down:
            raise WitnessUnusable("down")
        request = AddCheckpoint.parse(body)
        opened = open_checkpoint(request.checkpoint, [LOG])
        had = 0 if self.seen is None else self.seen.size
        if request.old_size != had:
            return WitnessAnswer(knows_size=had)
        if self.seen is not None:
            verify_consistency(
                request.proof,
                first=had,
                second=opened.checkpoint.size,
                first_root=self.seen.root,
                second_root=opened.checkpoint.root,
            )
        self.seen = opened.checkpoint
        return WitnessAnswer(lines=str(cosign(opened.note, self.key, at_s=7)))


@pytest.fixture
def log(tmp_path):
    return SignedLog(tmp_path)


class SignedLog:
    def __init__(self, folder) -> None:
        self.plane = make_plane(sqlite_url(folder))
        self.store = self.plane.store
        self.sequencer = Sequencer(
            store=self.store,
            leadership=leadership(self.store._engine, self.plane.clock),
            key=KEY,
            clock=self.plane.clock,
            new_id=new_ulid,
            pseudonym_key=b"p" * 32,
        )
        self.at = 0

    def grow(self, count: int) -> None:
        self.plane.ingest(*(make_record(seq=self.at + number) for number in range(1, count + 1)))
        self.at += count
        self.sequencer.step()

    def witnessing(self, *witnesses) -> Witnessing:
        by_url = {each.witness.url: each for each in witnesses}
        asking = tuple(each.witness for each in witnesses)
        return Witnessing(
            store=self.store, witnesses=asking, ask=lambda witness, body: by_url[witness.url](witness, body)
        )

    def latest(self):
        with self.store.read() as session:
            return session.checkpoints.latest("default")

    def witnesses_of(self, *keys) -> list[str]:
        opened = open_checkpoint(self.latest().text.encode(), [LOG], [each.key.verifier for each in keys])
        return sorted(each.key.name for each in opened.witnesses)


def test_what_a_witness_signs_is_served_and_it_sees_that_the_log_only_grew(log):
    one, two = HonestWitness("w1.example"), HonestWitness("w2.example")
    asking = log.witnessing(one, two)
    for count in (3, 1, 4):
        log.grow(count)
        asking.step()
        assert log.witnesses_of(one, two) == ["w1.example", "w2.example"]
    assert one.seen.size == log.latest().size


def test_a_renewed_note_keeps_its_witnesses_and_they_are_not_asked_again_at_once(log):
    one = HonestWitness()
    asking = log.witnessing(one)
    log.grow(3)
    asking.step()
    asked = one.asked
    log.plane.clock.turn(2)
    log.sequencer.step()
    asking.step()
    assert (one.asked, log.witnesses_of(one)) == (asked, ["witness.example"])
    log.plane.clock.turn(60)
    log.sequencer.step()
    asking.step()
    assert one.asked == asked + 1
    assert log.latest().cosignatures.count("\n") == 1


def test_after_a_restart_the_witness_says_what_it_saw_last(log):
    one = HonestWitness()
    log.grow(3)
    log.witnessing(one).step()
    log.grow(2)
    log.witnessing(one).step()
    assert log.witnesses_of(one) == ["witness.example"]


def test_one_that_is_down_costs_nothing(log):
    down, up = HonestWitness("a.example"), HonestWitness("b.example")
    down.down = True
    asking = log.witnessing(down, up)
    log.grow(3)
    asking.step()
    assert log.witnesses_of(down, up) == ["b.example"]
    down.down = False
    asking.step()
    assert log.witnesses_of(down, up) == ["a.example", "b.example"]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda one, note: WitnessAnswer(lines="no lines"), id="no-signature-line"),
        pytest.param(lambda one, note: WitnessAnswer(lines=""), id="nothing"),
        pytest.param(lambda one, note: WitnessAnswer(knows_size=99), id="more-entries-than-there-are"),
        pytest.param(
            lambda one, note: WitnessAnswer(lines=str(cosign(Note(b"x\n1\nx\n", ()), one.key, at_s=1))),
            id="a-signature-of-something-else",
        ),
        pytest.param(
            lambda one, note: WitnessAnswer(
                lines=str(cosign(note, SignerKey.generate("evil.example", KeyKind.COSIGNATURE), at_s=1))
            ),
            id="a-signature-of-another-key",
        ),
    ],
)
def test_what_is_no_cosignature_of_the_witness_is_never_served(log, answer):
    one = HonestWitness()
    log.grow(3)
    note = parse_note(log.latest().note.encode())
    asking = Witnessing(store=log.store, witnesses=(one.witness,), ask=lambda witness, body: answer(one, note))
    asking.step()
    assert log.latest().cosignatures == ""
    assert log.latest().signed_at - log.plane.clock() == timedelta(0)
