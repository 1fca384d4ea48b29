# SPDX-License-Identifier: Apache-2.0
"""A secret planted in every string of a request is found there, in the class of its field, and nothing else changes."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from policies.contracts.snapshot import Dialect, FieldClass
from policies.redaction.findings import Tally
from proxy_addons.core.request_shapes import SHAPES
from proxy_addons.core.request_walk import RequestWalk
from tests.redaction import RulesOf
from tests.streams import CARD, EMAIL, rules

CALL = {"id": "call_1", "type": "function", "function": {"name": "send", "arguments": '{"to":"you"}'}}
CHAT: dict[str, Any] = {
    "model": "parrot",
    "messages": [
        {"role": "system", "content": "be brief"},
        {"role": "developer", "content": [{"type": "text", "text": "in German"}], "name": "dev"},
        {"role": "user", "content": [{"type": "text", "text": "hello"}], "name": "me"},
        {"role": "assistant", "content": "hi", "refusal": "no", "reasoning_content": "hm", "tool_calls": [CALL]},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
        {"role": "tool", "content": "done", "tool_call_id": "call_1"},
    ],
    "tools": [{"type": "function", "function": {"name": "send", "description": "sends", "parameters": {"x": ["y"]}}}],
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"enum": ["red"]}}},
    "tool_choice": {"type": "function", "function": {"name": "send"}},
    "stop": ["end"],
    "user": "me",
    "metadata": {"k": "v"},
    "prompt_cache_key": "key",
    "unknown": {"deep": [{"deeper": "text"}]},
}
RESPONSES: dict[str, Any] = {
    "model": "parrot",
    "instructions": "be brief",
    "input": [
        {"role": "user", "content": "hello"},
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "in German"}]},
        {"type": "message", "id": "msg_1", "role": "assistant", "content": [{"type": "output_text", "text": "hi"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}], "content": [{"text": "so"}]},
        {"type": "function_call", "call_id": "call_1", "name": "send", "arguments": '{"to":"you"}'},
        {"type": "function_call_output", "call_id": "call_1", "output": [{"type": "input_text", "text": "done"}]},
    ],
    "tools": [{"type": "function", "name": "send", "description": "sends", "parameters": {"x": ["y"]}}],
    "text": {"format": {"type": "json_schema", "name": "n", "schema": {"enum": ["red"]}}},
    "tool_choice": {"type": "function", "name": "send"},
    "user": "me",
    "unknown": {"deep": [{"deeper": "text"}]},
}
BODIES: dict[Dialect, dict[str, Any]] = {
    Dialect.CHAT: CHAT,
    Dialect.RESPONSES: RESPONSES,
    Dialect.COMPLETIONS: {"model": "m", "prompt": ["one", "two"], "suffix": "end", "stop": "x", "user": "me"},
    Dialect.EMBEDDINGS: {"model": "m", "input": ["one", "two"], "user": "me", "encoding_format": "float"},
    Dialect.TRANSCRIPTIONS: {"model": "m", "prompt": "names", "language": "de"},
}
# What holds words of the protocol, or what was decided on.
WORDS = {"role", "type", "model", "encoding_format"}


def strings(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    match value:
        case str():
            if path[-1] not in WORDS:
                yield path
        case dict():
            for name, item in value.items():
                yield from strings(item, (*path, name))
        case list():
            for place, item in enumerate(value):
                yield from strings(item, (*path, place))


def planted(body: dict[str, Any], path: tuple[Any, ...], secret: str) -> dict[str, Any]:
    body = copy.deepcopy(body)
    at: Any = body
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = json.dumps({"to": secret}) if path[-1] == "arguments" else f"x {secret} y"
    return body


PLACES = [
    pytest.param(dialect, path, id=f"{dialect.value}:{'.'.join(map(str, path))}")
    for dialect, body in BODIES.items()
    for path in strings(body)
]


@pytest.mark.parametrize(("dialect", "path"), PLACES)
@pytest.mark.parametrize("secret", [CARD, EMAIL])
def test_nothing_planted_in_any_string_is_left(dialect, path, secret):
    walk = RequestWalk(rules(), Tally())
    body = planted(BODIES[dialect], path, secret)
    left = walk.value(body, SHAPES[dialect])
    assert secret not in json.dumps(left)
    assert walk.value(BODIES[dialect], SHAPES[dialect]) == BODIES[dialect]


@pytest.mark.parametrize(
    ("path", "want"),
    [
        ("messages.0.content", FieldClass.SYSTEM),
        ("messages.1.content.0.text", FieldClass.DEVELOPER),
        ("messages.2.content.0.text", FieldClass.USER),
        ("messages.3.content", FieldClass.ASSISTANT_TEXT),
        ("messages.3.refusal", FieldClass.REFUSAL),
        ("messages.3.reasoning_content", FieldClass.REASONING),
        ("messages.3.tool_calls.0.function.arguments", FieldClass.TOOL_ARGUMENTS),
        ("messages.3.tool_calls.0.id", FieldClass.OTHER),
        ("messages.4.content.0.refusal", FieldClass.REFUSAL),
        ("messages.5.content", FieldClass.TOOL_RESULT),
        ("messages.2.name", FieldClass.OTHER),
        ("tools.0.function.description", FieldClass.TOOL_SCHEMA),
        ("tools.0.function.parameters.x.0", FieldClass.TOOL_SCHEMA),
        ("tools.0.function.name", FieldClass.TOOL_SCHEMA),
        ("response_format.json_schema.schema.enum.0", FieldClass.TOOL_SCHEMA),
        ("stop.0", FieldClass.OTHER),
        ("user", FieldClass.OTHER),
        ("metadata.k", FieldClass.OTHER),
        ("unknown.deep.0.deeper", FieldClass.OTHER),
    ],
)
def test_a_rule_for_one_class_finds_it_there_and_a_rule_for_all_others_does_not(path, want):
    found_in_its_class_alone(Dialect.CHAT, path, want)


@pytest.mark.parametrize(
    ("path", "want"),
    [
        ("instructions", FieldClass.SYSTEM),
        ("input.0.content", FieldClass.USER),
        ("input.1.content.0.text", FieldClass.DEVELOPER),
        ("input.2.content.0.text", FieldClass.ASSISTANT_TEXT),
        ("input.2.id", FieldClass.OTHER),
        ("input.3.content.0.refusal", FieldClass.REFUSAL),
        ("input.4.summary.0.text", FieldClass.REASONING),
        ("input.4.content.0.text", FieldClass.REASONING),
        ("input.5.arguments", FieldClass.TOOL_ARGUMENTS),
        ("input.5.name", FieldClass.OTHER),
        ("input.6.output.0.text", FieldClass.TOOL_RESULT),
        ("tools.0.description", FieldClass.TOOL_SCHEMA),
        ("tools.0.parameters.x.0", FieldClass.TOOL_SCHEMA),
        ("text.format.schema.enum.0", FieldClass.TOOL_SCHEMA),
        ("user", FieldClass.OTHER),
        ("unknown.deep.0.deeper", FieldClass.OTHER),
    ],
)
def test_the_classes_of_responses(path, want):
    found_in_its_class_alone(Dialect.RESPONSES, path, want)


def found_in_its_class_alone(dialect: Dialect, path: str, want: FieldClass) -> None:
    steps = tuple(int(step) if step.isdigit() else step for step in path.split("."))
    body = planted(BODIES[dialect], steps, EMAIL)
    others = dict.fromkeys(set(FieldClass) - {want}, EMAIL)
    assert EMAIL not in json.dumps(RequestWalk(RulesOf({want: EMAIL}), Tally()).value(body, SHAPES[dialect]))
    assert RequestWalk(RulesOf(others), Tally()).value(body, SHAPES[dialect]) == body


def test_an_input_that_is_a_text_is_the_users():
    active = RulesOf({FieldClass.USER: EMAIL})
    assert EMAIL not in json.dumps(RequestWalk(active, Tally()).value({"input": EMAIL}, SHAPES[Dialect.RESPONSES]))


@pytest.mark.parametrize(
    ("body", "path"),
    [
        pytest.param({"metadata": {EMAIL: "v"}}, ("metadata",), id="of-metadata"),
        pytest.param({"tools": [{"function": {"parameters": {EMAIL: {}}}}]}, ("tools",), id="of-a-schema"),
        pytest.param({"unknown": [{EMAIL: 1}]}, ("unknown",), id="of-what-nobody-knows"),
    ],
)
def test_names_of_members_are_texts(body, path):
    left = RequestWalk(rules(), Tally()).value(body, SHAPES[Dialect.CHAT])
    assert EMAIL not in json.dumps(left)
    assert left.keys() == body.keys()


def test_numbers_long_enough_are_texts():
    left = RequestWalk(rules(), Tally()).value({"seed": 4111111111111111, "n": 4}, SHAPES[Dialect.CHAT])
    assert left == {"seed": "[redacted:payment-card]", "n": 4}


def test_an_escape_in_the_arguments_of_a_past_call_hides_nothing():
    body = planted(CHAT, ("messages", 3, "tool_calls", 0, "function", "arguments"), EMAIL)
    spelled = body["messages"][3]["tool_calls"][0]["function"]
    spelled["arguments"] = spelled["arguments"].replace("@", "\\u0040")
    left = RequestWalk(rules(), Tally()).value(body, SHAPES[Dialect.CHAT])
    arguments = left["messages"][3]["tool_calls"][0]["function"]["arguments"]
    assert json.loads(arguments) == {"to": "[redacted:email]"}


@pytest.mark.parametrize(
    ("part", "why"),
    [
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,QQ==", "detail": "low"}}, "image"),
        ({"type": "input_audio", "input_audio": {"data": "QQ==", "format": "wav"}}, "audio"),
    ],
)
def test_media_of_a_user_is_left_alone_and_said_so(part, why):
    walk = RequestWalk(rules(), Tally())
    body = {"messages": [{"role": "user", "content": [part]}]}
    assert walk.value(body, SHAPES[Dialect.CHAT]) == body
    assert list(walk.left.values()) == [why]


def test_media_of_a_users_input_is_left_alone_and_said_so():
    walk = RequestWalk(rules(), Tally())
    part = {"type": "input_image", "image_url": "data:image/png;base64,QQ==", "detail": "low"}
    found = {"type": "function_call_output", "output": [part]}
    body = {"input": [{"role": "user", "content": [part]}, found]}
    assert walk.value(body, SHAPES[Dialect.RESPONSES]) == body
    assert list(walk.left.values()) == ["image", "image"]


def test_media_that_is_no_users_is_text():
    url = f"data:image/png;base64,{EMAIL}"
    body = {"messages": [{"role": "tool", "content": [{"type": "image_url", "image_url": {"url": url}}]}]}
    assert EMAIL not in json.dumps(RequestWalk(rules(), Tally()).value(body, SHAPES[Dialect.CHAT]))


def parts(*texts: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": text} for text in texts]}]}


def test_what_is_cut_in_two_between_parts_is_found_and_the_parts_become_one():
    walk = RequestWalk(rules(), Tally())
    left = walk.value(parts("card 4111 1111", " 1111 1111", " end"), SHAPES[Dialect.CHAT])
    assert left == parts("card [redacted:payment-card] end")


@pytest.mark.parametrize("texts", [(f"x {EMAIL}", "y"), ("4111 1111", "is no number"), (EMAIL, EMAIL)])
def test_parts_that_have_nothing_between_them_stay_parts_and_count_once(texts):
    tally = Tally()
    left = RequestWalk(rules(), tally).value(parts(*texts), SHAPES[Dialect.CHAT])
    assert left == parts(*(text.replace(EMAIL, "[redacted:email]") for text in texts))
    assert tally.total == sum(text.count(EMAIL) for text in texts)


def test_order_of_members_is_kept_and_paths_end_where_the_clients_names_begin():
    walk = RequestWalk(rules(), Tally())
    body = {"user": "u", "tools": CHAT["tools"], "messages": CHAT["messages"], "model": "m", "secret-name": "x"}
    assert list(walk.value(body, SHAPES[Dialect.CHAT])) == list(body)
    assert walk.left == {"model": "decided-on"}
    assert ("tools.*.function.parameters", FieldClass.TOOL_SCHEMA) in walk.scanned
    assert ("*", FieldClass.OTHER) in walk.scanned
    assert "secret-name" not in json.dumps(list(walk.scanned))


def test_a_rule_is_told_the_path_of_what_it_looks_at():
    active = RulesOf({FieldClass.USER: EMAIL})
    RequestWalk(active, Tally()).value(CHAT, SHAPES[Dialect.CHAT])
    assert (FieldClass.USER, "messages.*.content.*.text") in active.paths
