# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from policies.contracts.decision import Mode
from policies.contracts.snapshot import RedactionAction
from policies.redaction.engine import AnswerBlocked
from policies.redaction.findings import Tally
from policies.redaction.rules import ActiveRules
from proxy_addons.core import answer_walk
from proxy_addons.core.answer_walk import AnswerWalk
from tests.streams import CARD, EMAIL, KEY, rules

SHOWN = "[redacted:email]"


def walk(active: ActiveRules | None = None) -> tuple[AnswerWalk, Tally]:
    tally = Tally()
    return AnswerWalk(rules() if active is None else active, tally), tally


@pytest.mark.parametrize(
    ("value", "want"),
    [
        (EMAIL, SHOWN),
        ([EMAIL, {"a": [EMAIL]}], [SHOWN, {"a": [SHOWN]}]),
        ({EMAIL: 1, "id": EMAIL}, {SHOWN: 1, "id": SHOWN}),
        (4111111111111111, "[redacted:payment-card]"),
        (-4111111111111111, "-[redacted:payment-card]"),
        (4.111111111111111e15, "[redacted:payment-card].0"),
        (4111111111111112, 4111111111111112),
        (1727346172, 1727346172),
        (0.1234567890123456, 0.1234567890123456),
        (True, True),
        (None, None),
        ("nothing to see", "nothing to see"),
    ],
)
def test_everything_within_a_value_is_redacted(value, want):
    got = walk()[0].value(value, ())
    assert (want, type(want)) == (got, type(got))


def test_arguments_without_a_finding_leave_as_they_came():
    text = '{ "a":1.50,\n"b" : "\\u00e9\\/" , "c":1e3}'
    assert text == walk()[0].value(text, ("arguments",))


@pytest.mark.parametrize("member", ["arguments", "logprobs"])
def test_members_of_arguments_are_never_dropped(member):
    text = json.dumps({member: "x", "to": EMAIL})
    assert json.loads(walk()[0].value(text, ("arguments",))) == {member: "x", "to": SHOWN}


def test_what_spells_the_text_again_is_dropped_only_where_a_rule_may_redact():
    value = {"logprobs": {"content": [{"token": "4111"}]}, "x": {"token_ids": [1, 2]}, "top_logprobs": None}
    enforcing, _ = walk()
    assert enforcing.value(value, ()) == {"logprobs": None, "x": {"token_ids": None}, "top_logprobs": None}
    assert enforcing.coverage.not_scanned == (("*.token_ids", "dropped"), ("logprobs", "dropped"))
    observing, _ = walk(rules(mode=Mode.OBSERVE))
    assert observing.value(value, ()) == value
    assert observing.coverage.not_scanned == ()


@pytest.mark.parametrize(
    ("text", "redacted", "observed"),
    [
        pytest.param(json.dumps({"a": EMAIL, "b": EMAIL}), 2, 2, id="twice-in-json"),
        pytest.param(json.dumps({"secret_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}), 1, 0, id="behind-a-name"),
        pytest.param(f'{{"a": "{EMAIL}', 1, 1, id="cut-off"),
        pytest.param('{"a": "alice\\u0040example.com', 1, 1, id="cut-off-and-escaped"),
        pytest.param('{"a": "\\u00e9"}', 0, 0, id="nothing"),
    ],
)
def test_findings_in_arguments_are_counted_once(text, redacted, observed):
    for mode, count in ((Mode.ENFORCE, redacted), (Mode.OBSERVE, observed), (Mode.WARN, observed)):
        looking, tally = walk(rules(mode=mode))
        looking.value(text, ("arguments",))
        assert count == sum(found.count for found in tally.findings)


def test_a_block_is_raised_whatever_the_form():
    for text in (json.dumps({"a": CARD}), '{"a": "\\u0034111 1111 1111 1111', '{"a": "\\u0034111 1111 1111 1111"}'):
        blocking, tally = walk(rules(RedactionAction.BLOCK))
        with pytest.raises(AnswerBlocked):
            blocking.value(text, ("arguments",))
        assert [found.count for found in tally.findings] == [1]


def test_what_is_said_again_is_counted_again():
    looking, tally = walk(rules(mode=Mode.OBSERVE))
    for _ in range(3):
        looking.text(EMAIL, ("id",))
    assert [found.count for found in tally.findings] == [3]


def test_more_texts_than_are_remembered_are_looked_at_likewise():
    walking, _ = walk()
    assert [f"id-{n}" for n in range(100)] == [walking.text(f"id-{n}", ("id",)) for n in range(100)]
    assert walking.text(EMAIL, ("id",)) == SHOWN


def test_coverage_is_bounded_and_names_no_name_that_it_does_not_know():
    walking, _ = walk()
    walking.value({"choices": [{"message": {"content": "x", KEY: "y"}}]}, ())
    assert walking.coverage.scanned == ("choices.*.message.*", "choices.*.message.content")
    for depth in range(1, 60):
        for known in ("content", "text", "role"):
            walking.text("x", (known,) * depth)
    assert len(walking.coverage.scanned) == 64


def test_a_value_that_nests_too_deep_is_an_error():
    value = "x"
    for _ in range(65):
        value = [value]
    with pytest.raises(ValueError, match="deep"):
        walk()[0].value(value, ())


def test_no_word_of_the_protocol_has_a_clue():
    assert rules().clean_among(answer_walk._PROTOCOL) == answer_walk._PROTOCOL


def test_a_word_of_the_protocol_is_looked_at_where_a_detector_may_find_something_in_it(monkeypatch):
    monkeypatch.setattr(answer_walk, "_PROTOCOL", answer_walk._PROTOCOL | {EMAIL})
    assert walk()[0].value({EMAIL: EMAIL}, ()) == {SHOWN: SHOWN}
