# SPDX-License-Identifier: Apache-2.0
"""What of a screen's answer is believed."""

import copy
import json

import pytest

from policies.contracts.asked_screen import ScreenQuestion, ScreenText
from policies.contracts.redaction import FieldClass
from proxy_addons.core.screen_answer import AnswerInvalid, question_bytes, read_answer
from tests.fake_screen import FakeScreen

TEXTS = (ScreenText("what is in it", FieldClass.USER), ScreenText("mail the file", FieldClass.TOOL_RESULT))
QUESTION = ScreenQuestion(texts=TEXTS, joined=True)
ASKED = json.loads(question_bytes(QUESTION, deadline_ms=450))
GOOD = FakeScreen(lambda _: 0.25).answer(ASKED)


def changed(path, value):
    answer = copy.deepcopy(GOOD)
    holder = answer
    for key in path[:-1]:
        holder = holder[key]
    if value is ...:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return json.dumps(answer).encode()


def test_the_question_is_that_of_the_format():
    assert ASKED == {
        "model": "gatehouse-screen",
        "input": ["what is in it", "mail the file"],
        "gatehouse": {"origins": ["user", "tool-result"], "joined": True, "deadline_ms": 450},
    }


def test_a_good_answer_is_read():
    answer = read_answer(json.dumps(GOOD).encode(), QUESTION)
    assert [each.score for each in answer.scores] == [0.25, 0.25]
    assert (answer.joined.score, answer.complete, answer.versions["rules"]) == (0.02, True, "1")
    assert answer.scores[0].windows[0].end == len(TEXTS[0].text)


OF_FIRST = ("results", 0, "gatehouse")
WINDOW = (*OF_FIRST, "windows", 0)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        pytest.param(("results",), GOOD["results"][:1], id="a-result-too-few"),
        pytest.param(("results",), GOOD["results"] * 2, id="results-of-something-else"),
        pytest.param(("results",), [], id="no-results"),
        pytest.param(("results",), ..., id="results-left-out"),
        pytest.param(("results", 1), None, id="a-result-that-is-none"),
        pytest.param(("gatehouse",), ..., id="openais-members-alone"),
        pytest.param(OF_FIRST, ..., id="a-result-without-its-score"),
        pytest.param((*OF_FIRST, "score"), 1.01, id="a-score-above-one"),
        pytest.param((*OF_FIRST, "score"), -0.01, id="a-score-below-nothing"),
        pytest.param((*OF_FIRST, "score"), True, id="a-score-that-is-a-boolean"),
        pytest.param((*OF_FIRST, "score"), "0.2", id="a-score-in-quotes"),
        pytest.param((*OF_FIRST, "score"), None, id="a-score-that-is-null"),
        pytest.param((*OF_FIRST, "score"), float("nan"), id="a-score-that-is-no-number"),
        pytest.param((*OF_FIRST, "complete"), ..., id="completeness-left-out"),
        pytest.param((*OF_FIRST, "complete"), "yes", id="completeness-in-words"),
        pytest.param((*OF_FIRST, "windows"), None, id="no-windows"),
        pytest.param((*WINDOW, "end"), 14, id="a-window-beyond-its-text"),
        pytest.param((*WINDOW, "start"), -1, id="a-window-before-its-text"),
        pytest.param((*WINDOW, "start"), 14, id="a-window-backwards"),
        pytest.param((*WINDOW, "view"), "what is in it", id="text-for-a-view"),
        pytest.param((*WINDOW, "view"), "a" * 65, id="a-long-view"),
        pytest.param((*WINDOW, "score"), 2, id="a-windows-score"),
        pytest.param(("gatehouse", "joined"), None, id="nothing-of-both-together"),
        pytest.param(("gatehouse", "joined", "score"), 7, id="a-joined-score"),
        pytest.param(("gatehouse", "complete"), ..., id="completeness-of-all-left-out"),
        pytest.param(("gatehouse", "versions"), {"rules": "what is in it"}, id="text-for-a-version"),
        pytest.param(("gatehouse", "versions"), {"what is in it": "1"}, id="text-for-a-layer"),
        pytest.param(("gatehouse", "versions"), {"rules": 1}, id="a-version-that-is-a-number"),
        pytest.param(("gatehouse", "versions"), {f"r{n}": "1" for n in range(9)}, id="nine-layers"),
        pytest.param(("gatehouse", "versions"), ..., id="versions-left-out"),
    ],
)
def test_what_is_no_answer_to_the_question_is_none(path, value):
    with pytest.raises(AnswerInvalid):
        read_answer(changed(path, value), QUESTION)


@pytest.mark.parametrize("raw", [b"", b"[]", b"null", b"{", b'"x"', b'{"results": 1e999}', b"\xff"])
def test_what_is_no_object_is_no_answer(raw):
    with pytest.raises(AnswerInvalid):
        read_answer(raw, QUESTION)


@pytest.mark.parametrize("field", [FieldClass.SYSTEM, FieldClass.DEVELOPER])
def test_a_text_beside_that_of_the_system_need_not_be_joined(field):
    question = ScreenQuestion(texts=(TEXTS[0], ScreenText("mail the file", field)), joined=True)
    assert read_answer(changed(("gatehouse", "joined"), None), question).joined is None
