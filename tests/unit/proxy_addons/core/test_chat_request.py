# SPDX-License-Identifier: Apache-2.0
import gzip
import json

import pytest

from policies.contracts.request import RequestFacts
from proxy_addons.core.chat_request import read_chat
from proxy_addons.core.refused import Refused
from proxy_addons.core.unknown_fields import Reading
from tests.unit.proxy_addons.harness import chat, route

CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
TOOL = {
    "type": "function",
    "function": {"name": "f", "description": "d", "parameters": {"any": [1, None]}, "strict": True},
}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}, "strict": True}}


def facts(body, *, body_bytes=0) -> RequestFacts:
    return read_chat(body, Reading(route()), body_bytes=body_bytes)[1]


def test_facts_of_a_whole_conversation():
    body = chat(
        messages=[
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": [{"type": "text", "text": "ab"}, {"type": "text", "text": "cd"}], "name": "x"},
            {"role": "assistant", "content": None, "tool_calls": [CALL], "annotations": [], "audio": None},
            {"role": "tool", "content": "r", "tool_call_id": "call_1"},
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}], "refusal": "n"},
        ],
        max_tokens=5,
        max_completion_tokens=9,
        n=2,
        stream=True,
        tools=[TOOL],
        tool_choice="auto",
    )
    assert facts(body, body_bytes=77) == RequestFacts(
        stream=True,
        max_tokens=9,
        n=2,
        message_count=5,
        roles=("system", "user", "assistant", "tool", "assistant"),
        tools=("f",),
        tool_choice="auto",
        text_chars=8 + 4 + len('{"a":1}') + 1 + 2 + 1,
        body_bytes=77,
    )


def test_nulls_say_what_leaving_out_says():
    nulls = dict.fromkeys(("max_tokens", "max_completion_tokens", "n", "stream", "tools", "tool_choice", "stop"))
    assert facts(chat(**nulls)) == facts(chat())


def test_forced_tool_is_named_in_the_facts():
    choice = {"type": "function", "function": {"name": "f"}}
    assert facts(chat(tools=[TOOL], tool_choice=choice)).tool_choice == "f"


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        pytest.param({"tools": [{"type": "retrieval"}]}, "field-invalid", "tools.type", id="tool-type"),
        pytest.param({"tools": [TOOL] * 129}, "field-invalid", "tools", id="too-many-tools"),
        pytest.param({"tool_choice": "shell"}, "field-invalid", "tool_choice", id="tool-choice"),
        pytest.param({"response_format": {"type": "xml"}}, "field-invalid", "response_format.type", id="format"),
        pytest.param(
            {"response_format": {**SCHEMA, "x": 1}}, "field-not-permitted", "response_format", id="format-field"
        ),
        pytest.param({"functions": [{"name": "f"}]}, "field-not-permitted", "functions", id="old-functions"),
        pytest.param({"store": True}, "field-not-permitted", "store", id="store"),
        pytest.param({"store": 0}, "field-not-permitted", "store", id="zero-is-not-false"),
        pytest.param({"logit_bias": {"x": 1}}, "field-invalid", "logit_bias", id="bias-of-a-word"),
        pytest.param({"logit_bias": {"1": 101}}, "field-invalid", "logit_bias", id="bias-too-large"),
        pytest.param({"stream_options": {"x": True}}, "field-not-permitted", "stream_options", id="stream-option"),
        pytest.param({"temperature": 2.1}, "field-invalid", "temperature", id="too-hot"),
        pytest.param({"temperature": "1"}, "field-invalid", "temperature", id="temperature-as-text"),
        pytest.param({"n": 0}, "field-invalid", "n", id="no-choice"),
        pytest.param({"n": 1.0}, "field-invalid", "n", id="choices-as-a-double"),
        pytest.param({"stop": ["a"] * 5}, "field-invalid", "stop", id="too-many-stops"),
        pytest.param({"user": "a\nb"}, "field-invalid", "user", id="newline-in-user"),
        pytest.param({"marzipan": 1}, "field-not-permitted", None, id="unknown-field-is-not-named"),
        pytest.param({"messages": {}}, "field-invalid", "messages", id="messages-as-an-object"),
        pytest.param({"messages": ["hi"]}, "field-invalid", "messages", id="message-as-text"),
        pytest.param(
            {"messages": [{"role": "tool", "content": "x"}]}, "field-invalid", "messages.tool_call_id", id="no-call-id"
        ),
        pytest.param(
            {"messages": [{"role": "user", "content": "x", "tool_calls": [CALL]}]},
            "field-not-permitted",
            "messages",
            id="calls-by-the-user",
        ),
        pytest.param(
            {"messages": [{"role": "user", "content": [{"type": "refusal", "refusal": "x"}]}]},
            "field-invalid",
            "messages.content.type",
            id="refusal-by-the-user",
        ),
        pytest.param(
            {"messages": [{"role": "assistant", "audio": {"id": "x"}}]},
            "field-not-permitted",
            "messages.audio",
            id="sound",
        ),
    ],
)
def test_field_that_is_unknown_or_not_of_its_type_is_refused(changes, code, param):
    with pytest.raises(Refused) as refused:
        facts(chat(**changes))
    assert (refused.value.code, refused.value.param) == (code, param)


@pytest.mark.parametrize("name", ["model", "messages"])
def test_required_field_is_required(name):
    body = chat()
    del body[name]
    with pytest.raises(Refused):
        facts(body)


def test_documented_parameters_pass():
    body = chat(
        temperature=0.7,
        top_p=1,
        stream=False,
        stream_options=None,
        stop="a",
        seed=7,
        presence_penalty=-2,
        frequency_penalty=2.0,
        logit_bias={"50256": -100},
        logprobs=True,
        top_logprobs=3,
        response_format=SCHEMA,
        tools=[TOOL],
        parallel_tool_calls=False,
        user="u-1",
        service_tier="default",
        reasoning_effort="low",
        safety_identifier="u-1",
        prompt_cache_key="k",
        prompt_cache_retention="24h",
        prompt_cache_options={"mode": "explicit", "ttl": "30m"},
        messages=[
            {
                "role": "user",
                "content": [{"type": "text", "text": "hi", "prompt_cache_breakpoint": {"mode": "explicit"}}],
            }
        ],
    )
    assert facts(body).tools == ("f",)


@pytest.mark.corpus
def test_recorded_legitimate_requests_pass(corpora):
    read = 0
    with gzip.open(corpora / "openai" / "http_interactions.jsonl.gz", "rt") as rows:
        for row in map(json.loads, rows):
            body = row["request_body"]
            if row["path"] != "/v1/chat/completions" or not body or row["status"] != 200:
                continue
            facts(json.loads(body) if isinstance(body, str) else body)
            read += 1
    assert read > 20
