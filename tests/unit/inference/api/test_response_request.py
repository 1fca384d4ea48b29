# SPDX-License-Identifier: Apache-2.0
import pytest

from inference.api.errors import RequestRefused
from inference.api.requests import Message, Role
from inference.api.response_request import parse_response

PART = {"type": "input_text", "text": "b"}


def test_every_item_is_a_message():
    asked = parse_response(
        {
            "model": "m",
            "instructions": "be brief",
            "input": [
                {"role": "user", "content": "a"},
                {"type": "message", "role": "developer", "content": [PART, {**PART, "type": "output_text"}]},
                {
                    "type": "message",
                    "id": "msg_1",
                    "role": "assistant",
                    "status": "completed",
                    "content": [{"type": "output_text", "text": "c", "annotations": [], "logprobs": []}],
                },
            ],
            "max_output_tokens": 7,
            "stream": True,
        }
    )
    assert asked.messages == (
        Message(role=Role.SYSTEM, content="be brief"),
        Message(role=Role.USER, content="a"),
        Message(role=Role.DEVELOPER, content="bb"),
        Message(role=Role.ASSISTANT, content="c"),
    )
    assert (asked.wishes.max_tokens, asked.wishes.stream) == (7, True)


def test_a_text_is_the_users():
    neutral = {"store": False, "tools": [], "text": {"format": {"type": "text"}}, "metadata": None}
    assert parse_response({"model": "m", "input": "a", **neutral}).messages == (Message(role=Role.USER, content="a"),)


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": ["a"]}, "input[0]"),
        ({"input": [{"role": "tool", "content": "a"}]}, "input[0].role"),
        ({"input": [{"type": "function_call"}]}, "input[0].type"),
        ({"input": [{"role": "user", "content": ["a"]}]}, "input[0].content[0]"),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "input[0].content[0].type"),
        ({"input": [{"role": "user", "content": "a", "x": 1}]}, "input[0].x"),
        ({"input": "a", "previous_response_id": "resp_1"}, "previous_response_id"),
        ({"input": "a", "store": True}, "store"),
        ({"input": "a", "tools": [{"type": "function", "name": "f"}]}, "tools"),
        ({"input": "a", "messages": []}, "messages"),
    ],
)
def test_what_this_server_cannot_do_is_refused_by_name(changes, param):
    with pytest.raises(RequestRefused) as told:
        parse_response({"model": "m", **changes})
    assert told.value.refusal.param == param
