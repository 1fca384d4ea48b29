# SPDX-License-Identifier: Apache-2.0
"""The official client reads what leaves: plain answers, streams, tool calls put together from a stream, and errors."""

import json

import httpx
import openai
import pytest

from policies.contracts.snapshot import Dialect, RedactionAction
from proxy_addons.core.answers import redact_answer
from proxy_addons.core.sse import SseEnforcer
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
