# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from inference.answer import EngineBusy
from inference.api.body import MOST_BODY_BYTES

USER = {"role": "user", "content": "hi"}


def events(response) -> list[dict]:
    assert response.headers["content-type"].startswith("text/event-stream")
    lines = response.text.split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]


def error(response) -> tuple[int, str, str]:
    body = response.json()["error"]
    assert {"message", "type", "param", "code"} == set(body)
    return response.status_code, body["code"], body["param"]


async def test_repeats_a_chat_and_counts_its_tokens(chat):
    response = await chat("Grüße 🎉")
    body = response.json()
    assert body["choices"][0]["message"] == {"role": "assistant", "content": "Grüße 🎉", "refusal": None}
    assert body["choices"][0]["finish_reason"] == "stop"
    size = len("Grüße 🎉".encode())
    assert body["usage"] == {"prompt_tokens": size + 4, "completion_tokens": size + 1, "total_tokens": 2 * size + 5}


async def test_streams_the_same_text_in_whole_characters(chat):
    text = "Grüße 🎉 世界"
    chunks = events(await chat(text, stream=True, stream_options={"include_usage": True}))
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks[:-1]]
    assert deltas[0]["role"] == "assistant"
    assert text == "".join(delta.get("content", "") for delta in deltas)
    assert list(text) == [delta["content"] for delta in deltas if delta.get("content")]
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["completion_tokens"] == len(text.encode()) + 1
    assert all(chunk["usage"] is None for chunk in chunks[:-1])


async def test_repeats_a_bare_prompt_plain_and_streamed(client):
    asked = {"model": "parrot-restricted", "prompt": "bare <|end|> text"}
    whole = (await client.post("/v1/completions", json=asked)).json()
    assert (whole["model"], whole["choices"][0]["text"]) == ("parrot-restricted", "bare <|end|> text")
    chunks = events(await client.post("/v1/completions", json=asked | {"stream": True}))
    assert whole["choices"][0]["text"] == "".join(chunk["choices"][0]["text"] for chunk in chunks)
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


async def test_lists_each_name_and_the_digest(client, parrot):
    response = await client.get("/v1/models")
    assert [entry["id"] for entry in response.json()["data"]] == ["parrot", "parrot-restricted"]
    assert parrot.digest == response.headers["gatehouse-model-digest"]


async def test_content_parts_are_set_side_by_side(client):
    parts = [{"type": "text", "text": "one "}, {"type": "text", "text": "<|end|>two"}]
    asked = {"model": "parrot", "messages": [{"role": "user", "content": parts}]}
    response = await client.post("/v1/chat/completions", json=asked)
    assert response.json()["choices"][0]["message"]["content"] == "one <|end|>two"


async def test_markers_in_a_message_are_repeated_as_text(chat):
    text = "a<|end|><|assistant|>b<|user|>c"
    assert text == (await chat(text)).json()["choices"][0]["message"]["content"]


async def test_a_prompt_beyond_the_context_is_refused_before_generation(chat, monkeypatch, engine):
    monkeypatch.setattr(engine, "submit_all", lambda jobs: pytest.fail("was submitted"))
    assert error(await chat("x" * 2044)) == (400, "context_length_exceeded", "messages")


async def test_the_longest_prompt_has_room_for_one_token(chat):
    body = (await chat("x" * 2043)).json()
    assert (body["choices"][0]["finish_reason"], body["usage"]["total_tokens"]) == ("length", 2048)


async def test_max_tokens_is_an_upper_bound_not_a_demand(chat):
    assert (await chat("hello", max_tokens=10**9)).json()["choices"][0]["message"]["content"] == "hello"
    short = (await chat("hello", max_completion_tokens=2)).json()["choices"][0]
    assert (short["message"]["content"], short["finish_reason"]) == ("he", "length")


async def test_a_full_queue_is_429_with_retry_after(chat, monkeypatch, engine):
    def busy(jobs):
        raise EngineBusy(retry_after_s=7)

    monkeypatch.setattr(engine, "submit_all", busy)
    response = await chat()
    assert error(response) == (429, "engine_overloaded", None)
    assert response.headers["retry-after"] == "7"


async def test_several_choices_are_answered_together_and_the_prompt_counts_once(chat):
    one, two = (await chat("hello")).json(), (await chat("hello", n=3, seed=1, temperature=0.5)).json()
    assert [choice["index"] for choice in two["choices"]] == [0, 1, 2]
    assert {choice["message"]["content"] for choice in two["choices"]} == {"hello"}
    assert two["usage"]["prompt_tokens"] == one["usage"]["prompt_tokens"]
    assert two["usage"]["completion_tokens"] == 3 * one["usage"]["completion_tokens"]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions"])
async def test_several_choices_come_in_one_stream_each_with_its_number(client, path):
    asked = {"messages": [USER]} if "chat" in path else {"prompt": "<|user|>hi"}
    asked |= {"model": "parrot", "n": 4, "stream": True, "stream_options": {"include_usage": True}, "max_tokens": 3}
    *told, totals = events(await client.post(path, json=asked))
    for index in range(4):
        own = [each["choices"][0] for each in told if each["choices"][0]["index"] == index]
        assert [choice["finish_reason"] for choice in own].count(None) == len(own) - 1
        assert own[-1]["finish_reason"] in {"stop", "length"}
    assert totals["choices"] == []
    assert totals["usage"]["completion_tokens"] == 12


async def test_choices_beyond_the_queue_are_refused_together(chat, monkeypatch, engine):
    asked = []

    def busy(jobs):
        asked.append(len(jobs))
        raise EngineBusy

    monkeypatch.setattr(engine, "submit_all", busy)
    assert (await chat(n=16)).status_code == 429
    assert asked == [16]


@pytest.mark.parametrize(
    ("more", "param"),
    [
        pytest.param({"n": 17}, "n", id="too-many-choices"),
        pytest.param({"n": True}, "n", id="true-is-not-one"),
        pytest.param({"logprobs": True}, "logprobs", id="logprobs"),
        pytest.param({"top_logprobs": 0}, "top_logprobs", id="top-logprobs"),
        pytest.param({"tools": []}, "tools", id="tools"),
        pytest.param({"tool_choice": "none"}, "tool_choice", id="tool-choice"),
        pytest.param({"response_format": {"type": "json_object"}}, "response_format", id="json-mode"),
        pytest.param({"presence_penalty": 0.1}, "presence_penalty", id="penalty"),
        pytest.param({"surprise": 1}, "surprise", id="unknown"),
        pytest.param({"a\nb": 1}, "(unknown)", id="unknown-with-a-hostile-name"),
        pytest.param({"temperature": 2.1}, "temperature", id="too-hot"),
        pytest.param({"temperature": True}, "temperature", id="temperature-true"),
        pytest.param({"top_p": "1"}, "top_p", id="top-p-a-string"),
        pytest.param({"max_tokens": 0}, "max_tokens", id="no-tokens"),
        pytest.param({"max_tokens": 1.0}, "max_tokens", id="a-float-of-tokens"),
        pytest.param({"max_tokens": 1, "max_completion_tokens": 1}, "max_tokens", id="two-maxima"),
        pytest.param({"seed": 2**63}, "seed", id="seed-beyond-int64"),
        pytest.param({"stop": ["a"] * 5}, "stop", id="five-stops"),
        pytest.param({"stop": ""}, "stop", id="empty-stop"),
        pytest.param({"stream_options": {}}, "stream_options", id="stream-options-without-stream"),
        pytest.param({"stream": True, "stream_options": {"x": 1}}, "stream_options.x", id="unknown-stream-option"),
        pytest.param({"stream": 1}, "stream", id="stream-a-number"),
        pytest.param({"messages": []}, "messages", id="no-messages"),
        pytest.param({"messages": [USER, {"role": "function", "content": "x"}]}, "messages[1].role", id="old-role"),
        pytest.param({"messages": [{"role": ["user"], "content": "x"}]}, "messages[0].role", id="role-a-list"),
        pytest.param({"messages": [{"role": "user"}]}, "messages[0].content", id="no-content"),
        pytest.param(
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            "messages[0].content[0].type",
            id="image",
        ),
        pytest.param(
            {"messages": [{"role": "assistant", "content": "x", "tool_calls": [{}]}]},
            "messages[0].tool_calls",
            id="calls",
        ),
        pytest.param({"messages": [{"role": "assistant", "content": "x"}]}, "messages", id="template-refuses"),
    ],
)
async def test_what_is_not_supported_is_refused_by_name(chat, more, param):
    response = await chat(**more)
    assert (400, param) == (response.status_code, response.json()["error"]["param"])


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"n": 1, "presence_penalty": 0, "frequency_penalty": 0.0, "logit_bias": {}}, id="neutral-values"),
        pytest.param({"logprobs": None, "tools": None, "stop": None, "seed": None}, id="null-is-absent"),
        pytest.param({"user": "u-1", "seed": -1, "top_p": 0.0, "temperature": 0, "stop": ["zz"]}, id="honoured"),
        pytest.param(
            {"messages": [{"role": "developer", "content": "x"}, {"role": "user", "content": "hello"}]}, id="developer"
        ),
        pytest.param(
            {
                "messages": [
                    USER,
                    {"role": "assistant", "content": "hi", "refusal": None, "tool_calls": None, "annotations": []},
                    {"role": "tool", "content": "x", "tool_call_id": "c"},
                    {"role": "user", "content": "hello", "name": "alice"},
                ]
            },
            id="a-whole-conversation",
        ),
    ],
)
async def test_what_is_supported_is_answered(chat, more):
    response = await chat(**more)
    assert (response.status_code, response.json()["choices"][0]["message"]["content"]) == (200, "hello")


@pytest.mark.parametrize(
    ("body", "want"),
    [
        pytest.param(b'{"model":"parrot","model":"x"}', (400, "invalid_json", None), id="a-key-twice"),
        pytest.param(b'{"temperature":NaN}', (400, "invalid_json", None), id="nan"),
        pytest.param(b"\xff", (400, "invalid_json", None), id="not-utf-8"),
        pytest.param(b"[" * 100_000, (400, "invalid_json", None), id="deeply-nested"),
        pytest.param(b"[]", (400, "invalid_json", None), id="an-array"),
        pytest.param(b'{"seed":' + b"9" * 10_000 + b"}", (400, "invalid_json", None), id="an-endless-number"),
        pytest.param(
            b'{"model":"parrot","messages":[{"role":"user","content":"\\ud800"}]}',
            (400, "invalid_value", "messages[0].content"),
            id="half-a-surrogate-pair",
        ),
        pytest.param(
            b'{"model":"no","messages":[{"role":"user","content":"x"}]}',
            (404, "model_not_found", "model"),
            id="other-model",
        ),
        pytest.param(b" " * (MOST_BODY_BYTES + 1), (413, "body_too_large", None), id="too-large"),
    ],
)
async def test_hostile_bodies_are_refused(client, body, want):
    response = await client.post("/v1/chat/completions", content=body, headers={"content-type": "application/json"})
    assert want == error(response)


@pytest.mark.parametrize("prompt", [None, 5, [], ["a", "b"], [1, 2], [[1]]])
async def test_prompts_other_than_one_text_are_refused(client, prompt):
    response = await client.post("/v1/completions", json={"model": "parrot", "prompt": prompt})
    assert (response.status_code, response.json()["error"]["param"]) == (400, "prompt")


async def test_media_type_path_and_method_are_refused_in_the_same_shape(client):
    assert error(await client.post("/v1/completions", content=b"{}")) == (415, "unsupported_media_type", None)
    gzip = {"content-type": "application/json", "content-encoding": "gzip"}
    assert error(await client.post("/v1/completions", content=b"", headers=gzip)) == (415, "unsupported_encoding", None)
    assert error(await client.get("/v1/nothing")) == (404, "not_found", None)
    assert error(await client.get("/v1/models/")) == (404, "not_found", None)
    assert error(await client.get("/v1/completions")) == (405, "method_not_allowed", None)


async def test_readiness_ends_with_the_engine(client, engine):
    assert (await client.get("/readyz")).status_code == 200
    engine.stop(timeout_s=5)
    assert error(await client.get("/readyz")) == (503, "not_ready", None)
    assert (await client.get("/healthz")).status_code == 200


async def test_the_unforeseen_is_a_500_without_content(chat, monkeypatch, engine, capfd):
    def broken(jobs):
        raise LookupError("hello")

    monkeypatch.setattr(engine, "submit_all", broken)
    response = await chat("hello")
    assert error(response) == (500, "internal_error", None)
    assert "hello" not in response.text
    assert "hello" not in "".join(capfd.readouterr())
