# SPDX-License-Identifier: Apache-2.0
import pytest

from inference.screen.judge import Judge
from inference.screen.question import Bounds, Input
from policies.screening.model import Origin, Window
from tests.unit.inference.screen.fakes import THRESHOLDS, VERSIONS, judge_of, read_words


def test_a_text_is_as_bad_as_its_worst_window(judge):
    (result,) = judge.judge([Input("all is well but EVIL here")], joined=False).results
    assert (result.score, result.label, result.complete) == (0.9, "injection", True)
    assert [(each.start, each.end) for each in result.windows] == [(12, 20), (16, 25)]


def test_a_harmless_text_names_its_worst_window_alone(judge):
    (result,) = judge.judge([Input("all is well")], joined=False).results
    assert (result.label, len(result.windows)) == ("benign", 1)
    assert result.score == pytest.approx(0.1)


def test_what_is_hidden_in_another_view_is_found_and_placed(judge):
    (result,) = judge.judge([Input("it is LIVE today")], joined=False).results
    assert result.windows[0] == Window(start=6, end=10, view="backwards", score=0.9)


def test_each_layer_gives_its_signal(judge):
    (result,) = judge.judge([Input("RULE")], joined=False).results
    assert [(each.layer, each.name, each.version) for each in result.signals] == [
        ("rules", "rule", "r"),
        ("classifier", "fake", "1"),
    ]
    assert result.score == pytest.approx(1 - 0.9 * 0.6)


def test_a_text_without_words_is_complete_and_harmless(judge):
    (result,) = judge.judge([Input("")], joined=False).results
    assert (result.score, result.label, result.complete, result.windows) == (0.0, "benign", True, ())


def test_thresholds_are_of_the_origin(scorer):
    strict = Judge(
        scorer, versions=VERSIONS, thresholds=THRESHOLDS | {Origin.TOOL_RESULT: 0.15}, bounds=Bounds(), read=read_words
    )
    judged = strict.judge([Input("a"), Input("a", Origin.TOOL_RESULT)], joined=False)
    assert [(each.threshold, str(each.label)) for each in judged.results] == [(0.5, "benign"), (0.15, "injection")]


def test_equal_windows_of_an_origin_are_scored_once(judge, scorer):
    judge.judge([Input("a b"), Input("a b"), Input("a b", Origin.TOOL_RESULT)], joined=True)
    assert len(scorer.asked) == len(set(scorer.asked))
    assert ("a b", Origin.USER) in scorer.asked
    assert ("a b", Origin.TOOL_RESULT) in scorer.asked


@pytest.mark.parametrize(
    ("texts", "windows"),
    [
        pytest.param(["so EV", "IL end"], [(3, 7)], id="within-a-word"),
        pytest.param(["so E", "", "VI", "L end"], [(3, 7)], id="over-several"),
    ],
)
def test_what_is_split_over_texts_is_found_when_they_are_joined(judge, texts, windows):
    judged = judge.judge([Input(text) for text in texts], joined=True)
    assert {str(each.label) for each in judged.results} == {"benign"}
    assert (judged.joined.label, judged.joined.score) == ("injection", 0.9)
    assert all(each.view.startswith("joined") for each in judged.joined.windows)
    assert any(each.start <= 3 and each.end >= 7 for each in judged.joined.windows)


def test_joining_is_asked_for(judge):
    split = [Input("so EV"), Input("IL end")]
    assert judge.judge(split, joined=False).joined is None
    assert judge.judge(split[:1], joined=True).joined is None


def test_an_attack_within_one_text_is_no_news_in_the_joined(judge):
    judged = judge.judge([Input("EVIL one two"), Input("three four five")], joined=True)
    assert judged.joined.label == "benign"


@pytest.mark.parametrize(
    ("bounds", "complete"),
    [
        pytest.param({}, [True, True], id="enough"),
        pytest.param({"chars": 9}, [True, False], id="too-many-characters"),
        pytest.param({"windows": 5}, [True, False], id="too-many-windows"),
        pytest.param({"windows": 1}, [False, False], id="far-too-many"),
    ],
)
def test_beyond_a_bound_nothing_is_passed_over_in_silence(scorer, bounds, complete):
    judged = judge_of(scorer, **bounds).judge([Input("aa bb"), Input("cc dd EVIL")], joined=False)
    assert [each.complete for each in judged.results] == complete
    assert judged.complete is all(complete)


def test_what_the_rules_could_not_read_to_its_end_is_incomplete(judge):
    judged = judge.judge([Input("BOMB"), Input("fine")], joined=False)
    assert [each.complete for each in judged.results] == [False, True]


def test_a_deadline_makes_what_was_not_scored_incomplete(judge, scorer):
    looks = iter([False, False, True])
    judged = judge.judge([Input("a"), Input("b")], joined=False, is_over=lambda: next(looks))
    assert [each.complete for each in judged.results] == [False, False]
    assert scorer.asked == []


def test_some_scores_make_a_judgement_of_what_there_is(judge):
    examined = judge.examine([Input("EVIL a"), Input("b c")], joined=False, is_over=lambda: False)
    scores = tuple(0.9 if "EVIL" in piece.text else None for piece in examined.pieces)
    first, second = judge.conclude(examined, scores).results
    assert (first.label, first.complete) == ("injection", False)
    assert (second.score, second.complete) == (0.0, False)


def test_ends_of_a_long_text_come_first(judge):
    examined = judge.examine([Input("a b c d e")], joined=False, is_over=lambda: False)
    assert [each.text for each in examined.pieces[:2]] == ["a b", "e"]


def test_questions_together_are_judged_as_each_alone(judge):
    questions = [[Input("a b EVIL")], [Input("a"), Input("b")], [Input("LIVE x")]]
    together = judge.judge_many(questions, joined=True)
    assert together == [judge.judge(each, joined=True) for each in questions]
