# SPDX-License-Identifier: Apache-2.0
from hypothesis import given
from hypothesis import strategies as st

from controlplane.store.bitmaps import LARGEST, members, packed, set_of, unpacked

SETS = st.sets(st.integers(0, LARGEST), max_size=40)


def bits(numbers: set[int]) -> int:
    return sum(1 << number for number in numbers)


@given(st.lists(SETS, max_size=4))
def test_segments_one_after_another_are_their_union(sets):
    content = b"".join(packed(bits(one)) for one in sets)
    assert members(unpacked(content)) == sorted(set().union(*sets))


@given(st.integers(0, 4095), st.integers(1, 4096))
def test_a_dense_run_takes_a_bit_for_each_number(first, length):
    run = ((1 << length) - 1) << first
    assert unpacked(packed(run)) == run
    assert len(packed(run)) <= 4 + (length + 7) // 8


def test_few_numbers_far_apart_take_two_bytes_each():
    assert len(packed(bits({0, 2000, 4095}))) == 6


@given(SETS)
def test_a_set_is_made_of_its_numbers(numbers):
    assert set_of(list(numbers)) == bits(numbers)
