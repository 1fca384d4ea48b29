# SPDX-License-Identifier: Apache-2.0
"""What leaves of a text that arrives in pieces is the redaction of the whole, and at no time more than is certain."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.contracts.decision import Mode
from policies.contracts.snapshot import RedactionAction
from policies.detectors.contract import Detector
from policies.detectors.registry import DETECTORS
from policies.redaction.findings import AnswerBlocked, Tally
from policies.redaction.looking import look
from policies.redaction.rules import ActiveRules
from tests.streams import CARD, EMAIL, KEY, rules
from tests.texts import HIDDEN, TEXTS

NAMES = [("payment-card",), ("email",), ("private-key-header",), ("all",)]
FEW = ("payment-card", "email", "aws-access-key", "private-key-header")
SAMPLES = [pytest.param(each, id=each.name) for each in DETECTORS]


def left_of(active: ActiveRules, pieces: Iterable[str]) -> list[str]:
    redactor = active.stream()
    return [*map(redactor.feed, pieces), redactor.finish()]


@pytest.mark.parametrize("detector", SAMPLES)
def test_every_sample_is_redacted_at_every_cut(detector: Detector):
    active = rules(detectors=("all",))
    for sample in (*detector.finds, *detector.ignores[:2]):
        text = f"It is {sample}, and so on."
        want = active.text(text).text
        for at in range(0, len(text), 1 + len(text) // 60):
            assert want == "".join(left_of(active, (text[:at], text[at:])))
        assert want == "".join(left_of(active, text))


@given(text=HIDDEN, data=st.data())
def test_what_leaves_is_the_redaction_of_the_whole_and_always_a_prefix_of_it(text: str, data: st.DataObject):
    active = rules(detectors=("all",))
    want, so_far = active.text(text).text, ""
    for piece in left_of(active, cut(text, data)):
        so_far += piece
        assert want.startswith(so_far)
    assert so_far == want


@given(text=HIDDEN, data=st.data())
def test_rules_that_only_look_let_everything_pass_at_once_and_count_the_same(text: str, data: st.DataObject):
    looking, acting = rules(mode=Mode.OBSERVE, detectors=("all",)), Tally()
    pieces = cut(text, data)
    redactor = looking.stream(acting)
    assert [redactor.feed(piece) for piece in pieces] == pieces
    assert redactor.finish() == ""
    assert acting.findings == looking.text(text).findings


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
    redactor = rules(detectors=FEW).stream()
    assert list(redactor.feed_run(["The ", "year", " is", " 20", "24"])) == ["The ", "year", " is", " "]
    assert list(redactor.feed_run([".", " So", ""])) == ["2024.", " "]
    assert redactor.finish() == "So"


def test_texts_of_a_run_with_a_clue_and_no_finding_leave_as_they_were_cut():
    redactor = rules(RedactionAction.BLOCK, detectors=FEW).stream()
    assert list(redactor.feed_run(["Go ", "@home", " and", " the year", " is", " safe"])) == [
        *["Go ", "@home", " and", " the year", " is", " "]
    ]


def test_what_the_end_makes_certain_is_found_in_the_end():
    redactor = rules(detectors=FEW).stream()
    assert (redactor.feed("to alice@example"), redactor.feed(".com")) == ("to ", "")
    assert redactor.finish() == "[redacted:email]"


def test_texts_of_a_run_with_a_finding_leave_as_one():
    redactor = rules(detectors=FEW).stream()
    assert list(redactor.feed_run(["Write to ", "alice@", "example", ".com", " now "])) == [
        "Write to [redacted:email] now "
    ]


def test_nothing_is_found_in_what_was_kept_to_be_looked_at():
    redactor = rules(detectors=FEW).stream()
    said = [redactor.feed(piece) for piece in (f"{EMAIL}, {CARD}, {KEY}. ", "And ", "so on. ", "a@", "b.co ")]
    assert said == [
        "[redacted:email], [redacted:payment-card], [redacted:aws-access-key]. ",
        *["And ", "so on. ", "", "[redacted:email:2] "],
    ]
    assert [found.count for found in redactor.findings] == [1, 2, 1]


def test_what_is_held_for_long_is_not_looked_at_for_each_character(monkeypatch: pytest.MonkeyPatch):
    redactor, looks = rules(detectors=("jwt",)).stream(), 0

    def counted(*args: object, **more: object) -> object:
        nonlocal looks
        looks += 1
        return look(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr("policies.redaction.stream.look", counted)
    token = "eyJhbGciOiJIUzI1NiJ9." + "eyJ" + "QUJD" * 1_500
    assert "".join(map(redactor.feed, token)) == ""
    assert looks < 1_200  # one for each of the first 1,024 characters
    assert redactor.feed("." + "A" * 43 + " done ") == "[redacted:jwt] done "
