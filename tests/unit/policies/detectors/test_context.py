# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.detectors.context import OTHER_NUMBERS, Words, leads, names
from policies.detectors.contract import BEFORE

CARD = Words.of("card", "driver's licence", "téléphone")


@pytest.mark.parametrize(
    ("before", "want"),
    [
        pytest.param("my card is ", True, id="a-word"),
        pytest.param("MY CARD: ", True, id="upper-case"),
        pytest.param("cardNumber=", True, id="camel-case"),
        pytest.param('{"card_number": "', True, id="snake-case"),
        pytest.param("Driver's   Licence no. ", True, id="a-phrase"),
        pytest.param("Téléphone : ", True, id="beyond-ascii"),
        pytest.param("the cardinal said ", False, id="part-of-a-word"),
        pytest.param("licence of the driver ", False, id="a-phrase-in-another-order"),
        pytest.param("", False, id="nothing"),
        pytest.param("[redacted:card] and ", False, id="a-placeholder"),
        pytest.param("[card:1f0c9a27d4] and ", False, id="a-hash"),
        pytest.param("[CARD] ", True, id="brackets-that-are-not-ours"),
        pytest.param("card:2] and".ljust(BEFORE), False, id="the-rest-of-a-placeholder"),
        pytest.param("card:2] and ", True, id="a-bracket-in-a-short-text"),
    ],
)
def test_a_word_leads_to_what_follows(before, want):
    assert want == leads(before, CARD)


@pytest.mark.parametrize(
    ("before", "want"),
    [
        pytest.param("pay order 17 by card ", True, id="the-word-is-nearer"),
        pytest.param("paid by card, order ", False, id="the-other-is-nearer"),
        pytest.param("paid in order ", False, id="only-the-other"),
    ],
)
def test_the_nearer_word_decides(before, want):
    assert want == leads(before, CARD, OTHER_NUMBERS)


def test_only_the_words_directly_before_name_a_value():
    assert names("your order number is ", OTHER_NUMBERS)
    assert not names("in order to verify it is you: ", OTHER_NUMBERS)


def test_words_can_be_joined():
    assert leads("order ", CARD | OTHER_NUMBERS)
