# SPDX-License-Identifier: Apache-2.0
"""A chain that sleeps while it may gives what one that is always awake gives, piece by piece."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.contracts.decision import Mode
from policies.contracts.snapshot import RedactionAction
from policies.detectors.registry import DETECTOR_NAMES
from policies.redaction.findings import AnswerBlocked, Tally
from policies.redaction.rules import ActiveRules
from tests.streams import CARD, EMAIL, KEY, rules
from tests.texts import TEXTS

NAMES = [*[(name,) for name in DETECTOR_NAMES], DETECTOR_NAMES]


def awake(active: ActiveRules, pieces: Sequence[str]) -> list[str]:
    """Return what leaves of `pieces` through stages that never sleep, and at the end."""
    stages = active.chain.stages(Tally())
    left = []
    for piece in pieces:
        text = piece
        for stage in stages:
            text = stage.feed(text)
        left.append(text)
    rest = ""
    for stage in stages:
        rest = stage.feed(rest) + stage.finish()
    return [*left, rest]


@pytest.mark.parametrize("names", NAMES, ids="+".join)
@given(text=TEXTS, data=st.data())
def test_what_leaves_is_the_same_asleep_or_awake(names: tuple[str, ...], text: str, data: st.DataObject):
    active = rules(detectors=names)
    for pieces in (list(text), cut(text, data)):
        redactor = active.stream()
        assert awake(active, pieces) == [*map(redactor.feed, pieces), redactor.finish()]


@pytest.mark.parametrize("mode", [Mode.ENFORCE, Mode.OBSERVE])
@pytest.mark.parametrize("names", NAMES, ids="+".join)
@given(text=TEXTS, data=st.data())
def test_a_run_leaves_as_its_texts_do(names: tuple[str, ...], mode: Mode, text: str, data: st.DataObject):
    active = rules(mode=mode, detectors=names)
    one_by_one, in_runs = active.stream(), active.stream()
    pieces = cut(text, data)
    want = "".join(map(one_by_one.feed, pieces)) + one_by_one.finish()
    left = ""
    while pieces:
        length = data.draw(st.integers(1, len(pieces)))
        for piece in in_runs.feed_run(pieces[:length]):
            left += piece
            assert want.startswith(left)
        del pieces[:length]
    assert (want, one_by_one.findings) == (left + in_runs.finish(), in_runs.findings)


@given(text=TEXTS, data=st.data())
def test_what_stands_before_a_block_leaves_of_a_run_as_of_its_texts(text: str, data: st.DataObject):
    active = rules(RedactionAction.BLOCK)
    pieces = cut(text, data)
    assert until_blocked(active, pieces, in_run=False) == until_blocked(active, pieces, in_run=True)


def until_blocked(active: ActiveRules, pieces: list[str], *, in_run: bool) -> str:
    redactor, left = active.stream(), ""
    try:
        for piece in redactor.feed_run(pieces) if in_run else map(redactor.feed, pieces):
            left += piece
    except AnswerBlocked:
        return left + "<blocked>"
    return left


def cut(text: str, data: st.DataObject) -> list[str]:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


def test_texts_of_a_run_leave_as_they_were_cut():
    redactor = rules().stream()
    assert list(redactor.feed_run(["The ", "year", " is", " 20", "24"])) == ["The ", "year", " is", " "]
    assert list(redactor.feed_run([".", " So", ""])) == ["2024.", " "]
    assert redactor.finish() == "So"


def test_texts_of_a_run_with_a_clue_and_no_finding_leave_as_they_were_cut():
    redactor = rules(RedactionAction.BLOCK).stream()
    assert list(redactor.feed_run(["Go ", "@home", " and", " the secret", " is", " safe"])) == [
        *["Go ", "@home", " and", " the secret", " is", " "]
    ]


def test_what_the_end_makes_certain_is_found_in_the_end():
    redactor = rules().stream()
    assert (redactor.feed("to alice@example"), redactor.feed(".com")) == ("to ", "")
    assert redactor.finish() == "[redacted:email]"


def test_texts_of_a_run_with_a_finding_leave_as_one():
    redactor = rules().stream()
    assert list(redactor.feed_run(["Write to ", "alice@", "example", ".com", " now "])) == [
        "Write to [redacted:email] now "
    ]


def test_nothing_is_found_in_what_was_kept_to_be_looked_at():
    redactor = rules().stream()
    said = [redactor.feed(piece) for piece in (f"{EMAIL}, {CARD}, {KEY}. ", "And ", "so on. ", "a@", "b.co ")]
    assert said == [
        "[redacted:email], [redacted:payment-card], [redacted:aws-access-key]. ",
        *["And ", "so on. ", "", "[redacted:email] "],
    ]
    assert [found.count for found in redactor.findings] == [1, 2, 1]
