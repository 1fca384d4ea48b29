# SPDX-License-Identifier: Apache-2.0
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.detectors.secrets.form import ALNUM, HEX, LOWER, UUID
from policies.detectors.secrets.randomness import entropy, evenness, humps, is_stand_in, is_uuid, wordiness


@pytest.mark.parametrize(
    ("value", "want"),
    [
        pytest.param("", 0.0, id="empty"),
        pytest.param("aaaa", 0.0, id="one-character"),
        pytest.param("abab", 1.0, id="two"),
        pytest.param("abcd", 2.0, id="four"),
    ],
)
def test_entropy_is_that_of_the_characters(value, want):
    assert want == entropy(value)


@pytest.mark.parametrize(
    "value",
    [
        *(
            "your-api-key",
            "YOUR_TOKEN_HERE",
            "changeme",
            "sk-xxxxxxxxxxxx",
            "********",
            "<token>",
            "${TOKEN}",
            "{{ key }}",
        ),
        *("abcdefghijklmnop", "0123456789abcdefghijklmnopqrstuvwxyz", "aaaaaaaaaaaab", "1111111"),
    ],
)
def test_knows_what_stands_in_for_a_value(value):
    assert is_stand_in(value)


@pytest.mark.parametrize(
    "value", [ALNUM[:40], HEX[:32], LOWER[:20], UUID, "hunter2", "Tr0ub4dor&3", "yourself", "a", "ab"]
)
def test_knows_what_does_not(value):
    assert not is_stand_in(value)


def test_words_have_pairs_of_letters_that_keys_have_not():
    assert wordiness("acceptanceTimeoutSeconds") > 0.7
    assert wordiness(ALNUM) < 0.4
    assert wordiness("1234") == 0.0


def test_a_uuid_is_one_whatever_its_case():
    assert is_uuid(UUID)
    assert is_uuid(UUID.upper())
    assert not is_uuid(UUID + "0")


def test_names_of_code_are_cut_where_their_words_begin():
    assert humps("myAPIKey_3Tokens") == ["my", "API", "Key", "3", "Tokens"]


@given(st.text())
def test_evenness_is_a_share(value):
    assert 0 <= evenness(value) <= 1.000001
