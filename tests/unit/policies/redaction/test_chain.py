# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.contracts.decision import Mode
from policies.contracts.snapshot import RedactionAction
from policies.detectors.registry import DETECTOR_NAMES, DETECTORS
from policies.redaction.findings import Tally
from policies.redaction.rules import ActiveRules
from tests.streams import CARD, EMAIL, rules

CHAIN = rules().chain
CARDS_PLACE, EMAILS_PLACE = 1, 3
HEADERS_PLACE = DETECTOR_NAMES.index("private-key-header")


@pytest.mark.parametrize(
    ("active", "changes", "may_sleep", "blocking"),
    [
        pytest.param(rules(), True, True, 0, id="replacing"),
        pytest.param(rules(RedactionAction.BLOCK), True, True, 4, id="blocking"),
        pytest.param(rules(mode=Mode.OBSERVE), False, False, 0, id="only-looking"),
        pytest.param(ActiveRules(), False, False, 0, id="no-rules"),
    ],
)
def test_what_a_chain_may_do(active, changes, may_sleep, blocking):
    chain = active.chain
    assert (changes, may_sleep, blocking) == (chain.changes, chain.may_sleep, len(chain.blocking))


def test_only_detectors_with_a_rule_are_named():
    assert CHAIN.seen(f"{CARD} {EMAIL}") == {CARDS_PLACE, EMAILS_PLACE}
    assert rules(detectors=("email",)).chain.seen(f"{CARD} {EMAIL}") == {EMAILS_PLACE}
    assert CHAIN.seen("nothing") == frozenset()


def test_a_clue_behind_which_its_detector_does_not_look_back_is_none():
    text = "a@b.co and so on"
    assert [CHAIN.seen(text, start) for start in (0, 1, 2, 3)] == [{EMAILS_PLACE}] * 3 + [frozenset()]
    keyword = "secret" + " " * 40
    assert CHAIN.seen(keyword, len(keyword))


def test_a_whole_text_is_redacted_by_those_who_have_a_clue():
    tally = Tally()
    assert CHAIN.whole(f"{CARD}, {EMAIL}", tally) == "[redacted:payment-card], [redacted:email]"
    assert (CHAIN.whole("nothing", tally), tally.total) == ("nothing", 2)


@pytest.mark.parametrize(
    ("text", "undecided"),
    [
        pytest.param("all is said. ", "", id="nothing"),
        pytest.param("in 2024", "2024", id="digits"),
        pytest.param("so bob-", "bob-", id="a-word-and-what-may-begin-a-header"),
        pytest.param("x AKI", "AKI", id="a-word-that-may-begin-an-id"),
        pytest.param("so bob@exam", "bob@exam", id="what-may-become-an-address"),
        pytest.param("@home, and so ", "", id="a-clue-and-nothing-behind-it"),
    ],
)
def test_what_any_stage_holds_is_undecided(text, undecided):
    assert undecided == text[CHAIN.undecided_from(text, 0, CHAIN.seen(text)) :]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        pytest.param("in 2024 a@b.co, ", EMAILS_PLACE, id="a-finding"),
        pytest.param(f"{EMAIL}, {CARD}, ", CARDS_PLACE, id="two-of-which-the-second-takes-precedence"),
        pytest.param("-----BEGIN PRIVATE KEY-----", HEADERS_PLACE, id="an-opening"),
    ],
)
def test_where_something_is_found_it_is_told_by_the_first_that_finds(text, place):
    met = CHAIN.undecided_from(text, 0, CHAIN.seen(text))
    assert (met.place, met.scan) == (place, DETECTORS[place].scan(text, 0, final=False))


def test_words_without_a_clue_are_clean():
    words = frozenset({"stop", "secret", "@"})
    assert CHAIN.clean_among(words) == {"stop"}
    assert rules(detectors=("email",)).chain.clean_among(words) == {"stop", "secret"}
    assert ActiveRules().chain.clean_among(words) == words
