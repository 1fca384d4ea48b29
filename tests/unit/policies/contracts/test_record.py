# SPDX-License-Identifier: Apache-2.0
from policies.contracts.record import pseudonym, redaction_key, span_hash

KEY = b"k" * 32


def test_equal_spans_of_a_tenant_have_one_hash_and_others_another():
    first = span_hash(KEY, tenant="default", span="alice@example.com")
    assert first == span_hash(KEY, tenant="default", span="alice@example.com")
    assert first.startswith("s1:")
    assert len(first) == len("s1:") + 16
    others = {
        span_hash(KEY, tenant="other", span="alice@example.com"),
        span_hash(b"l" * 32, tenant="default", span="alice@example.com"),
        span_hash(KEY, tenant="default", span="bob@example.com"),
    }
    assert len({first, *others}) == 4


def test_the_hash_of_a_span_is_no_pseudonym():
    digits = span_hash(KEY, tenant="default", span="user:alice").removeprefix("s1:")
    assert digits not in pseudonym(KEY, tenant="default", subject="user:alice")


def test_each_tenant_hashes_with_a_key_of_its_own():
    first = redaction_key(KEY, tenant="default")
    assert first == redaction_key(KEY, tenant="default")
    assert len(first) == 32
    assert len({first, KEY, redaction_key(KEY, tenant="other"), redaction_key(b"l" * 32, tenant="default")}) == 4


def test_no_span_and_no_subject_gives_the_key_away():
    key = redaction_key(KEY, tenant="default").hex()
    for said in ("redaction-hash", "user:redaction-hash", "user:alice", ""):
        assert span_hash(KEY, tenant="default", span=said).removeprefix("s1:") not in key
        assert pseudonym(KEY, tenant="default", subject=said).removeprefix("p1:") not in key
