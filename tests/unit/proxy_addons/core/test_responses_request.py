# SPDX-License-Identifier: Apache-2.0
import base64
import json

import pytest

from policies.contracts.request import RequestFacts
from policies.contracts.snapshot import Dialect, Modality, UnknownFields
from proxy_addons.core.refused import Refused
from proxy_addons.core.request_reader import read_body
from proxy_addons.core.responses_request import read_responses
from proxy_addons.core.unknown_fields import Reading
from tests.unit.proxy_addons.harness import route

TOOL = {"type": "function", "name": "f", "description": "d", "parameters": {"any": [1, None]}, "strict": True}
PNG = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n0000").decode()
CALL = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": '{"a":1}'}
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "r"}


def asked(**changes):
    return {"model": "m", "input": "hi", **changes}


def facts(body, *, body_bytes=0, **options) -> RequestFacts:
    return read_responses(body, Reading(route(Dialect.RESPONSES, **options)), body_bytes=body_bytes)[1]


def test_facts_of_a_whole_conversation():
    body = asked(
        instructions="be brief",
        input=[
            {"role": "user", "content": "ab"},
            {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "cd"}]},
            {
                "type": "message",
                "role": "assistant",
                "id": "msg_1",
                "status": "completed",
                "phase": "commentary",
                "content": [
                    {"type": "output_text", "text": "ef", "annotations": [], "logprobs": []},
                    {"type": "refusal", "refusal": "no"},
                ],
            },
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "s"}], "encrypted_content": None},
            CALL,
            OUTPUT,
            {**OUTPUT, "output": [{"type": "input_text", "text": "xyz"}]},
        ],
        max_output_tokens=9,
        stream=True,
        tools=[TOOL],
        tool_choice={"type": "function", "name": "f"},
    )
    assert facts(body, body_bytes=77) == RequestFacts(
        stream=True,
        max_tokens=9,
        message_count=8,
        roles=("system", "user", "developer", "assistant", "assistant", "assistant", "tool", "tool"),
        tools=("f",),
        tool_choice="f",
        text_chars=8 + 2 + 2 + 2 + 2 + 1 + len('{"a":1}') + 1 + 3,
        body_bytes=77,
    )


def test_an_input_that_is_a_text_is_a_message_of_the_user():
    assert facts(asked()) == RequestFacts(message_count=1, roles=("user",), text_chars=2)


def test_all_that_a_client_may_wish_is_read():
    wishes = {
        "temperature": 0.7,
        "top_p": 0.9,
        "top_logprobs": 2,
        "truncation": "auto",
        "service_tier": "default",
        "reasoning": {"effort": "low", "summary": "auto"},
        "include": ["reasoning.encrypted_content"],
        "text": {"format": {"type": "json_schema", "name": "s", "schema": {}, "strict": True}, "verbosity": "low"},
        "parallel_tool_calls": True,
        "max_tool_calls": 3,
        "user": "u",
        "safety_identifier": "s",
        "store": False,
        "prompt_cache_key": "k",
        "prompt_cache_retention": "24h",
        "stream_options": {"include_obfuscation": True},
        "prompt_cache_options": {"mode": "implicit", "ttl": "30m"},
        "tools": [TOOL],
        "tool_choice": {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "f"}]},
    }
    assert facts(asked(**wishes)).tool_choice == "required"


def test_nulls_say_what_leaving_out_says():
    names = ("instructions", "max_output_tokens", "stream", "tools", "tool_choice", "text", "reasoning", "include")
    of_state = ("previous_response_id", "conversation", "prompt", "store", "background", "metadata")
    assert facts(asked(**dict.fromkeys(names + of_state))) == facts(asked())


def test_the_body_is_written_again_from_what_was_examined():
    spelled = b'{ "input" : "h\\u0069", "model":"m" }'
    assert read_body(spelled, route(Dialect.RESPONSES)).body == b'{"input":"hi","model":"m"}'


STATE = {
    "previous_response_id": "resp_1",
    "conversation": "conv_1",
    "prompt": {"id": "pmpt_1"},
    "store": True,
    "background": True,
    "metadata": {"a": "b"},
    "moderation": {"model": "m"},
    "context_management": [{"type": "compaction"}],
}


@pytest.mark.parametrize("name", STATE)
def test_state_that_nobody_examined_is_refused_by_name(name):
    with pytest.raises(Refused) as told:
        facts(asked(**{name: STATE[name]}), unknown_fields=UnknownFields.PASS)
    assert (told.value.code, told.value.param) == ("field-not-permitted", name)


@pytest.mark.parametrize("name", STATE)
def test_a_route_may_permit_it_by_name(name):
    facts(asked(**{name: STATE[name]}), allow_fields=(name,))


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        pytest.param({"input": None}, "field-invalid", "input", id="no-input"),
        pytest.param({"input": []}, "field-invalid", "input", id="empty-input"),
        pytest.param({"input": [[9906, 1917]]}, "field-invalid", "input", id="token-ids"),
        pytest.param({"input": [{"id": "msg_1"}]}, "field-invalid", "input", id="a-reference-without-its-type"),
        pytest.param({"input": [{"role": "tool", "content": "x"}]}, "field-invalid", "input.role", id="role"),
        pytest.param({"input": [{"type": "new", "x": 1}]}, "field-invalid", "input.type", id="unknown-item"),
        pytest.param({"input": [{"type": None, "id": "x"}]}, "field-invalid", "input", id="item-of-type-null"),
        pytest.param({"input": [{**CALL, "x": 1}]}, "field-not-permitted", "input", id="unknown-member"),
        pytest.param({"input": [{**CALL, "arguments": {}}]}, "field-invalid", "input.arguments", id="arguments"),
        pytest.param({"input": [{**CALL, "namespace": "n"}]}, "field-not-permitted", "input.namespace", id="namespace"),
        pytest.param({"input": [{**OUTPUT, "output": {}}]}, "field-invalid", "input.output", id="output"),
        pytest.param(
            {"input": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]},
            "field-invalid",
            "input.content.type",
            id="part-of-chat",
        ),
        pytest.param(
            {"input": [{"role": "system", "content": [{"type": "input_image", "image_url": PNG}]}]},
            "modality-not-permitted",
            "input.content.input_image",
            id="image-in-an-instruction",
        ),
        pytest.param(
            {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "file_1"}]}]},
            "modality-not-permitted",
            "input.content.input_file",
            id="file",
        ),
        pytest.param(
            {"input": [{"type": "reasoning", "id": "rs_1", "summary": []}]},
            "field-not-permitted",
            "input.id",
            id="reasoning-that-the-upstream-keeps",
        ),
        pytest.param(
            {"input": [{"type": "reasoning", "encrypted_content": "gAAA", "summary": []}]},
            "field-not-permitted",
            "input.encrypted_content",
            id="encrypted-reasoning",
        ),
        pytest.param({"tools": [{"type": "retrieval"}]}, "field-invalid", "tools.type", id="tool-type"),
        pytest.param({"tools": [TOOL] * 129}, "field-invalid", "tools", id="too-many-tools"),
        pytest.param({"tools": [{**TOOL, "x": 1}]}, "field-not-permitted", "tools", id="tool-member"),
        pytest.param(
            {"tools": [TOOL], "tool_choice": {"type": "function", "name": "g"}},
            "field-invalid",
            "tool_choice.name",
            id="forced-tool-not-offered",
        ),
        pytest.param(
            {"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "g"}]}},
            "field-invalid",
            "tool_choice.tools.name",
            id="allowed-tool-not-offered",
        ),
        pytest.param({"tool_choice": "shell"}, "field-invalid", "tool_choice", id="tool-choice"),
        pytest.param({"include": ["file_search_call.results"]}, "field-invalid", "include", id="include"),
        pytest.param({"max_output_tokens": 0}, "field-invalid", "max_output_tokens", id="no-tokens"),
        pytest.param({"text": {"format": {"type": "xml"}}}, "field-invalid", "text.format.type", id="format"),
        pytest.param({"messages": []}, "field-not-permitted", None, id="member-of-chat"),
        pytest.param({"Input": "x"}, "field-not-permitted", None, id="other-case"),
        pytest.param({"n": 2}, "field-not-permitted", None, id="choices"),
    ],
)
def test_what_is_not_known_is_refused(changes, code, param):
    with pytest.raises(Refused) as told:
        facts(asked(**changes))
    assert (told.value.code, told.value.param) == (code, param)


@pytest.mark.parametrize("kind", ["web_search", "file_search", "code_interpreter", "mcp", "image_generation", "custom"])
def test_tools_that_the_upstream_runs_are_refused_by_name(kind):
    for changes in ({"tools": [{"type": kind, "name": "x"}]}, {"tool_choice": {"type": kind}}):
        with pytest.raises(Refused) as told:
            facts(asked(**changes), unknown_fields=UnknownFields.PASS)
        assert (told.value.code, told.value.param) == ("field-not-permitted", f"{next(iter(changes))}.{kind}")


@pytest.mark.parametrize(
    "kind", ["item_reference", "compaction", "web_search_call", "computer_call_output", "mcp_call"]
)
def test_items_that_nobody_examines_are_refused_by_name(kind):
    with pytest.raises(Refused) as told:
        facts(asked(input=[{"type": kind, "id": "x"}]), unknown_fields=UnknownFields.PASS)
    assert (told.value.code, told.value.param) == ("field-not-permitted", f"input.{kind}")


IMAGE = {"type": "input_image", "detail": "auto", "image_url": PNG}
SOUND = {"type": "input_audio", "input_audio": {"data": base64.b64encode(b"x").decode(), "format": "wav"}}


@pytest.mark.parametrize(("part", "modality"), [(IMAGE, Modality.IMAGE), (SOUND, Modality.AUDIO)])
def test_what_no_detector_reads_passes_only_where_the_route_says_so(part, modality):
    body = json.dumps(asked(input=[{"role": "user", "content": [part]}])).encode()
    with pytest.raises(Refused, match="modality-not-permitted"):
        read_body(body, route(Dialect.RESPONSES))
    read = read_body(body, route(Dialect.RESPONSES, allow_uncovered=(modality,)))
    assert read.uncovered == ((f"input.*.content.*.{part['type']}", modality.value),)


@pytest.mark.parametrize(
    ("part", "code"),
    [
        ({**IMAGE, "image_url": "https://images.invalid/x.png"}, "remote-url-not-permitted"),
        ({**IMAGE, "file_id": "file_1"}, "field-not-permitted"),
        ({"type": "input_image", "file_id": "file_1"}, "field-invalid"),
    ],
)
def test_an_image_is_in_the_request_itself(part, code):
    with pytest.raises(Refused, match=code):
        facts(asked(input=[{"role": "user", "content": [part]}]), allow_uncovered=(Modality.IMAGE,))
