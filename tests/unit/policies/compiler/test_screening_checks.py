# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.compiler.screening_checks import check_screening
from policies.document.loader import load_documents

RULE = """\
kind: screening
id: screen
version: "1"
spec:
  rules: [{id: one, effect: deny, %s}]
"""


def found(rule):
    documents = load_documents({"a.yaml": (RULE % rule).encode()})
    return [(each.code, each.at.pointer) for each in check_screening(documents)]


@pytest.mark.parametrize(
    ("rule", "want"),
    [
        pytest.param("phrases: [ignore that], expressions: ['you (are|were) .{1,20}']", [], id="good"),
        pytest.param("expressions: ['(?=a)b']", [("bad-expression", "/spec/rules/0/expressions/0")], id="look-ahead"),
        pytest.param(
            "expressions: [abc, 'x*']", [("bad-expression", "/spec/rules/0/expressions/1")], id="matches-nothing"
        ),
        pytest.param(
            "phrases: ['\u200b\u200b\u200b']", [("phrase-too-short", "/spec/rules/0/phrases/0")], id="nothing-seen"
        ),
        pytest.param(
            "phrases: [ignore], reason: access-denied",
            [("reason-taken", "/spec/rules/0/reason")],
            id="a-reason-of-ours",
        ),
    ],
)
def test_each_rule_is_checked(rule, want):
    assert found(rule) == want


@pytest.mark.parametrize(
    ("reason", "want"),
    [
        ("prompt-screened", []),
        ("prompt-injection", []),
        ("screen-unavailable", [("reason-taken", "/spec/classifier/0/reason")]),
    ],
)
def test_a_classifier_rule_may_give_the_reasons_of_screening(reason, want):
    rule = (RULE % "threshold: 0.9, reason: %s" % reason).replace("rules:", "classifier:")
    documents = load_documents({"a.yaml": rule.encode()})
    assert [(each.code, each.at.pointer) for each in check_screening(documents)] == want


def test_the_place_is_named_as_its_author_wrote_it():
    documents = load_documents({"a.yaml": (RULE % "expressions: ['(?=a)b']").encode()})
    assert "spec.rules[0].expressions[0]: column" in next(check_screening(documents)).message
