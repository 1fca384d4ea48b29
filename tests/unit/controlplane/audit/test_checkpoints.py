# SPDX-License-Identifier: Apache-2.0
"""A checkpoint is its log's own, or it is none."""

import pytest

from controlplane.audit.checkpoints import Checkpoint, cosign, open_checkpoint, sign_checkpoint
from controlplane.audit.hashes import EMPTY_ROOT, leaf_hash
from controlplane.audit.note_keys import KeyKind, SignerKey
from controlplane.audit.notes import Note, NoteMalformed, NoteNotSigned, signature_of
from tests.unit.controlplane.audit import naive_tree

LOG, OTHER = SignerKey.generate("audit.example/acme"), SignerKey.generate("audit.example/other")
WITNESS = SignerKey.generate("witness.example/w1", KeyKind.COSIGNATURE)
ROOT = leaf_hash(b"entry")
CHECKPOINT = Checkpoint("audit.example/acme", 1, ROOT)
SIGNED = sign_checkpoint(CHECKPOINT, LOG, at_s=1_700_000_000)


def test_a_log_signs_plainly_and_with_the_time():
    opened = open_checkpoint(SIGNED.to_bytes(), [OTHER.verifier, LOG.verifier])
    assert (opened.checkpoint, opened.at_s, opened.witnesses) == (CHECKPOINT, 1_700_000_000, ())
    assert SIGNED.text.decode().splitlines()[:2] == ["audit.example/acme", "1"]


def test_a_witness_adds_its_line():
    note = SIGNED.with_signatures([cosign(SIGNED, WITNESS, at_s=1_700_000_009)])
    opened = open_checkpoint(note.to_bytes(), [LOG.verifier], [WITNESS.verifier])
    assert [(each.key, each.at_s) for each in opened.witnesses] == [(WITNESS.verifier, 1_700_000_009)]
    assert opened.at_s == 1_700_000_000
    assert open_checkpoint(note.to_bytes(), [LOG.verifier]).witnesses == ()


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([signature_of(OTHER, CHECKPOINT.to_text(), at_s=0)], id="another-log"),
        pytest.param([cosign(SIGNED, WITNESS, at_s=1)], id="a-witness-alone"),
        pytest.param([signature_of(LOG.cosigner(), CHECKPOINT.to_text(), at_s=1)], id="the-time-alone"),
        pytest.param([*SIGNED.signatures[:1], signature_of(LOG.cosigner(), b"other\n", at_s=1)], id="a-false-time"),
    ],
)
def test_a_checkpoint_that_its_log_did_not_sign_is_refused(lines):
    note = Note(CHECKPOINT.to_text(), tuple(lines))
    with pytest.raises(NoteNotSigned):
        open_checkpoint(note.to_bytes(), [LOG.verifier, OTHER.verifier], [WITNESS.verifier])


def test_a_key_signs_for_its_own_log_only():
    with pytest.raises(ValueError, match="does not sign for"):
        sign_checkpoint(CHECKPOINT, OTHER, at_s=0)
    with pytest.raises(ValueError, match="does not sign for"):
        sign_checkpoint(CHECKPOINT, LOG.cosigner(), at_s=0)
    with pytest.raises(ValueError, match="not a cosigner's"):
        cosign(SIGNED, LOG, at_s=0)


def test_no_flipped_bit_of_a_checkpoint_is_accepted():
    for wrong in naive_tree.flipped(Note(SIGNED.text, SIGNED.signatures[:1]).to_bytes()):
        with pytest.raises((NoteMalformed, NoteNotSigned)):
            open_checkpoint(wrong, [LOG.verifier])


B64 = CHECKPOINT.to_text().decode().splitlines()[2]


@pytest.mark.parametrize(
    "text",
    [
        f"origin\n01\n{B64}\n",
        f"origin\n-1\n{B64}\n",
        f"origin\n{2**63}\n{B64}\n",
        f"origin\n{'9' * 5000}\n{B64}\n",
        f"\n1\n{B64}\n",
        f"origin\n1\n{B64}\n\n",
        "origin\n1\n",
        f"origin\n1\n{B64[:-4]}\n",
        f"origin\n1\n{B64[:-1]}\n",
    ],
)
def test_a_text_that_is_no_checkpoint_is_refused(text):
    with pytest.raises(NoteMalformed):
        Checkpoint.parse(text.encode())


def test_lines_that_others_add_are_kept_and_signed():
    text = CHECKPOINT.to_text() + b"extension\n"
    assert Checkpoint.parse(text).extensions == ("extension",)
    assert Checkpoint.parse(text).to_text() == text


def test_an_empty_log_has_a_checkpoint():
    empty = Checkpoint("audit.example/acme", 0, EMPTY_ROOT)
    assert open_checkpoint(sign_checkpoint(empty, LOG, at_s=1).to_bytes(), [LOG.verifier]).checkpoint == empty
