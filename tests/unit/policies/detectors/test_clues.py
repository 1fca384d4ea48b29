# SPDX-License-Identifier: Apache-2.0
import pytest
import re2

from policies.detectors.clues import Clues
from policies.detectors.email import EmailAddress
from policies.detectors.payment_card import PaymentCard

BOTH = (PaymentCard(), EmailAddress())


@pytest.mark.parametrize(
    ("text", "places"),
    [
        pytest.param("nothing to see, in 2024", set(), id="no-clue"),
        pytest.param("", set(), id="no-text"),
        pytest.param("@home", {1}, id="one"),
        pytest.param("0000 0000 0000 0, @", {0, 1}, id="both"),
        pytest.param("\u2010é\u20120000\u20100000\u00a00000\u202f0", {0}, id="separators-that-are-not-ascii"),
        pytest.param("\ud800", {0, 1}, id="a-lone-surrogate-hides-nothing"),
    ],
)
def test_says_who_has_to_look(text, places):
    assert places == set(Clues(BOTH).seen(text))


def test_without_detectors_nobody_has_to_look():
    assert not Clues(()).seen("a@b.co")


@pytest.mark.parametrize("answer", [None, [], [1]], ids=["nothing", "an-empty-list", "less-than-is-in-every-text"])
def test_everybody_looks_where_the_search_failed(monkeypatch, answer):
    clues = Clues(BOTH)
    monkeypatch.setattr(re2.Set, "Match", lambda _set, _text: answer)
    assert set(clues.seen("anything")) == {0, 1}


def test_a_clue_that_is_no_pattern_is_an_error():
    class Broken(EmailAddress):
        clue = "(("

    with pytest.raises(re2.error):
        Clues([Broken()])
