# SPDX-License-Identifier: Apache-2.0
"""The official client reads what leaves: plain answers, streams, tool calls put together from a stream, and errors."""

import json

import httpx
import openai
import pytest

from policies.contracts.snapshot import Dialect, RedactionAction
from proxy_addons.core.answers import redact_answer
from proxy_addons.core.responses_answer import redact_response
from proxy_addons.core.sse import SseEnforcer
from tests import responses
from tests.streams import CARD, EMAIL, by_length, event, left, rules, said, stream, wire

SECRET, REDACTED = f"Pay with {CARD}, {EMAIL}.", "Pay with [redacted:payment-card], [redacted:email]."
USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
ASKED = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def client(content: bytes, content_type: str) -> openai.OpenAI:
    """Return a client whose every request is answered with `content`."""
    answer = httpx.Response(200, headers={"Content-Type": content_type}, content=content)
    transport = httpx.MockTransport(lambda _: answer)
    return openai.OpenAI(
        api_key="k", base_url="http://gateway.invalid/v1", max_retries=0, http_client=httpx.Client(transport=transport)
    )


def streaming(sent: bytes, enforcer: SseEnforcer | None = None) -> openai.OpenAI:
    pieces = [sent[at : at + 90] for at in range(0, len(sent), 90)]
    return client(b"".join(left(pieces, enforcer or stream())), "text/event-stream")


def test_a_plain_answer():
    call = {"id": "call_1", "type": "function", "function": {"name": "pay", "arguments": json.dumps({"card": CARD})}}
    message = {"role": "assistant", "content": SECRET, "tool_calls": [call]}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": {"content": []}}
    body = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": USAGE}
    left_of_it = redact_answer(json.dumps(body).encode(), dialect=Dialect.CHAT, rules=rules(), max_bytes=10_000)
    got = client(left_of_it.body, "application/json").chat.completions.create(**ASKED)
    assert got.choices[0].message.content == REDACTED
    assert json.loads(got.choices[0].message.tool_calls[0].function.arguments) == {"card": "[redacted:payment-card]"}
    assert got.usage.model_dump(exclude_none=True) == USAGE


@pytest.mark.parametrize("length", [1, 3, 100])
def test_a_stream_is_put_together_by_the_client(length):
    arguments = json.dumps({"card": CARD, "days": [1, 2]}, separators=(", ", ": "))
    first = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "pay", "arguments": ""}}
    pieces = [{"index": 0, "function": {"arguments": piece}} for piece in by_length(arguments, length)]
    sent = wire(
        event(said({"role": "assistant", "content": ""})),
        *(event(said({"content": piece})) for piece in by_length(SECRET, length)),
        *(event(said({"tool_calls": [piece]})) for piece in [first, *pieces]),
        event(said({}, finish="tool_calls")),
        event(usage=USAGE),
    )
    with streaming(sent).chat.completions.stream(**ASKED) as answer:
        got = answer.get_final_completion()
    (choice,) = got.choices
    assert (choice.message.role, choice.message.content, choice.finish_reason) == ("assistant", REDACTED, "tool_calls")
    (call,) = choice.message.tool_calls
    assert (call.id, call.type, call.function.name) == ("call_1", "function", "pay")
    assert json.loads(call.function.arguments) == {"card": "[redacted:payment-card]", "days": [1, 2]}
    assert got.usage.total_tokens == USAGE["total_tokens"]


def test_every_event_of_a_stream_is_a_chunk():
    sent = wire(*(event(said({"content": piece})) for piece in by_length(SECRET, 4)), event(said({}, finish="stop")))
    chunks = list(streaming(sent).chat.completions.create(**ASKED, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == REDACTED
    assert {(chunk.id, chunk.object, chunk.created, chunk.model) for chunk in chunks} == {
        ("chatcmpl-1", "chat.completion.chunk", 1, "m")
    }


def test_a_legacy_stream():
    pieces = [
        event({"index": 0, "text": piece, "logprobs": None, "finish_reason": None}) for piece in by_length(SECRET, 4)
    ]
    sent = wire(*pieces, event({"index": 0, "text": "", "logprobs": None, "finish_reason": "stop"}))
    chunks = streaming(sent, stream(dialect=Dialect.COMPLETIONS)).completions.create(model="m", prompt="x", stream=True)
    assert "".join(chunk.choices[0].text for chunk in chunks) == REDACTED


WELL = event(said({"content": "Well. "}))


@pytest.mark.parametrize(
    ("action", "sent", "code"),
    [
        (RedactionAction.BLOCK, wire(WELL, event(said({"content": f"{SECRET} Bye."}))), "answer-blocked"),
        (RedactionAction.REPLACE, wire(WELL, done=False), "upstream-invalid"),
        (RedactionAction.REPLACE, wire(WELL, {"error": {}}), "upstream-error"),
    ],
)
def test_a_cut_is_an_error_of_the_client(action, sent, code):
    read: list[str] = []
    chunks = streaming(sent, stream(rules(action))).chat.completions.create(**ASKED, stream=True)
    with pytest.raises(openai.APIError) as told:
        read.extend(chunk.choices[0].delta.content for chunk in chunks)
    assert told.value.code == code
    assert read == ["Well. "]


RESPONSE = [
    responses.spoken("summary_text", by_length(SECRET, 5)),
    responses.spoken("output_text", by_length(SECRET, 4), index=1),
    responses.called(by_length(json.dumps({"card": CARD}), 3), index=2),
]


def responding(sent: bytes, action: RedactionAction = RedactionAction.REPLACE) -> openai.OpenAI:
    pieces = [sent[at : at + 90] for at in range(0, len(sent), 90)]
    return client(responses.left(pieces, responses.stream(rules(action))), "text/event-stream")


def check_response(got: openai.types.responses.Response) -> None:
    thought, _, call = got.output
    assert got.output_text == REDACTED
    assert thought.summary[0].text == REDACTED
    assert (call.name, json.loads(call.arguments)) == ("pay", {"card": "[redacted:payment-card]"})


def test_a_response():
    body = json.dumps(responses.answered(*RESPONSE)[-1]["response"]).encode()
    left_of_it = redact_response(body, rules=rules(), max_bytes=10_000).body
    check_response(client(left_of_it, "application/json").responses.create(model="m", input="hi"))


def test_a_streamed_response_is_put_together_by_the_client():
    sent = responses.wire(*responses.answered(*RESPONSE))
    with responding(sent).responses.stream(model="m", input="hi") as answer:
        said = "".join(event.delta for event in answer if event.type == "response.output_text.delta")
        check_response(answer.get_final_response())
    assert said == REDACTED


def test_every_event_of_a_streamed_response_is_known_to_the_client():
    sent = responses.wire(*responses.answered(*RESPONSE))
    told = list(responding(sent).responses.create(model="m", input="hi", stream=True))
    assert [event.sequence_number for event in told] == list(range(len(told)))
    check_response(told[-1].response)


@pytest.mark.parametrize(
    ("action", "more", "code"),
    [
        (RedactionAction.BLOCK, responses.answered(*RESPONSE[1:])[2:], "answer-blocked"),
        (RedactionAction.REPLACE, [], "upstream-invalid"),
        (RedactionAction.REPLACE, [{"type": "error", "message": SECRET}], "upstream-error"),
        (RedactionAction.REPLACE, [{"type": "response.failed", "response": responses.response()}], "upstream-error"),
    ],
)
def test_a_cut_of_a_response_is_an_error_of_the_client(action, more, code):
    begun = responses.answered(responses.spoken("output_text", ["Well. "]))[:5]
    moved = [
        {**event, "output_index": event["output_index"] + 1} if "output_index" in event else event for event in more
    ]
    read: list[str] = []
    events = responding(responses.wire(*begun, *moved), action).responses.create(model="m", input="hi", stream=True)
    with pytest.raises(openai.APIError) as told:
        read.extend(event.delta for event in events if event.type == "response.output_text.delta")
    assert told.value.code == code
    assert read[0] == "Well. "
