# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from proxy_addons.core.texts_said import pieces_of, texts_of
from tests.responses import TEXTS, answered, called, left, spoken, stream, wire


@pytest.mark.parametrize(
    ("body", "want"),
    [
        pytest.param(
            {
                "model": "parrot",
                "messages": [
                    {"role": "system", "content": "be brief"},
                    {"role": "user", "name": "n", "content": [{"type": "text", "text": "look"}, {"type": "image_url"}]},
                ],
                "tools": [{"function": {"name": "f", "parameters": {"text": "no"}}}],
            },
            [("messages.0.content", "be brief"), ("messages.1.content.0.text", "look")],
            id="chat",
        ),
        pytest.param(
            {"model": "m", "prompt": ["one", "two"], "suffix": "end", "stop": ["no"]},
            [("prompt.0", "one"), ("prompt.1", "two"), ("suffix", "end")],
            id="completion",
        ),
        pytest.param(
            {"input": [{"role": "user", "content": [{"type": "input_text", "text": "hi"}]}], "instructions": "be"},
            [("input.0.content.0.text", "hi"), ("instructions", "be")],
            id="response",
        ),
        pytest.param(
            {
                "choices": [
                    {
                        "message": {
                            "role": "assistant",
                            "content": None,
                            "reasoning_content": "hm",
                            "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": '{"a":1}'}}],
                        }
                    }
                ],
                "usage": {"content": "no"},
            },
            [
                ("choices.0.message.reasoning_content", "hm"),
                ("choices.0.message.tool_calls.0.function.arguments", '{"a":1}'),
            ],
            id="answer",
        ),
        pytest.param({"model": "m", "input": [[1, 2], ""]}, [], id="tokens, and a text without any"),
    ],
)
def test_what_somebody_said_is_found_and_nothing_else(body, want):
    assert texts_of(json.dumps(body).encode()) == want


@pytest.mark.parametrize("shape", list(TEXTS))
def test_the_pieces_of_a_streamed_response_are_the_texts_of_the_whole_one(shape):
    told = answered(spoken(shape, ["Hello ", "there."], ["And ", "you."]), called(['{"a"', ": 1}"], index=1))
    leaving = left([wire(*told)], stream(None))
    pieces: dict[str, str] = {}
    for path, piece in pieces_of(leaving):
        pieces[path] = pieces.get(path, "") + piece
    whole = told[-1]["response"]
    assert list(pieces.items()) == texts_of(json.dumps({"output": whole["output"]}).encode())
    assert len(pieces) == 3


def test_a_form_has_none():
    assert texts_of(b"--x\r\nprompt") == []


@pytest.mark.parametrize(
    ("event", "want"),
    [
        pytest.param(
            {"choices": [{"index": 1, "delta": {"role": "assistant", "content": "he"}, "finish_reason": None}]},
            [("choices.1.content", "he")],
            id="chat",
        ),
        pytest.param({"choices": [{"index": 0, "text": "he"}]}, [("choices.0.text", "he")], id="completion"),
        pytest.param(
            {"type": "response.output_text.delta", "output_index": 2, "content_index": 1, "delta": "he"},
            [("output.2.content.1.text", "he")],
            id="response",
        ),
        pytest.param({"type": "response.output_text.done", "text": "hello"}, [], id="the same once more"),
        pytest.param({"choices": []}, [], id="usage"),
    ],
)
def test_pieces_are_found_with_what_they_are_pieces_of(event, want):
    line = b"event: x\ndata: " + json.dumps(event).encode() + b"\n\n"
    assert list(pieces_of(line + b"data: [DONE]\n\n" + line)) == want * 2
