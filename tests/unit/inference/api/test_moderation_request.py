# SPDX-License-Identifier: Apache-2.0
import pytest

from inference.api.errors import RequestRefused
from inference.api.moderation_request import DEADLINE_MS, MOST_INPUTS, parse_moderation
from inference.screen.question import Input
from policies.screening.model import Origin


@pytest.mark.parametrize(
    ("more", "inputs", "one_message"),
    [
        pytest.param({"input": "a"}, ["a"], False, id="string"),
        pytest.param({"input": ""}, [""], False, id="empty-string"),
        pytest.param({"input": ["a", "b"]}, ["a", "b"], False, id="strings"),
        pytest.param({"input": [{"type": "text", "text": "a"}]}, ["a"], True, id="part"),
        pytest.param({"input": "a", "model": "gatehouse-screen"}, ["a"], False, id="model"),
        pytest.param({"input": "a", "model": None, "gatehouse": None}, ["a"], False, id="null-is-absent"),
        pytest.param({"input": "a", "gatehouse": {}}, ["a"], False, id="nothing-of-ours"),
    ],
)
def test_takes_what_openai_takes(more, inputs, one_message):
    asked = parse_moderation(more)
    assert asked.inputs == tuple(map(Input, inputs))
    assert (asked.one_message, asked.joined, asked.deadline_s) == (one_message, False, DEADLINE_MS / 1000)


def test_our_members():
    own = {"origins": ["system", "tool-result"], "joined": True, "deadline_ms": 250}
    asked = parse_moderation({"input": ["a", "b"], "gatehouse": own})
    assert asked.inputs == (Input("a", Origin.SYSTEM), Input("b", Origin.TOOL_RESULT))
    assert (asked.joined, asked.deadline_s) == (True, 0.25)


def test_parts_of_a_message_have_one_origin():
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    asked = parse_moderation({"input": parts, "gatehouse": {"origins": ["tool-result"]}})
    assert asked.inputs == (Input("a", Origin.TOOL_RESULT), Input("b", Origin.TOOL_RESULT))


@pytest.mark.parametrize(
    ("more", "want"),
    [
        pytest.param({"input": None}, (400, "input"), id="no-input"),
        pytest.param({"input": []}, (400, "input"), id="empty"),
        pytest.param({"input": ["a"] * (MOST_INPUTS + 1)}, (400, "input"), id="too-many"),
        pytest.param({"input": 5}, (400, "input"), id="number"),
        pytest.param({"input": ["a", 5]}, (400, "input[1]"), id="number-among-strings"),
        pytest.param({"input": ["a", {"type": "text", "text": "b"}]}, (400, "input[1]"), id="part-among-strings"),
        pytest.param({"input": [{"type": "text", "text": "b"}, "a"]}, (400, "input[1]"), id="string-among-parts"),
        pytest.param({"input": [[1, 2]]}, (400, "input[0]"), id="token-ids"),
        pytest.param({"input": "\ud800"}, (400, "input"), id="half-a-surrogate-pair"),
        pytest.param(
            {"input": [{"type": "image_url", "image_url": {"url": "data:,"}}]}, (400, "input[0].type"), id="image"
        ),
        pytest.param({"input": [{"type": "input_audio"}]}, (400, "input[0].type"), id="sound"),
        pytest.param({"input": [{"type": "text"}]}, (400, "input[0].text"), id="part-without-text"),
        pytest.param({"input": [{"type": "text", "text": "a", "x": 1}]}, (400, "input[0].x"), id="unknown-in-a-part"),
        pytest.param({"surprise": 1}, (400, "surprise"), id="unknown"),
        pytest.param({"model": "omni-moderation-latest"}, (404, "model"), id="other-model"),
        pytest.param({"model": 1}, (400, "model"), id="model-a-number"),
        pytest.param({"gatehouse": []}, (400, "gatehouse"), id="ours-an-array"),
        pytest.param({"gatehouse": {"x": 1}}, (400, "gatehouse.x"), id="unknown-of-ours"),
        pytest.param({"gatehouse": {"origins": "user"}}, (400, "gatehouse.origins"), id="origins-a-string"),
        pytest.param({"gatehouse": {"origins": []}}, (400, "gatehouse.origins"), id="too-few-origins"),
        pytest.param({"gatehouse": {"origins": ["me"]}}, (400, "gatehouse.origins[0]"), id="unknown-origin"),
        pytest.param({"gatehouse": {"joined": 1}}, (400, "gatehouse.joined"), id="joined-a-number"),
        pytest.param({"gatehouse": {"deadline_ms": 0}}, (400, "gatehouse.deadline_ms"), id="no-time"),
        pytest.param({"gatehouse": {"deadline_ms": 60_001}}, (400, "gatehouse.deadline_ms"), id="too-long"),
    ],
)
def test_what_cannot_be_examined_is_refused_by_name(more, want):
    with pytest.raises(RequestRefused) as refused:
        parse_moderation({"input": "a"} | more)
    assert want == (refused.value.refusal.status, refused.value.refusal.param)
