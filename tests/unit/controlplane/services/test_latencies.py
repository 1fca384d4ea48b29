# SPDX-License-Identifier: Apache-2.0
from hypothesis import given
from hypothesis import strategies as st

from controlplane.services.latencies import ERROR, add_packed, bucket_of, middle_of, packed, quantile

LATENCIES = st.integers(0, 2**50)


@given(LATENCIES)
def test_the_middle_of_a_bucket_is_within_the_stated_error(latency):
    assert abs(middle_of(bucket_of(latency)) - latency) <= ERROR * latency


@given(LATENCIES, LATENCIES)
def test_buckets_are_in_the_order_of_latencies(one, other):
    assert (one < other) or (bucket_of(one) >= bucket_of(other))


@given(
    st.dictionaries(st.integers(0, 400), st.integers(1, 2**31)), st.dictionaries(st.integers(0, 400), st.integers(1, 9))
)
def test_packed_counts_add_up(first, second):
    counts: dict[int, int] = {}
    add_packed(counts, packed(first))
    add_packed(counts, packed(second))
    assert counts == {key: first.get(key, 0) + second.get(key, 0) for key in first | second}


def test_a_quantile_of_nothing_is_none():
    assert quantile({}, 0.5) is None
    assert quantile({3: 1}, 0.99) == 3
