# SPDX-License-Identifier: Apache-2.0
from policies.contracts.record import pseudonym, span_hash

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
