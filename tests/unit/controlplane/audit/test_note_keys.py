# SPDX-License-Identifier: Apache-2.0
"""Keys are read in one form, and say nothing secret where they are printed."""

import pytest
from cryptography.exceptions import InvalidSignature

from controlplane.audit.note_keys import KeyKind, KeyMalformed, SignerKey, VerifierKey
from controlplane.audit.strict_text import to_base64

# The example of C2SP's specification of signed notes.
PUBLISHED = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"


def test_a_published_key_is_read_and_written():
    key = VerifierKey.parse(PUBLISHED)
    assert (key.name, key.kind, key.id.hex()) == ("example.com/foo", KeyKind.NOTE, "530d903a")
    assert str(key) == PUBLISHED


@pytest.mark.parametrize("kind", list(KeyKind))
def test_a_key_comes_back_from_its_file(kind):
    key = SignerKey.generate("log.example/a", kind)
    assert SignerKey.parse(key.to_text() + "\n") == key
    assert VerifierKey.parse(str(key.verifier)) == key.verifier


@pytest.mark.parametrize("kind", list(KeyKind))
def test_what_one_key_signed_another_did_not(kind):
    key, other = SignerKey.generate("a", kind), SignerKey.generate("a", kind)
    signature = key.sign(b"text\n", at_s=1_700_000_000)
    assert key.verifier.verify(b"text\n", signature) == (1_700_000_000 if kind is KeyKind.COSIGNATURE else None)
    for verifier, text, given in [
        (other.verifier, b"text\n", signature),
        (key.verifier, b"texT\n", signature),
        (key.verifier, b"text\n", signature[:-1]),
        (key.verifier, b"text\n", signature + b"\0"),
        (key.verifier, b"text\n", b""),
        (key.verifier, b"text\n", bytes([signature[0] ^ 1]) + signature[1:]),
    ]:
        with pytest.raises(InvalidSignature):
            verifier.verify(text, given)


def test_the_two_ways_to_sign_do_not_pass_for_each_other():
    key = SignerKey.generate("a")
    plain, timed = key.sign(b"text\n", at_s=5), key.cosigner().sign(b"text\n", at_s=5)
    assert key.verifier.id != key.cosigner().verifier.id
    assert key.cosigner().verifier == key.verifier.cosigner()
    for verifier, signature in [(key.verifier, timed), (key.verifier, timed[8:]), (key.verifier.cosigner(), plain)]:
        with pytest.raises(InvalidSignature):
            verifier.verify(b"text\n", signature)


def test_a_time_that_no_clock_has_is_refused():
    key = SignerKey.generate("a", KeyKind.COSIGNATURE)
    with pytest.raises(InvalidSignature):
        key.verifier.verify(b"text\n", key.sign(b"text\n", at_s=1 << 63))


@pytest.mark.parametrize(
    "name", ["", "a b", "a+b", "a\u00a0b", "a\u2028", "a\u3000b", "a\nb", "a\x00", "a\u0085", "\ud800"]
)
def test_a_name_that_no_line_can_have_is_refused(name):
    with pytest.raises(KeyMalformed):
        SignerKey.generate(name)
    with pytest.raises(KeyMalformed):
        VerifierKey.parse(f"{name}+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "eight digits"),
        ("example.com/foo", "eight digits"),
        (PUBLISHED.replace("530d", "530D"), "eight digits"),
        (PUBLISHED.replace("530d903a", "530d903"), "eight digits"),
        (PUBLISHED.replace("530d", "530e"), "not its own"),
        (PUBLISHED.replace("com/foo", "com/fop"), "not its own"),
        (PUBLISHED[:-1], "base64"),
        (PUBLISHED + "\n", "base64"),
        ("a+00000000+" + to_base64(b"\x01" + bytes(31)), "32 bytes"),
        ("a+00000000+" + to_base64(b"\x02" + bytes(32)), "only Ed25519"),
        ("a+00000000+", "only Ed25519"),
        ("a" * 2000 + PUBLISHED, "longer"),
    ],
)
def test_a_text_that_is_no_key_says_why(text, why):
    with pytest.raises(KeyMalformed, match=why):
        VerifierKey.parse(text)


def test_a_private_key_is_never_quoted():
    key = SignerKey.generate("log")
    assert key.seed.hex() not in repr(key)
    assert repr(key.seed) not in repr(key)
    for text in (str(key.verifier), key.to_text()[:-8], key.to_text().replace("log", "lag"), key.to_text() + "\n\n"):
        with pytest.raises(KeyMalformed) as refused:
            SignerKey.parse(text)
        assert key.to_text()[-30:-10] not in str(refused.value)
