# SPDX-License-Identifier: Apache-2.0
"""The attack cases that the redaction of answers answers for, by their number in the catalogue of cases.

In each a secret is in the upstream's answer. It does not reach the client, whole or put together from its pieces, and
there is exactly one terminal record. What redaction does not see is a case too, so that the limit is a stated one.
"""

import base64
import json
import re
from typing import Any

import pytest

from policies.contracts.decision import Mode
from policies.contracts.snapshot import RedactionAction, RedactionPolicy, RedactionRule
from policies.detectors.registry import DETECTOR_NAMES
from tests.streams import CARD, EMAIL, KEY, by_length, event, events, said, texts, wire
from tests.unit.proxy_addons.harness import Harness, Told, Upstream, chat, ready_harness

STREAM = [(b"Content-Type", b"text/event-stream")]
SECRET = f"{CARD}, {EMAIL}, {KEY}"
REDACTED = "[redacted:payment-card], [redacted:email], [redacted:aws-access-key]"
END = event(said({}, finish="stop"))
POLICY = RedactionPolicy(
    id="answer-redaction",
    version="1",
    mode=Mode.ENFORCE,
    operations=(),
    models=(),
    rules=(RedactionRule(id="all", detectors=DETECTOR_NAMES, action=RedactionAction.REPLACE),),
)


def harness() -> Harness:
    return ready_harness(redactions=(POLICY,))


async def streamed(body: bytes, *, read: int = 1_000, to: Harness | None = None, **more: Any) -> Told:
    pieces = [body[at : at + read] for at in range(0, len(body), read)]
    return await (to or harness()).send(chat(stream=True), upstream=Upstream(headers=STREAM, pieces=pieces, **more))


async def plain(answer: Any) -> Told:
    body = json.dumps(answer).encode()
    return await harness().send(chat(), upstream=Upstream(pieces=[body]))


def answered(message: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": "c", "choices": [{"index": 0, "message": message, "finish_reason": "stop", **more}]}


def check_no_secret(told: Told) -> None:
    """Check that no secret is in what the client was sent, nor in what it puts together of it."""
    whole = json.loads(told.body) if told.body.startswith(b"{") else None
    shown = [told.body.decode(), *texts([whole] if whole else events(told.body)).values()]
    assert not [secret for secret in (CARD, EMAIL, KEY) for text in shown if secret in text]


def told_text(told: Told, field: str = "choices[0].delta.content") -> str:
    return texts(events(told.body))[field]


def deltas(*pieces: dict[str, Any]) -> bytes:
    return wire(*(event(said(piece)) for piece in pieces), END)


def fragments(text: str, length: int) -> bytes:
    return deltas(
        *({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]} for piece in by_length(text, length))
    )


def alternating(length: int) -> bytes:
    pieces = [event(said({"content": piece}, index=index)) for piece in by_length(SECRET, length) for index in (0, 1)]
    return wire(*pieces, event(said({}, finish="stop"), said({}, index=1, finish="stop")))


ARGUMENTS = "choices[0].delta.tool_calls[0].function.arguments"
ESCAPED = '{"n": "\\u0034111 1111 1111 1111", "to": "alice\\u0040example.com"}'
SPELT = {"content": [{"token": CARD, "bytes": list(CARD.encode()), "top_logprobs": [{"token": EMAIL}]}]}

REDACTED_STREAMS = [
    *[
        pytest.param(deltas(*({"content": piece} for piece in by_length(SECRET, length))), read, {}, id=f"53-{name}")
        for name, length, read in [
            ("one-character-an-event", 1, 1_000),
            ("three-characters-an-event-in-odd-reads", 3, 37),
            ("one-event-in-reads-of-a-byte", 1_000, 1),
            ("two-deltas", 30, 1_000),
        ]
    ],
    pytest.param(
        wire(*(event(said({"content": piece})) for piece in by_length(f"é漢😀{SECRET}", 1)), END),
        1,
        {"choices[0].delta.content": f"é漢😀{REDACTED}"},
        id="53-reads-of-a-byte-within-characters",
    ),
    *[
        pytest.param(alternating(length), 100, {"choices[1].delta.content": REDACTED}, id=f"54-interleaved-by-{length}")
        for length in (1, 5, 100)
    ],
    *[
        pytest.param(
            fragments(ESCAPED, length),
            100,
            {ARGUMENTS: '{"n": "[redacted:payment-card]", "to": "[redacted:email]"}'},
            id=f"55-escapes-in-fragments-of-{length}",
        )
        for length in (1, 3, 7, 100)
    ],
    *[
        pytest.param(
            deltas(*({field: piece} for piece in by_length(SECRET, 3))),
            100,
            {f"choices[0].delta.{field}": REDACTED},
            id=f"56-{field}",
        )
        for field in ("reasoning_content", "thinking", "refusal", "unheard_of")
    ],
    *[
        pytest.param(
            deltas(*({field: {member: piece}} for piece in by_length(SECRET, 3))),
            100,
            {f"choices[0].delta.{field}.{member}": REDACTED},
            id=f"56-{field}-{member}",
        )
        for field, member in (("audio", "transcript"), ("provider_specific_fields", "x"))
    ],
    pytest.param(
        deltas(*({"annotations": [{"type": "url_citation", "title": piece}]} for piece in by_length(SECRET, 3))),
        100,
        {"choices[0].delta.annotations[0].title": REDACTED},
        id="56-annotations",
    ),
    pytest.param(wire(event(said({"content": "x "}, logprobs=SPELT)), END), 100, {}, id="57-log-probabilities"),
    pytest.param(
        deltas({"content": " ".join(CARD.replace(" ", ""))}),
        100,
        {"choices[0].delta.content": "[redacted:payment-card]"},
        id="60-spaced-out-card",
    ),
    pytest.param(
        deltas({"content": 'a\n\ndata: [DONE]\n\nevent: x\ndata: {"choices":[]}\n\n'}, {"content": SECRET}),
        100,
        {"choices[0].delta.content": 'a\n\ndata: [DONE]\n\nevent: x\ndata: {"choices":[]}\n\n' + REDACTED},
        id="61-model-writes-events",
    ),
    pytest.param(
        f": {EMAIL}\nevent: {EMAIL}\nid: {EMAIL}\n\n".encode() + deltas({"content": SECRET}).replace(b"\n", b"\r\n"),
        100,
        {"choices[0].delta.content": REDACTED},
        id="62-comments-and-crlf",
    ),
]

CUT_STREAMS = [
    pytest.param(wire({"error": {"message": f"prompt was: {SECRET}"}}), "upstream-error", id="58-error-in-a-stream"),
    pytest.param(wire(event(said({"content": SECRET})), done=False), "upstream-invalid", id="62-no-done"),
    pytest.param(
        wire(event(said({"content": SECRET})), done=False) + b"data: {" + SECRET.encode() + b"\n\n",
        "upstream-invalid",
        id="62-broken-json",
    ),
    pytest.param(b"data: " + SECRET.encode() * 40_000 + b"\n\n", "upstream-invalid", id="62-event-above-a-megabyte"),
    pytest.param(
        wire(event(said({"content": CARD[:9]}, finish="stop")), event(said({"content": CARD[9:]}))),
        "upstream-invalid",
        id="62-text-goes-on-behind-the-end",
    ),
]

PLAIN = [
    pytest.param({"content": SECRET}, {"content": REDACTED}, id="53-content"),
    pytest.param(
        {"tool_calls": [{"function": {"name": EMAIL, "arguments": ESCAPED}}]},
        {
            "tool_calls": [
                {
                    "function": {
                        "name": "[redacted:email]",
                        "arguments": '{"n": "[redacted:payment-card]", "to": "[redacted:email]"}',
                    }
                }
            ]
        },
        id="55-arguments",
    ),
    pytest.param(
        {"x": [{"y": SECRET}], "audio": {"transcript": EMAIL}},
        {"x": [{"y": REDACTED}], "audio": {"transcript": "[redacted:email]"}},
        id="56-every-field",
    ),
]


@pytest.mark.parametrize(("body", "read", "want"), REDACTED_STREAMS)
async def test_a_streamed_secret_is_redacted(body: bytes, read: int, want: dict[str, str]):
    gate = harness()
    told = await streamed(body, read=read, to=gate)
    check_no_secret(told)
    assert (told.status, told.code, events(told.body)[-1]) == (200, None, "[DONE]")
    assert want.items() <= texts(events(told.body)).items()
    assert [each["kind"] for each in gate.sink.envelopes if each["kind"] != "admission"] == ["terminal"]


@pytest.mark.parametrize(("body", "code"), CUT_STREAMS)
async def test_a_stream_that_cannot_be_examined_is_cut(body: bytes, code: str):
    gate = harness()
    told = await streamed(body, to=gate)
    check_no_secret(told)
    assert (told.status, told.code) == (200, code)
    assert b"[DONE]" not in told.body
    assert [each["kind"] for each in gate.sink.envelopes if each["kind"] != "admission"] == ["terminal"]


async def test_62_an_upstream_that_breaks_off_drops_what_was_held():
    body = wire(event(said({"content": "Well. " + CARD[:9]})), done=False)
    told = await streamed(body, breaks="upstream-timeout")
    assert told.code == "upstream-timeout"
    assert CARD[:4].encode() not in told.body


@pytest.mark.parametrize(("message", "want"), PLAIN)
async def test_a_secret_in_a_plain_answer_is_redacted(message: dict[str, Any], want: dict[str, Any]):
    told = await plain(answered(message))
    check_no_secret(told)
    assert json.loads(told.body) == answered(want)


async def test_57_log_probabilities_of_a_plain_answer_are_dropped():
    told = await plain(answered({"content": "x"}, logprobs=SPELT))
    check_no_secret(told)
    assert json.loads(told.body) == answered({"content": "x"}, logprobs=None)


async def test_58_an_echoed_prompt_is_redacted():
    choice = {"index": 0, "text": f"my mail is {EMAIL}", "logprobs": None, "finish_reason": "stop"}
    told = await harness().send(
        {"model": "parrot", "prompt": f"my mail is {EMAIL}"},
        target=b"/v1/completions",
        upstream=Upstream(pieces=[json.dumps({"choices": [choice]}).encode()]),
    )
    assert json.loads(told.body)["choices"][0]["text"] == "my mail is [redacted:email]"


@pytest.mark.parametrize("status", [400, 401, 404, 422, 429, 500, 503])
async def test_58_the_upstreams_error_text_stays_here(status: int):
    answer = Upstream(status=status, pieces=[json.dumps({"error": {"message": SECRET}}).encode()])
    told = await harness().send(chat(), upstream=answer)
    check_no_secret(told)
    assert told.code in {"upstream-error", "upstream-refused"}


@pytest.mark.parametrize(
    ("hidden", "kind"),
    [
        pytest.param(base64.b64encode(EMAIL.encode()).decode(), "email", id="base64"),
        pytest.param(base64.b64encode(base64.b64encode(KEY.encode())).decode(), "aws-access-key", id="base64-twice"),
        pytest.param(EMAIL.encode().hex(), "email", id="hex"),
        pytest.param("".join(f"&#{ord(each)};" for each in EMAIL), "email", id="entities"),
        pytest.param("".join(f"%{each:02x}" for each in KEY.encode()), "aws-access-key", id="percent-signs"),
        pytest.param(EMAIL.replace("@", "\u200b@\u200b"), "email", id="zero-width"),
        pytest.param(
            "".join(chr(ord(digit) + 0xFEE0) for digit in "4111111111111111"), "payment-card", id="full-width"
        ),
    ],
)
@pytest.mark.parametrize("length", [1, 3, 1_000])
async def test_60_what_is_hidden_is_redacted_with_what_hides_it(hidden: str, kind: str, length: int):
    told = await streamed(deltas(*({"content": piece} for piece in by_length(f"({hidden}) ", length))))
    # The padding of base64 is no part of what it says, and may stay.
    assert re.fullmatch(rf"\(\[redacted:{kind}\](?:PQ)?={{0,2}}\) ", told_text(told))


@pytest.mark.parametrize(
    "spelt",
    [
        pytest.param(CARD[::-1], id="backwards"),
        pytest.param("\n".join(CARD.replace(" ", "")), id="one-character-a-line"),
    ],
)
async def test_60_what_is_spelt_in_another_way_is_not_seen_but_for_disguised_lists(spelt: str):
    told = await streamed(deltas(*({"content": piece} for piece in by_length(f"({spelt}) ", 3))))
    assert told_text(told) == f"({spelt}) "
