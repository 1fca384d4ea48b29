# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from conformance.told import arguments_of, texts_of


def stream(*choices: dict) -> bytes:
    return b"".join(b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n" for choice in choices)


def delta(index: int = 0, **members: object) -> dict:
    return {"index": index, "delta": members}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(json.dumps({"choices": [{"message": {"content": "a secret"}}]}).encode(), id="plain"),
        pytest.param(stream(delta(content="a sec"), delta(content="ret")), id="two events"),
        pytest.param(stream(delta(content="a sec"), delta(1, content="x"), delta(content="ret")), id="between another's"),
        pytest.param(stream(delta(content="a sec")).replace(b"\n", b"\r\n") + stream(delta(content="ret")), id="ends of lines"),
        pytest.param(json.dumps({"a": {"secret": 1}}).encode(), id="a name"),
        pytest.param(json.dumps({"tokens": ["se", "cr", "et"]}).encode(), id="tokens"),
        pytest.param(json.dumps({"content": [{"bytes": [115, 101, 99]}, {"bytes": [114, 101, 116]}]}).encode(), id="bytes"),
        pytest.param(json.dumps({"arguments": '{"q": "\\u0073ecret"}'}).encode(), id="escaped in arguments"),
        pytest.param(json.dumps({"arguments": '{"q": "\\u0073ecret'}).encode(), id="escaped in broken arguments"),
        pytest.param(stream(*(delta(tool_calls=[{"index": 3, "function": {"arguments": each}}]) for each in '"\\u0073ecret"')), id="arguments in pieces"),
    ],
)  # fmt: skip
def test_whatever_a_client_can_put_together_is_told(body):
    assert any("secret" in text for text in texts_of(body))


def test_what_two_choices_say_is_not_one_text_of_either():
    told = texts_of(stream(delta(content="a sec"), delta(1, content="ret")))
    assert {"a sec", "ret"} <= set(told)


def test_arguments_are_those_of_each_call():
    calls = [{"index": 0, "function": {"arguments": '{"a"'}}, {"index": 1, "function": {"arguments": "{}"}}]
    rest = [{"index": 0, "function": {"arguments": ": 1}"}}]
    assert sorted(arguments_of(stream(delta(tool_calls=calls), delta(tool_calls=rest)))) == ['{"a": 1}', "{}"]


@pytest.mark.parametrize("body", [b"", b"data: [DONE]\n\n", b"{", b"data: {\n\n", b"[" * 100_000])
def test_what_is_no_json_tells_nothing(body):
    assert texts_of(body) == []
