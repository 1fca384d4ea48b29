# SPDX-License-Identifier: Apache-2.0
"""A rule is covered by a passing test that looks at what the rule had a part in, and by no other."""

import json

import pytest

from policies.document.loader import load_documents
from policies.evaluation.coverage import RuleRef, rules_of, uncovered
from tests.unit.policies.evaluation.covering import ALICE, ALL, BOB, CALLS, GUARD, covered, run


def test_a_test_that_fails_covers_nothing():
    documents, (result,) = run({"request": ALICE, "expect": {"effect": "deny"}})
    assert not result.passed
    assert {(each.policy, each.rule) for each in uncovered(documents, [result])} == ALL


def test_only_what_enforces_can_be_uncovered():
    documents, results = run({"request": ALICE, "expect": {"effect": "allow"}}, caps="warn", calls="observe")
    assert {(each.policy, each.rule) for each in uncovered(documents, results)} == {
        ("access", "not-secret"),
        ("size", "max_body_bytes"),
        ("texts", "mail"),
    }


def test_a_guard_that_warns_is_covered_by_what_it_would_have_said():
    test = {"request": ALICE | {"facts": {"n": 3}}, "expect": {"effect": "allow"}}
    assert ("caps", "too-many") in covered(test, caps="warn")


@pytest.mark.parametrize(
    ("test", "problem"),
    [
        (
            {"request": ALICE | {"facts": {"n": 2}}, "expect": {"obligations": []}},
            "obligations are redact texts, not redact none",
        ),
        (
            CALLS | {"answer_calls": [{"name": "search"}, {"name": "shell"}], "expect": {"calls": ["allow", "allow"]}},
            "call 1 is call-not-offered, not allow",
        ),
        (
            {"request": BOB, "answer_calls": [{"name": "search"}], "expect": {"calls": ["allow"]}},
            "the request is refused, so that there is no answer with calls",
        ),
    ],
)
def test_what_differs_is_said(test, problem):
    _, (result,) = run(test)
    assert result.problem == problem


def test_each_rule_has_its_place():
    (guard,) = load_documents({"g.json": json.dumps(GUARD).encode()})
    assert rules_of(guard) == (
        RuleRef(policy="caps", rule="too-many", pointer="/spec/reasons/too-many"),
        RuleRef(policy="caps", rule="allow", pointer="/spec/module"),
        RuleRef(policy="caps", rule="obligations", pointer="/spec/module"),
    )
