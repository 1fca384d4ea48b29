# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from inference.screen.line_answers import answers_of, scores_of, text_answer
from inference.screen.lines import MOST_BYTES, RawLine
from inference.screen.messages import LineRefused


def raw(*lines):
    return [
        RawLine(number, line if isinstance(line, bytes | None) else json.dumps(line).encode())
        for number, line in enumerate(lines, 1)
    ]


def answers(judge, *lines):
    return [json.loads(answer.written) for answer in answers_of(judge, raw(*lines))]


def test_each_line_has_its_answer_in_order(judge):
    found = answers(judge, {"text": "EVIL", "id": "a"}, {"text": "fine", "label": "x"}, {"text": "EVIL", "id": None})
    assert [(each.get("id"), each["label"], each["score"]) for each in found] == [
        ("a", "injection", 0.9),
        (None, "benign", 0.1),
        (None, "injection", 0.9),
    ]
    assert all(answer.keys() - {"id"} == found[1].keys() for answer in found)
    assert found[1]["versions"] == {"rules": "r", "structure": "s", "classifier": "fake/1"}


def test_answers_hold_no_text(judge):
    answer = answers(judge, {"text": "unmistakable EVIL RULE"})[0]
    assert "unmistakable" not in json.dumps(answer)


def test_the_worst_of_messages_counts_and_windows_name_theirs(judge):
    messages = [
        {"role": "user", "content": ["all fine ", "so far"]},
        {"role": "tool", "content": [{"type": "text", "text": "first"}, {"type": "text", "text": "then EVIL"}]},
    ]
    (answer,) = answers(judge, {"messages": messages})
    assert (answer["label"], answer["score"], answer["complete"]) == ("injection", 0.9, True)
    first = next(each for each in answer["windows"] if "message" in each)
    assert (first["message"], first["start"], first["end"]) == (1, 5, 14)


def test_what_is_split_over_messages_is_found(judge):
    messages = [{"role": "user", "content": "so EV"}, {"role": "user", "content": "IL end"}]
    (answer,) = answers(judge, {"messages": messages})
    assert answer["label"] == "injection"
    assert "message" not in answer["windows"][0]
    assert answer["windows"][0]["view"] == "joined"


def test_a_line_that_is_not_examined_whole_says_so(judge):
    messages = [{"role": "user", "content": "BOMB"}, {"role": "user", "content": "fine"}]
    first, second = answers(judge, {"messages": messages}, {"text": "fine"})
    assert (first["complete"], second["complete"]) == (False, True)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        pytest.param(b"", "no JSON: Expecting value at column 1", id="empty"),
        pytest.param(b'{"text": "a"', "no JSON: Expecting ',' delimiter at column 13", id="cut-off"),
        pytest.param(b'{"text": "a"}{', "no JSON: Extra data at column 14", id="two-objects"),
        pytest.param(b'{"text": "\xff"}', "no UTF-8 at byte 10", id="not-utf-8"),
        pytest.param(b'{"text": "a", "text": "b"}', "a member twice", id="a-member-twice"),
        pytest.param(b'{"text": NaN}', "NaN", id="nan"),
        pytest.param(b"[" * 100_000, "nested too deep", id="deep"),
        pytest.param(None, f"longer than {MOST_BYTES} bytes", id="too-long"),
        pytest.param({"text": 5}, "text: must be a string", id="not-a-text"),
    ],
)
def test_a_bad_line_is_answered_by_its_error_and_harms_no_other(judge, line, error):
    found = answers(judge, {"text": "fine"}, line, {"text": "EVIL"})
    assert [each.get("label") for each in found] == ["benign", None, "injection"]
    assert found[1].keys() == {"error", "line"}
    assert found[1]["line"] == 2
    assert error in found[1]["error"]


@pytest.mark.parametrize(
    "message",
    [
        pytest.param({"role": "user"}, id="no-content"),
        pytest.param({"role": "assistant", "content": None, "tool_calls": []}, id="null"),
        pytest.param({"role": "user", "content": []}, id="no-parts"),
    ],
)
def test_messages_without_any_text_are_judged_as_the_empty_text_is(judge, message):
    first, second = answers(judge, {"messages": [message], "id": "a"}, {"text": "EVIL"})
    assert (first["id"], first["label"], first["complete"], first["windows"]) == ("a", "benign", True, [])
    assert second["label"] == "injection"


def test_half_a_surrogate_pair_is_judged(judge):
    assert answers(judge, b'{"text": "EVIL \\ud800"}')[0]["label"] == "injection"


def test_a_text_that_is_all_of_the_input(judge):
    assert json.loads(text_answer(judge, "so\nEVIL \xe9".encode()).written)["label"] == "injection"
    assert text_answer(judge, b"\xff").readable
    assert not text_answer(judge, b"x" * (MOST_BYTES + 1)).readable


def test_scores_are_of_each_text_and_its_origin(judge):
    lines = raw({"text": "fine"}, {"messages": [{"role": "tool", "content": "fine"}, {"role": "user", "content": ""}]})
    assert list(scores_of(judge, lines)) == [("user", 0.1), ("tool-result", 0.2)]
    with pytest.raises(LineRefused, match="line 2: "):
        list(scores_of(judge, raw({"text": "fine"}, {"text": 5})))
