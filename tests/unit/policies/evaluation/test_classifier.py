# SPDX-License-Identifier: Apache-2.0
"""What policy makes of the scores of a prompt screen, and of its silence."""

import pytest

from policies.contracts.asked_screen import ScoredWindow, ScreenAbsent, ScreenAnswer, ScreenScore, ScreenText
from policies.contracts.decision import Mode
from policies.contracts.redaction import FieldClass
from policies.contracts.screening import ClassifierRule, Otherwise, ScreenAsk, ScreenEffect, ScreeningPolicy
from policies.contracts.snapshot import PolicySnapshot
from policies.evaluation.classifier import Classifier, classifier_of
from tests.unit.policies.evaluation.test_screening import ASKED

USER = ScreenText("quote this attack", FieldClass.USER, "request.messages.*.content")
TOOL = ScreenText("mail the file", FieldClass.TOOL_RESULT, "request.messages.*.content")
SYSTEM = ScreenText("you answer", FieldClass.SYSTEM)


def rule(rule_id="injection", effect=ScreenEffect.DENY, *, threshold=9000, fields=(), models=(), **thresholds):
    return ClassifierRule(
        id=rule_id,
        effect=effect,
        threshold_bp=threshold,
        thresholds_bp={FieldClass(name.replace("_", "-")): value for name, value in thresholds.items()},
        fields=fields,
        operations=(),
        models=models,
        subjects=(),
        reason="prompt-injection",
    )


def policy(*rules, mode=Mode.ENFORCE, policy_id="screen", **ask):
    return ScreeningPolicy(id=policy_id, version="1", mode=mode, rules=(), classifier=rules, ask=ScreenAsk(**ask))


def snapshot(*policies):
    return PolicySnapshot(tenant="default", environment="production", groups={}, screening=policies)


def about(*policies, texts=(USER, TOOL)):
    of = snapshot(*policies)
    return classifier_of(of).asking(ASKED, of).about(texts)


def answer(*scores, joined=0.0, **more):
    of_joined = None if joined is None else ScreenScore(joined)
    return ScreenAnswer(scores=tuple(map(ScreenScore, scores)), joined=of_joined, versions={"rules": "3"}, **more)


def denied(judged):
    return [(reason.code, reason.rule) for each in judged.answer.answers for reason in each.reasons]


STRICT = rule(tool_result=5000)


@pytest.mark.parametrize(
    ("reply", "want"),
    [
        pytest.param(answer(0.1, 0.1), [], id="harmless"),
        pytest.param(answer(0.8, 0.1), [], id="a-user-quotes"),
        pytest.param(answer(0.1, 0.8), [("prompt-injection", "injection")], id="a-tool-orders"),
        pytest.param(answer(0.1, 0.5), [("prompt-injection", "injection")], id="exactly-the-threshold"),
        pytest.param(answer(0.1, 0.4999), [], id="just-below-it"),
        pytest.param(answer(0.9, 0.1), [("prompt-injection", "injection")], id="a-user-orders"),
        pytest.param(answer(0.1, 0.1, joined=0.89), [], id="together-below-what-a-user-may-say"),
        pytest.param(answer(0.1, 0.1, joined=0.95), [("prompt-injection", "injection")], id="together-an-order"),
        pytest.param(answer(0.1, 0.1, complete=False), [("screen-incomplete", "")], id="not-all-judged"),
        pytest.param(answer(0.1, 0.8, complete=False), [("prompt-injection", "injection")], id="found-before-the-end"),
        pytest.param(ScreenAbsent("late"), [("screen-unavailable", "")], id="no-answer"),
    ],
)
def test_each_class_has_its_threshold(reply, want):
    assert denied(about(policy(STRICT)).judged([reply])) == want


@pytest.mark.parametrize("incomplete", ["a-score", "the-joined-one"])
def test_one_score_that_is_not_of_all_makes_the_answer_incomplete(incomplete):
    part = ScreenScore(0.1, complete=False)
    reply = answer(0.1, 0.1)
    scores = (reply.scores[0], part) if incomplete == "a-score" else reply.scores
    joined = reply.joined if incomplete == "a-score" else part
    judged = about(policy(STRICT)).judged([ScreenAnswer(scores=scores, joined=joined)])
    assert (denied(judged), judged.report.outcome) == ([("screen-incomplete", "")], "incomplete")


@pytest.mark.parametrize(
    ("ask", "reply"),
    [
        ({"when_absent": Otherwise.ALLOW}, ScreenAbsent("late")),
        ({"when_incomplete": Otherwise.ALLOW}, answer(0.1, 0.1, complete=False)),
    ],
)
def test_policy_may_let_pass_what_was_not_judged(ask, reply):
    judged = about(policy(STRICT, **ask)).judged([reply])
    assert (denied(judged), judged.report.outcome == "answered") == ([], False)


def test_silence_of_one_sort_is_not_the_other():
    assert denied(about(policy(STRICT, when_absent=Otherwise.ALLOW)).judged([answer(0, 0, complete=False)])) != []
    assert denied(about(policy(STRICT, when_incomplete=Otherwise.ALLOW)).judged([ScreenAbsent("late")])) != []


def test_a_flag_refuses_nothing_whatever_comes():
    flags = about(policy(rule(effect=ScreenEffect.FLAG)))
    for reply in (answer(1.0, 1.0), ScreenAbsent("late"), answer(0.0, 0.0, complete=False)):
        assert denied(flags.judged([reply])) == []
    assert [each.action for each in flags.judged([answer(1.0, 0.0)]).report.findings] == ["flag"]


@pytest.mark.parametrize("mode", [Mode.WARN, Mode.OBSERVE])
def test_a_policy_that_does_not_enforce_answers_in_its_mode(mode):
    judged = about(policy(STRICT, mode=mode)).judged([answer(0.1, 0.8)])
    assert [(each.mode, each.outcome) for each in judged.answer.answers] == [(mode, "deny")]
    assert [each.action for each in judged.report.findings] == [mode]


def test_what_is_found_is_told_without_text():
    windows = tuple(ScoredWindow(place, place + 4, "raw", place / 10) for place in (1, 4, 2, 3))
    reply = ScreenAnswer(scores=(ScreenScore(0.1), ScreenScore(0.876, windows=windows)), versions={"rules": "3"})
    told = about(policy(STRICT)).judged([reply]).report.to_json(None)
    assert told["findings"] == [
        {
            "policy": "screen",
            "rule": "injection",
            "action": "deny",
            "field": "tool-result",
            "path": "request.messages.*.content",
            "score_percent": 88,
            "windows": [
                {"start": place, "end": place + 4, "view": "raw", "score_percent": place * 10} for place in (4, 3, 2)
            ],
        }
    ]
    assert (told["versions"], told["outcome"], told["why"]) == ({"rules": "3"}, "answered", None)


def test_rules_with_the_same_classes_are_one_question():
    asked = about(policy(rule(), rule("two", threshold=5000)), policy(rule(), policy_id="other"))
    [question] = asked.questions
    assert (question.texts, question.joined) == ((USER, TOOL), True)
    assert denied(asked.judged([answer(0.6, 0.1)])) == [("prompt-injection", "two")]


def test_a_rule_for_other_classes_has_its_own_texts_joined():
    asked = about(policy(rule(), rule("tools", fields=(FieldClass.TOOL_RESULT,))))
    assert [(each.texts, each.joined) for each in asked.questions] == [((USER, TOOL), True), ((TOOL,), False)]


def test_a_text_stands_beside_those_of_its_class_each_time_it_is_said():
    asked = about(policy(rule()), texts=(USER, TOOL, USER, ScreenText("more", FieldClass.USER)))
    assert [text.field for text in asked.questions[0].texts] == ["user", "user", "user", "tool-result"]


@pytest.mark.parametrize(
    ("policies", "texts"),
    [
        pytest.param((), (USER,), id="no-policy"),
        pytest.param((policy(rule(models=("owl",))),), (USER,), id="another-model"),
        pytest.param((policy(rule(fields=(FieldClass.TOOL_RESULT,))),), (USER,), id="another-class"),
        pytest.param((policy(rule(threshold=None, tool_result=5000)),), (USER, SYSTEM), id="no-threshold-for-it"),
        pytest.param((policy(rule()),), (), id="no-text"),
    ],
)
def test_nobody_is_asked_what_no_rule_wants_to_know(policies, texts):
    asked = about(*policies, texts=texts)
    judged = asked.judged([])
    assert (asked.questions, denied(judged), judged.report) == ((), [], None)


def test_texts_that_were_left_out_make_it_incomplete():
    of = snapshot(policy(STRICT))
    asked = classifier_of(of).asking(ASKED, of).about([USER], whole=False)
    assert denied(asked.judged([answer(0.1, joined=None)])) == [("screen-incomplete", "")]


def test_the_longest_deadline_holds():
    of = snapshot(policy(rule(), deadline_ms=300), policy(rule(), policy_id="other", deadline_ms=700))
    assert classifier_of(of).asking(ASKED, of).deadline_ms == 700


@pytest.mark.parametrize(
    ("of", "want"),
    [
        (policy(STRICT), True),
        (policy(STRICT, mode=Mode.OBSERVE), False),
        (policy(STRICT, when_absent=Otherwise.ALLOW), False),
        (policy(rule(effect=ScreenEffect.FLAG)), False),
    ],
)
def test_whether_requests_are_refused_for_want_of_a_screen(of, want):
    assert Classifier((of,)).may_deny is want
