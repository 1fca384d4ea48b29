# SPDX-License-Identifier: Apache-2.0
"""Which rules hold for an answer, and what they report."""

from dataclasses import replace

import pytest

from policies.contracts.decision import Mode
from policies.contracts.snapshot import Direction, RedactionAction, RedactionPolicy, RedactionRule
from policies.redaction.engine import AnswerBlocked, RedactedText, Redaction

CARD, EMAIL = "4111 1111 1111 1111", "alice@example.com"
REPLACE, BLOCK = RedactionAction.REPLACE, RedactionAction.BLOCK


def policy(name: str, *detectors: str, mode=Mode.ENFORCE, action=REPLACE, operations=(), models=()) -> RedactionPolicy:
    rule = RedactionRule(id=f"{name}-rule", detectors=detectors, action=action)
    return RedactionPolicy(id=name, version="1", mode=mode, operations=operations, models=models, rules=(rule,))


def found(findings):
    return [(each.detector, each.policy, each.action, each.count) for each in findings]


def test_only_obliged_policies_change_the_answer():
    redaction = Redaction.of([policy("cards", "payment-card"), policy("contact", "email")])
    redacted = redaction.rules_for(["cards"]).text(f"{CARD} and {EMAIL}")
    assert redacted.text == f"[redacted:payment-card] and {EMAIL}"
    assert found(redacted.findings) == [("payment-card", "cards", "replace", 1)]


@pytest.mark.parametrize("mode", [Mode.WARN, Mode.OBSERVE])
@pytest.mark.parametrize("action", list(RedactionAction))
def test_a_policy_that_looks_never_changes_the_answer(mode: Mode, action: RedactionAction):
    redaction = Redaction.of([policy("cards", "payment-card", mode=mode, action=action)])
    redacted = redaction.rules_for(["cards"]).text(f"{CARD}, {CARD}")
    assert (redacted.text, redacted.blocked) == (f"{CARD}, {CARD}", False)
    assert found(redacted.findings) == [("payment-card", "cards", str(mode), 2)]


def test_a_looking_policy_does_not_delay_a_stream():
    stream = Redaction.of([policy("cards", "payment-card", mode=Mode.OBSERVE)]).rules_for([]).stream()
    assert stream.feed("4111") == "4111"


def test_block_wins_over_replace():
    redaction = Redaction.of([policy("a", "payment-card"), policy("b", "payment-card", action=BLOCK)])
    redacted = redaction.rules_for(["a", "b"]).text(CARD)
    assert (redacted.text, redacted.blocked) == ("", True)
    assert found(redacted.findings) == [("payment-card", "b", "block", 1)]


def test_a_stream_raises_before_anything_of_a_blocked_finding_left():
    stream = Redaction.of([policy("a", "payment-card", action=BLOCK)]).rules_for(["a"]).stream()
    assert "".join(map(stream.feed, "Card: " + CARD)) == "Card: "
    with pytest.raises(AnswerBlocked) as blocked:
        stream.feed(", ")
    assert (blocked.value.policy, blocked.value.rule, blocked.value.detector) == ("a", "a-rule", "payment-card")


def test_a_private_key_is_withheld_to_its_end_without_being_kept():
    stream = Redaction.of([policy("a", "private-key-header")]).rules_for(["a"]).stream()
    assert stream.feed("-----BEGIN PRIVATE KEY-----\n") == "[redacted:private-key-header]"
    assert {stream.feed("MIIE" * 100) for _ in range(1_000)} == {""}
    assert stream.feed("-----END PRIVATE KEY----- done ") == " done "


def test_what_overlaps_is_redacted_as_one():
    redaction = Redaction.of([policy("all", "email", "payment-card")])
    # The address has the last four digits of the card for its local part.
    assert redaction.rules_for(["all"]).text(f"{CARD}@example.com").text == "[redacted:email]"


def test_no_rules_leave_a_text_as_it_is():
    rules = Redaction.of([]).rules_for([])
    assert (rules.idle, rules.enforcing) == (True, False)
    assert rules.text(CARD).text == CARD


def test_an_obligation_that_cannot_be_met_is_an_error():
    with pytest.raises(LookupError, match="no such redaction policy: gone"):
        Redaction.of([policy("cards", "payment-card")]).rules_for(["cards", "gone"])


def test_a_detector_that_there_is_not_is_an_error():
    with pytest.raises(ValueError, match="no such detector: ibam; there are"):
        Redaction.of([policy("a", "ibam")])


@pytest.mark.parametrize(
    ("operation", "model", "want"),
    [
        pytest.param("completions", "parrot", "[redacted:payment-card]", id="selected"),
        pytest.param("completions", "other", CARD, id="another-model"),
        pytest.param("chat.completions", "parrot", CARD, id="another-operation"),
        pytest.param("completions", None, CARD, id="no-model"),
    ],
)
def test_text_is_redacted_by_the_policies_that_select_it(operation: str, model: str | None, want: str):
    redaction = Redaction.of([policy("a", "payment-card", operations=("completions",), models=("parrot",))])
    assert redaction.text(operation=operation, model=model, text=CARD).text == want


def test_a_rule_for_requests_leaves_answers_alone():
    of = policy("requests", "payment-card")
    of = replace(of, rules=tuple(replace(rule, directions=(Direction.REQUEST,)) for rule in of.rules))
    assert Redaction.of([of]).rules_for(["requests"]).text(CARD) == RedactedText(text=CARD)


def test_cut_leaves_nothing_of_an_answer_that_is_whole():
    redacted = Redaction.of([policy("a", "payment-card", action=RedactionAction.CUT)]).rules_for(["a"]).text(CARD)
    assert (redacted.text, redacted.blocked) == ("", True)
