# SPDX-License-Identifier: Apache-2.0
from datetime import date

import pytest

from controlplane.sealing import KeyId, KeyRing, KeyUnknown, PayloadAltered, key_of

OLD, NEW = b"o" * 32, b"n" * 32
DAY = KeyId(date(2026, 11, 20), 1)
DIGEST = "sha256:" + "ab" * 32
TEXT = b'{"subject":{"id":"alice"}}'


@pytest.fixture
def ring():
    return KeyRing([OLD])


def data_key(ring, *, tenant="default", key_id=DAY, wrapped=None):
    return ring.data_key(wrapped or ring.new_key(tenant, key_id), tenant, key_id)


def test_what_was_sealed_is_opened_at_its_place(ring):
    key = data_key(ring)
    sealed = key.seal(7, TEXT, DIGEST)
    assert key.open(7, sealed, DIGEST) == TEXT
    assert key_of(sealed) == DAY
    assert b"alice" not in sealed


@pytest.mark.parametrize(
    ("log_index", "digest"),
    [pytest.param(8, DIGEST, id="another index"), pytest.param(7, DIGEST[:-1] + "0", id="another digest")],
)
def test_what_was_sealed_elsewhere_is_not_opened(ring, log_index, digest):
    key = data_key(ring)
    with pytest.raises(PayloadAltered):
        key.open(log_index, key.seal(7, TEXT, DIGEST), digest)


def test_another_tenant_cannot_open_it_with_the_same_key(ring):
    wrapped = ring.new_key("default", DAY)
    sealed = data_key(ring, wrapped=wrapped).seal(7, TEXT, DIGEST)
    with pytest.raises(PayloadAltered):
        ring.data_key(wrapped, "other", DAY)
    with pytest.raises(PayloadAltered):
        data_key(ring, tenant="other").open(7, sealed, DIGEST)


def test_every_altered_byte_is_found(ring):
    key = data_key(ring)
    sealed = key.seal(7, TEXT, DIGEST)
    body_begins = 7  # before it stands which key it is
    for place in range(body_begins, len(sealed)):
        altered = sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]
        with pytest.raises(PayloadAltered):
            key.open(7, altered, DIGEST)
    with pytest.raises(PayloadAltered):
        key.open(7, sealed[:-1], DIGEST)


def test_an_index_taken_again_after_a_rollback_has_another_nonce(ring):
    wrapped = ring.new_key("default", DAY)
    rolled_back, stored = (data_key(ring, wrapped=wrapped).seal(7, TEXT, DIGEST) for _ in range(2))
    assert rolled_back[7:13] != stored[7:13]
    assert rolled_back[13:] != stored[13:]


def test_what_was_stored_in_plain_has_no_key():
    assert key_of(TEXT) is None
    assert key_of(b"") is None


@pytest.mark.parametrize("sealed", [b"\1", b"\1" + b"\0" * 12, b"\1" + b"\xff" * 12], ids=["short", "day-0", "no-day"])
def test_a_broken_header_is_an_alteration(sealed):
    with pytest.raises(PayloadAltered):
        key_of(sealed)


def test_keys_are_exchanged_in_service():
    wrapped = KeyRing([OLD]).new_key("default", DAY)
    sealed = data_key(KeyRing([OLD]), wrapped=wrapped).seal(7, TEXT, DIGEST)
    rewrapped = KeyRing([NEW, OLD]).rewrap(wrapped, "default", DAY)
    assert data_key(KeyRing([NEW]), wrapped=rewrapped).open(7, sealed, DIGEST) == TEXT
    with pytest.raises(KeyUnknown):
        KeyRing([NEW]).data_key(wrapped, "default", DAY)


@pytest.mark.parametrize("text", ["", "ab", "ab" * 31, "ab" * 32 + "\nzz", "g" * 64])
def test_a_key_file_is_read_strictly_and_never_quoted(text):
    with pytest.raises(ValueError, match="64 hexadecimal digits") as caught:
        KeyRing.parse(text)
    assert not text or text not in str(caught.value)


def test_a_key_file_has_the_current_key_first():
    ring = KeyRing.parse("ab" * 32 + "\n" + "cd" * 32 + "\n")
    assert ring.current == KeyRing.parse("AB" * 32).current
    assert ring.knows(KeyRing.parse("cd" * 32).current)


class TestWhatIsSealedUnderTheRingItself:
    def test_it_opens_at_its_place_alone_also_after_an_exchange(self):
        sealed = KeyRing([b"a" * 32]).seal(b"text", b"here")
        exchanged = KeyRing([b"b" * 32, b"a" * 32])
        assert exchanged.open(sealed, b"here") == b"text"
        with pytest.raises(PayloadAltered):
            exchanged.open(sealed, b"there")
        with pytest.raises(KeyUnknown):
            KeyRing([b"b" * 32]).open(sealed, b"here")
