# SPDX-License-Identifier: Apache-2.0
"""However the upstream cut its bytes, what leaves is the same, and no prefix of it ever holds a forbidden span."""

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.contracts.decision import Mode
from policies.contracts.snapshot import Dialect, RedactionAction, RedactionPolicy, RedactionRule
from policies.redaction.engine import Redaction
from policies.redaction.rules import ActiveRules
from proxy_addons.core.sse import SseEnforcer

CARD, EMAIL, KEY = "4111 1111 1111 1111", "alice@example.com", "AKIAIOSFODNN7EXAMPLE"
SECRETS = (CARD, EMAIL, KEY, "4111111111111111", "MIIEvQIBADAN")


def rules(action: RedactionAction = RedactionAction.REPLACE) -> ActiveRules:
    detectors = ("email", "payment-card", "aws-access-key", "private-key-header")
    rule = RedactionRule(id="rule", detectors=detectors, action=action)
    policy = RedactionPolicy(id="policy", version="1", mode=Mode.ENFORCE, operations=(), models=(), rules=(rule,))
    return Redaction.of([policy]).rules_for(["policy"])


def event(delta: dict[str, Any], *, index: int = 0, finish: str | None = None) -> dict[str, Any]:
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return {"id": "c1", "model": "m", "choices": [choice]}


def wire(events: list[dict[str, Any]], *, end: str = "\n", ascii_only: bool = False) -> bytes:
    lines = [json.dumps(each, ensure_ascii=ascii_only) for each in events] + ["[DONE]"]
    return "".join(f"data: {line}{end}{end}" for line in lines).encode()


def said(pieces: list[str], *, index: int = 0, field: str = "content") -> list[dict[str, Any]]:
    return [*(event({field: piece}, index=index) for piece in pieces), event({}, index=index, finish="stop")]


def by_length(text: str, length: int) -> list[str]:
    return [text[at : at + length] for at in range(0, len(text), length)]


def call(arguments: str, **more: Any) -> dict[str, Any]:
    return event({"tool_calls": [{"index": 0, "function": {"arguments": arguments}, **more}]})


TEXT = f"é {CARD}, {EMAIL} {KEY}😀\n-----BEGIN EC PRIVATE KEY-----\nMIIEvQIBADAN\n-----END EC PRIVATE KEY-----\nEnd."
INTERLEAVED = [
    each for pair in zip(said(by_length(TEXT, 17)), said(by_length(TEXT, 17), index=1), strict=True) for each in pair
]

STREAMS = {
    "one-character-an-event": wire(said(list(TEXT[:50]))),
    "one-event": wire(said([TEXT])),
    "seven-characters-an-event-with-crlf": wire(said(by_length(TEXT, 17)), end="\r\n"),
    "carriage-returns-and-escapes": wire(said(by_length(TEXT, 17)), end="\r", ascii_only=True),
    "byte-order-mark-and-comments": b"\xef\xbb\xbf: hello\n\n" + wire(said(by_length(TEXT, 19))),
    "two-choices-interleaved": wire(INTERLEAVED),
    "reasoning": wire(said(by_length(TEXT, 13), field="reasoning_content")),
    "unknown-field": wire(said(by_length(TEXT, 13), field="musings")),
    "tool-call": wire(
        [
            call("", id="call_1", type="function"),
            *(call(piece) for piece in by_length(json.dumps({"to": EMAIL, "card": 4111111111111111}), 4)),
            event({}, finish="tool_calls"),
        ],
    ),
    "tool-call-with-escapes": wire(
        [
            *(call(piece) for piece in by_length('{"n": "\\u0034111 1111 1111 1111"}', 3)),
            event({}, finish="tool_calls"),
        ],
    ),
    "ends-inside-a-card": wire(said(by_length(TEXT + CARD, 16))),
    "ends-without-done": wire(said(by_length(TEXT, 16)))[: -len("data: [DONE]\n\n")],
    "broken-json-at-the-end": wire(said(by_length(TEXT, 16))).replace(b"data: [DONE]", b"data: {"),
}


def leave(pieces: Iterator[bytes] | list[bytes], active: ActiveRules) -> list[bytes]:
    enforcer = SseEnforcer(dialect=Dialect.CHAT, rules=active, request_id="req_1", max_event_bytes=65_536)
    left = [enforcer.feed(piece) for piece in pieces]
    return [*left, enforcer.finish()]


def texts(output: bytes) -> dict[str, str]:
    """What a client has put together for each choice and field, from the complete events of `output`."""
    put: defaultdict[str, str] = defaultdict(str)

    def add(value: Any, path: str) -> None:
        match value:
            case str():
                put[path] += value
            case dict():
                for key, item in value.items():
                    add(item, f"{path}.{key}")
            case list():
                for item in value:
                    add(item, f"{path}[{item.get('index') if isinstance(item, dict) else ''}]")

    for block in output.split(b"\n\n")[:-1]:
        line = block.removeprefix(b"data: ")
        if line != b"[DONE]":
            for choice in json.loads(line).get("choices", []):
                add({key: value for key, value in choice.items() if key != "index"}, str(choice["index"]))
    return put


def check_no_prefix_holds_a_secret(pieces: list[bytes]) -> None:
    output = b""
    for piece in pieces:
        if piece:
            output += piece
            for text in texts(output).values():
                assert not [secret for secret in SECRETS if secret in text]


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS.keys())
def test_same_output_at_every_single_cut(stream: bytes):
    active = rules()
    want = b"".join(leave([stream], active))
    for cut in range(len(stream)):
        assert want == b"".join(leave([stream[:cut], stream[cut:]], active))


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS.keys())
def test_byte_by_byte_no_prefix_holds_a_secret(stream: bytes):
    active = rules()
    pieces = leave([stream[at : at + 1] for at in range(len(stream))], active)
    assert b"".join(leave([stream], active)) == b"".join(pieces)
    check_no_prefix_holds_a_secret(pieces)


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS.keys())
@given(data=st.data())
def test_same_output_at_any_cuts(stream: bytes, data: st.DataObject):
    active = rules()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert b"".join(leave([stream], active)) == b"".join(leave(pieces, active))


@pytest.mark.parametrize("length", range(1, 40))
def test_streamed_text_is_the_redaction_of_the_whole_text(length: int):
    active = rules()
    output = b"".join(leave([wire(said(by_length(TEXT, length)))], active))
    assert active.text(TEXT).text == texts(output)["0.delta.content"]


@pytest.mark.parametrize("length", range(1, 40))
def test_a_block_cuts_before_anything_of_the_finding_left(length: int):
    pieces = leave([wire(said(by_length(TEXT, length)))], rules(RedactionAction.BLOCK))
    output = b"".join(pieces)
    assert b'"code":"answer-blocked"' in output
    assert b"[DONE]" not in output
    assert not [secret for secret in SECRETS if secret[:4].encode() in output and secret in TEXT]
