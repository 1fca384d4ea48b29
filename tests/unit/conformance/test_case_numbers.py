# SPDX-License-Identifier: Apache-2.0
"""Cases are named by numbers and ranges, and what names none is told of."""

import click
import pytest

from conformance.case_numbers import CaseNumbers
from conformance.cases import CASES


def numbers(text):
    return CaseNumbers().convert(text, None, None)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("1", {1}),
        ("1,5,20-24", {1, 5, 20, 21, 22, 23, 24}),
        (" 65, 66 ,70", {65, 66, 70}),
        ("3-3,3", {3}),
    ],
)
def test_numbers_and_ranges(text, meant):
    assert numbers(text) == meant


def test_what_was_read_before_stays_as_it_is():
    assert numbers(frozenset({7})) == {7}


@pytest.mark.parametrize("text", ["", "a", "1,", "1-", "-1", "1 - 3", "1-2-3", "١", "1000"])
def test_what_is_neither_a_number_nor_a_range_is_told(text):
    with pytest.raises(click.BadParameter, match="neither a number nor a range"):
        numbers(text)


@pytest.mark.parametrize("text", ["0", "1,71", "69-75", "999"])
def test_a_case_that_there_is_not_is_told(text):
    with pytest.raises(click.BadParameter, match=f"there are 1 to {len(CASES)}"):
        numbers(text)


def test_a_range_that_runs_backwards_names_no_case():
    with pytest.raises(click.BadParameter, match="5-3"):
        numbers("5-3")
