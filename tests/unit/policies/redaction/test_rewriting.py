# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.contracts.snapshot import RedactionAction
from policies.redaction.findings import AnswerBlocked, Tally
from policies.redaction.looking import look
from policies.redaction.rewriting import Rewriter
from tests.streams import CARD, EMAIL, rules

TEXT = f"a {CARD}, b {EMAIL}, c"


def rewritten(action: RedactionAction, tally: Tally, *, start: int = 0, end: int = len(TEXT)) -> str:
    of = rules(action).field("assistant-text")
    return Rewriter(of, tally, "choices.*").rewritten(TEXT, look(of, TEXT, Tally()).findings, start=start, end=end)


def test_writes_the_text_without_its_findings_and_remarks_on_each():
    tally = Tally(hashed=lambda span: f"<{len(span)}>")
    left = rewritten(RedactionAction.REPLACE, tally)
    assert left == "a [redacted:payment-card], b [redacted:email], c"
    assert [(each.detector, each.kind, each.path, each.length, each.span_hash) for each in tally.remarks] == [
        ("payment-card", "CREDIT_CARD", "choices.*", len(CARD), f"<{len(CARD)}>"),
        ("email", "EMAIL_ADDRESS", "choices.*", len(EMAIL), f"<{len(EMAIL)}>"),
    ]
    assert CARD not in repr(tally.remarks)


def test_what_is_annotated_stays_and_is_counted():
    tally = Tally()
    assert rewritten(RedactionAction.ANNOTATE, tally) == TEXT
    assert [(each.detector, each.action, each.count) for each in tally.findings] == [
        ("email", "annotate", 1),
        ("payment-card", "annotate", 1),
    ]


@pytest.mark.parametrize("action", [RedactionAction.BLOCK, RedactionAction.CUT])
def test_a_finding_that_stops_the_text_is_counted_first(action):
    tally = Tally()
    with pytest.raises(AnswerBlocked) as blocked:
        rewritten(action, tally)
    assert (blocked.value.policy, blocked.value.rule, blocked.value.detector) == ("policy", "rule", "payment-card")
    assert [(each.detector, each.count) for each in tally.findings] == [("payment-card", 1)]
