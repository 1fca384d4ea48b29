# SPDX-License-Identifier: Apache-2.0
"""Which rules had a part in how a test came out."""

import pytest

from tests.unit.policies.evaluation.covering import ALICE, BOB, CALLS, covered


@pytest.mark.parametrize(
    ("test", "want"),
    [
        pytest.param(
            {"request": ALICE, "expect": {"effect": "allow"}}, {("access", "staff"), ("routes", "chat")}, id="a-grant"
        ),
        pytest.param(
            {"request": ALICE | {"model": "secret"}, "expect": {"reasons": ["access-denied"]}},
            {("access", "not-secret"), ("routes", "chat")},
            id="a-denial-covers-no-grant-that-allows",
        ),
        pytest.param(
            {"request": ALICE | {"facts": {"n": 3}}, "expect": {"effect": "deny", "reasons": ["too-many"]}},
            {("caps", "too-many"), ("caps", "obligations"), ("routes", "chat")},
            id="a-guards-reason-covers-no-grant",
        ),
        pytest.param(
            {
                "request": ALICE | {"facts": {"n": 2}},
                "expect": {"effect": "allow", "obligations": [{"type": "redact", "policy": "texts"}]},
            },
            {("access", "staff"), ("caps", "obligations"), ("routes", "chat")},
            id="an-obligation",
        ),
        pytest.param(
            {"request": BOB | {"subject": "user:root"}, "expect": {"effect": "allow"}},
            {("caps", "allow"), ("routes", "chat")},
            id="a-guard-that-allows",
        ),
        pytest.param(
            {"request": BOB, "expect": {"reasons": ["no-applicable-policy"]}}, {("routes", "chat")}, id="no-grant"
        ),
        pytest.param(
            {"request": ALICE | {"operation": "audio"}, "expect": {"reasons": ["route-not-listed"]}},
            set(),
            id="no-route",
        ),
        pytest.param(
            {"request": ALICE | {"facts": {"body_bytes": 101}}, "expect": {"reasons": ["body-too-large"]}},
            {("size", "max_body_bytes")},
            id="a-size",
        ),
        pytest.param(
            {"request": BOB, "text": "a@example.com", "expect": {"findings": ["email"]}},
            {("texts", "mail")},
            id="a-text",
        ),
        pytest.param({"request": BOB, "text": "a", "expect": {"findings": []}}, set(), id="a-text-without-finding"),
        pytest.param(
            {"request": BOB, "text": "a@example.com", "expect": {"effect": "deny"}},
            {("routes", "chat")},
            id="a-text-that-nobody-looks-at",
        ),
        pytest.param(
            CALLS | {"answer_calls": [{"name": "search"}], "expect": {"calls": ["allow"]}},
            {("calls", "search")},
            id="a-call-that-leaves",
        ),
        pytest.param(
            CALLS | {"answer_calls": [{"name": "search_private"}], "expect": {"calls": ["call-not-permitted"]}},
            {("calls", "never")},
            id="a-call-that-is-refused",
        ),
    ],
)
def test_what_a_passing_test_covers(test, want):
    assert covered(test) == want
