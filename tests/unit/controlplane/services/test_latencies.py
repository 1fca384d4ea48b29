# SPDX-License-Identifier: Apache-2.0
import math
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from controlplane.services.latencies import ERROR, add_packed, bucket_of, middle_of, packed, quantiles

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
    assert quantiles({}, [0.5]) is None
    assert quantiles({3: 1}, [0.5, 0.99]) == [3, 3]


@given(st.lists(LATENCIES, min_size=1, max_size=50))
def test_quantiles_are_of_the_bucket_that_has_the_share(latencies):
    counts = Counter(map(bucket_of, latencies))
    ordered = sorted(map(bucket_of, latencies))
    shares = (0.5, 0.9, 0.99)
    want = [middle_of(ordered[math.ceil(share * len(ordered)) - 1]) for share in shares]
    assert quantiles(counts, shares) == want
