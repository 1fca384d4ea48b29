# SPDX-License-Identifier: Apache-2.0
"""Intervals against plain sets."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from controlplane.audit.intervals import Intervals

runs = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 12)).map(lambda run: (run[0], run[0] + run[1])))


def made(given_runs):
    kept = Intervals()
    for run in given_runs:
        kept.add(*run)
    return kept


def numbers(kept):
    return {number for begin, end in kept for number in range(begin, end)}


def plain_set(given_runs):
    return {number for begin, end in given_runs for number in range(begin, end)}


@given(runs, st.lists(st.integers(0, 80)))
def test_it_is_a_set_in_disjoint_ordered_runs(given_runs, taken):
    kept, want = made(given_runs), plain_set(given_runs)
    for number in taken:
        assert kept.take(number) == (number in want)
        want.discard(number)
    told = list(kept)
    assert numbers(kept) == want
    assert (kept.total, len(kept)) == (len(want), len(told))
    assert all(low < high for low, high in told)
    assert all(before[1] <= after[0] for before, after in pairwise(told))


@given(runs, runs)
def test_what_another_has_is_left_out(some, others):
    assert numbers(made(some).without(made(others))) == plain_set(some) - plain_set(others)
