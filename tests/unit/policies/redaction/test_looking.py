# SPDX-License-Identifier: Apache-2.0
import base64

import pytest

from policies.contracts.decision import Mode
from policies.contracts.snapshot import (
    Decoding,
    FieldClass,
    OverBudget,
    RedactionAction,
    RedactionPolicy,
    RedactionRule,
)
from policies.redaction.engine import Redaction
from policies.redaction.findings import AnswerBlocked, Tally
from policies.redaction.looking import look
from policies.scanning import budget
from tests.streams import CARD

ENCODED = base64.b64encode(b"some harmless text " * 20).decode()
FULL = "password: hunter2Xq9, " * 8


def rules(max_bytes: int = 1_000_000, over: OverBudget = OverBudget.BLOCK, mode: Mode = Mode.ENFORCE):
    policy = RedactionPolicy(
        id="p",
        version="1",
        mode=mode,
        operations=(),
        models=(),
        rules=(RedactionRule(id="r", detectors=("payment-card", "password"), action=RedactionAction.REPLACE),),
        decoding=Decoding(max_bytes=max_bytes, over_budget=over),
    )
    return Redaction.of([policy]).rules_for(["p"] if mode is Mode.ENFORCE else []).field(FieldClass.USER)


def test_what_redaction_wrote_is_no_finding():
    text = "password: [redacted:payment-card:2] "
    assert look(rules(), text, Tally()).findings == ()


@pytest.mark.parametrize("text", [f"[redacted:{CARD}]", f"[redacted:payment-card]{CARD}", f"[redacted:else {CARD}]"])
def test_what_only_looks_like_it_is_looked_at(text):
    assert [text[each.start : each.end] for each in look(rules(), text, Tally()).findings] == [CARD]


@pytest.mark.parametrize("over", [OverBudget.BLOCK, OverBudget.CUT])
def test_a_text_that_has_too_much_to_decode_is_not_taken_for_clean(over):
    assert look(rules(over=over), ENCODED, Tally()).findings == ()
    with pytest.raises(AnswerBlocked) as blocked:
        look(rules(16, over), ENCODED, Tally())
    assert (blocked.value.policy, blocked.value.rule) == ("p", "decoding.max_bytes")


def test_where_policy_only_notes_it_the_rest_is_examined_and_the_tally_says_what_was_not():
    tally, text = Tally(), f"{ENCODED} {CARD} {ENCODED}"
    (found,) = look(rules(16, OverBudget.ANNOTATE), text, tally, path="here").findings
    assert text[found.start : found.end] == CARD
    assert tally.unscanned == {"here": "over-budget"}


@pytest.mark.parametrize("mode", [Mode.WARN, Mode.OBSERVE])
def test_rules_that_only_look_stop_nothing(mode, monkeypatch):
    tally = Tally()
    look(rules(16, mode=mode), ENCODED, tally, path="encoded")
    monkeypatch.setattr(budget, "CANDIDATES", 2)
    assert look(rules(mode=mode), FULL, tally, path="full").findings == ()
    assert tally.unscanned == {"encoded": "over-budget", "full": "over-budget"}


@pytest.mark.parametrize("over", OverBudget)
def test_too_much_to_judge_never_passes(over, monkeypatch):
    monkeypatch.setattr(budget, "CANDIDATES", 2)
    with pytest.raises(AnswerBlocked) as blocked:
        look(rules(over=over), FULL, Tally())
    assert (blocked.value.policy, blocked.value.rule) == ("p", "scan.candidates")


def test_texts_of_one_exchange_have_one_budget_between_them(monkeypatch):
    monkeypatch.setattr(budget, "CANDIDATES", 20)
    tally, few = Tally(), "password: hunter2Xq9 "
    assert look(rules(), few, tally.apart()).findings
    tally.judging.judged = 20
    with pytest.raises(AnswerBlocked):
        look(rules(), few, tally.apart())
    assert look(rules(), few, Tally()).findings
