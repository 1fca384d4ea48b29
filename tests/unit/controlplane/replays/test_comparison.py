# SPDX-License-Identifier: Apache-2.0
"""What changed between a recorded decision and one that is made now, and when nobody can say."""

import pytest

from controlplane.replays.comparison import Cause, Change, Judged, change_of, judged, recorded
from policies.contracts.decision import Decision, Effect, Reason, Redact

ALLOW = Judged(effect=Effect.ALLOW)
DENY = Judged(effect=Effect.DENY, reasons=(("access-denied", "chat", ""),))


def answers(*outcomes, mode="enforce"):
    return [{"engine": "casbin", "answers": [{"policy": "p", "mode": mode, "outcome": one} for one in outcomes]}]


def envelope(outcome, *codes, engines=()):
    reasons = [{"code": code, "policy": "chat", "rule": ""} for code in codes]
    return {"outcome": outcome, "reasons": reasons, "engines": list(engines), "obligations": [], "would_have": None}


@pytest.mark.parametrize(
    ("was", "now", "want"),
    [
        pytest.param(envelope("allow"), ALLOW, None, id="allowed as before"),
        pytest.param(envelope("allow"), DENY, Change.NEWLY_REFUSED, id="newly refused"),
        pytest.param(envelope("deny", "access-denied"), DENY, None, id="refused as before"),
        pytest.param(envelope("deny", "too-many"), DENY, Change.REASONS_CHANGED, id="refused for another reason"),
        pytest.param(
            envelope("deny", "access-denied", engines=answers("deny")), ALLOW, Change.NEWLY_ALLOWED, id="newly allowed"
        ),
        pytest.param(
            envelope("deny", "access-denied", engines=answers("deny", "allow")),
            ALLOW,
            Change.NEWLY_ALLOWED,
            id="a denial beside an allow",
        ),
        pytest.param(
            envelope("deny", "no-applicable-policy", engines=answers("not_applicable")),
            ALLOW,
            Change.NEWLY_ALLOWED,
            id="nothing applied then",
        ),
        pytest.param(
            envelope("error_deny", "upstream-timeout", engines=answers("allow")),
            ALLOW,
            None,
            id="allowed, and an upstream failed",
        ),
        pytest.param(
            envelope("error_deny", "upstream-timeout", engines=answers("allow")),
            DENY,
            Change.NEWLY_REFUSED,
            id="policy would now be what stops it",
        ),
        pytest.param(
            envelope("deny", "rate-limited", engines=answers("allow", "deny")),
            ALLOW,
            Cause.RATE_NOT_COUNTED,
            id="rates are not counted again",
        ),
        pytest.param(
            envelope("deny", "rate-limited"), DENY, Change.REASONS_CHANGED, id="refused whatever the rate says"
        ),
        pytest.param(
            envelope("deny", "answer-blocked", engines=answers("allow")),
            ALLOW,
            Cause.REFUSED_AFTER_DECISION,
            id="redaction is not done again",
        ),
        pytest.param(
            envelope(
                "deny",
                "system-prompt-not-approved",
                engines=[*answers("allow"), {"engine": "prompts", "answers": answers("deny")[0]["answers"]}],
            ),
            ALLOW,
            Cause.TEXT_NOT_JUDGED,
            id="texts are not judged again",
        ),
        pytest.param(
            envelope("error_deny", "evaluation-failed", engines=answers("error")),
            ALLOW,
            Cause.DECISION_FAILED,
            id="a failure is no verdict to compare with",
        ),
        pytest.param(
            envelope("deny", "answer-blocked", engines=answers("allow", mode="observe")),
            ALLOW,
            Change.NEWLY_ALLOWED,
            id="an allow that is only observed allows nothing",
        ),
    ],
)
def test_what_changed(was, now, want):
    assert change_of(recorded(was), now) == want


def test_the_same_reasons_in_another_order_are_the_same():
    was = recorded(envelope("deny", "b", "a"))
    now = judged(
        Decision(
            effect=Effect.DENY,
            reasons=(Reason(code="a", policy="chat"), Reason(code="b", policy="chat")),
            obligations=(),
            revision="r",
        )
    )
    assert change_of(was, now) is None


def test_of_a_decision_is_kept_what_is_compared():
    decision = Decision(
        effect=Effect.ALLOW, reasons=(), obligations=(Redact(policy="b"), Redact(policy="a")), revision="r"
    )
    assert judged(decision) == Judged(effect=Effect.ALLOW, redactions=("a", "b"))


@pytest.mark.parametrize("broken", [{"outcome": "deny"}, {"outcome": "deny", "reasons": [1], "engines": "x"}])
def test_an_envelope_of_another_form_is_a_refusal_without_reasons(broken):
    assert recorded(broken) == Judged(effect=Effect.DENY)
