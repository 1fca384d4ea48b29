# SPDX-License-Identifier: Apache-2.0
"""Notes are read strictly, and believed only where a known key signed them."""

import pytest

from controlplane.audit.note_keys import SignerKey, VerifierKey
from controlplane.audit.notes import (
    MAX_NOTE_BYTES,
    MAX_SIGNATURES,
    Note,
    NoteMalformed,
    NoteNotSigned,
    SignatureLine,
    parse_note,
    signature_of,
    verify_note,
)
from tests.unit.controlplane.audit import naive_tree

# The example of C2SP's specification of signed notes.
PUBLISHED_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
PUBLISHED = (
    "This is an example message.\n\n"
    "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
KEY, OTHER = SignerKey.generate("log"), SignerKey.generate("other")
TEXT = b"first\n\nlast\n"
SIGNED = Note(TEXT, (signature_of(KEY, TEXT, at_s=0),))


def test_a_published_note_verifies():
    note = parse_note(PUBLISHED.encode())
    (verified,) = verify_note(note, [VerifierKey.parse(PUBLISHED_KEY)])
    assert (str(verified.key), verified.at_s, note.to_bytes().decode()) == (PUBLISHED_KEY, None, PUBLISHED)


def test_the_text_ends_at_the_last_blank_line():
    assert parse_note(SIGNED.to_bytes()) == SIGNED


def test_keys_that_are_not_known_are_ignored_and_known_ones_must_hold():
    text = b"text\n"
    good, unknown = signature_of(KEY, text, at_s=0), signature_of(OTHER, text, at_s=0)
    forged = SignatureLine(good.name, good.key_id, bytes(64))
    same_name = SignatureLine(good.name, b"none", bytes(64))
    for lines in [(good,), (unknown, good), (good, same_name), (same_name, unknown, good), (good, good)]:
        assert {each.key for each in verify_note(Note(text, lines), [KEY.verifier])} == {KEY.verifier}
    for lines in [(unknown,), (same_name,), (forged,), (good, forged), (forged, good)]:
        with pytest.raises(NoteNotSigned):
            verify_note(Note(text, lines), [KEY.verifier])
    with pytest.raises(NoteNotSigned):
        verify_note(Note(text, (good,)), [])


def test_a_new_line_of_a_key_takes_the_place_of_its_old_one():
    cosigner = KEY.cosigner()
    first, second = (signature_of(cosigner, TEXT, at_s=at_s) for at_s in (1, 2))
    note = SIGNED.with_signatures([first]).with_signatures([second])
    assert note.signatures == (*SIGNED.signatures, second)


LINE = str(SIGNED.signatures[0])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "text\n",
        "text\n\n",
        f"text\n{LINE}",
        f"text\n\n{LINE}"[:-1],
        f"text\n\n{LINE}\n",
        f"text\n\n{LINE}more\n",
        f"text\n\nmore\n{LINE}",
        f"te\x00xt\n\n{LINE}",
        f"te\txt\n\n{LINE}",
        f"text\r\n\r\n{LINE}",
        f"text\n\n{LINE[1:]}",
        f"text\n\n-{LINE[1:]}",
        f"text\n\n—{LINE[2:]}",
        f"text\n\n{LINE.replace('log', '')}",
        f"text\n\n{LINE.replace('log', 'l+g')}",
        f"text\n\n{LINE.replace('log', chr(0xA0))}",
        f"text\n\n{LINE.replace('log ', 'log  ')}",
        f"text\n\n{LINE.replace('=', '')}",
        "text\n\n— log\n",
        "text\n\n— log \n",
        "text\n\n— log AAAAAA==\n",
        "text\n\n" + LINE * (MAX_SIGNATURES + 1),
        "t" * MAX_NOTE_BYTES + f"\n\n{LINE}",
    ],
)
def test_what_is_no_note_is_refused(text):
    with pytest.raises(NoteMalformed):
        parse_note(text.encode())


def test_bytes_that_are_no_text_are_no_note():
    with pytest.raises(NoteMalformed):
        parse_note(b"te\xffxt\n\n" + LINE.encode())


def test_as_many_signatures_as_are_promised_are_read():
    note = Note(b"text\n", (*(SignatureLine(f"w{at}", b"none", bytes(5000)) for at in range(16)), *SIGNED.signatures))
    assert parse_note(note.to_bytes()) == note


def test_no_flipped_bit_of_a_note_is_accepted():
    """But for those that turn the key's line into an unknown key's, beside which there is no other."""
    for wrong in naive_tree.flipped(SIGNED.to_bytes()):
        with pytest.raises((NoteMalformed, NoteNotSigned)):
            verify_note(parse_note(wrong), [KEY.verifier])
