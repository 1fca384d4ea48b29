# SPDX-License-Identifier: Apache-2.0
"""What mutations begin with: well-formed messages, and fragments that parsers have been led astray by."""

import json

from tests.responses import answered, called, spoken, wire
from tests.unit.proxy_addons.harness import CARD, key_of

KEY = key_of("alice")


def _raw(line: str, body: bytes = b"", *fields: str) -> bytes:
    head = [line, "Host: gateway.example", f"Authorization: Bearer {KEY}", "Content-Type: application/json", *fields]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


_CHAT = json.dumps({"model": "parrot", "messages": [{"role": "user", "content": "say it"}], "max_tokens": 8}).encode()
_STREAMED = _CHAT[:-1] + b', "stream": true}'
_PARTS = json.dumps(
    {
        "model": "parrot",
        "messages": [
            {"role": "system", "content": [{"type": "text", "text": "a"}]},
            {"role": "assistant", "content": None, "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
            ]},
            {"role": "tool", "tool_call_id": "c", "content": "b"},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        "response_format": {"type": "json_object"},
        "stop": ["x"],
        "logit_bias": {"1": 2},
    }
).encode()  # fmt: skip
_POST = "POST /v1/chat/completions HTTP/1.1"

REQUESTS = (
    _raw(_POST, _CHAT, f"Content-Length: {len(_CHAT)}"),
    _raw(_POST, _STREAMED, f"Content-Length: {len(_STREAMED)}"),
    _raw(_POST, b"%x\r\n%s\r\n0\r\n\r\n" % (len(_CHAT), _CHAT), "Transfer-Encoding: chunked"),
    _raw(_POST, _PARTS, f"Content-Length: {len(_PARTS)}", "Expect: 100-continue"),
    _raw("GET /v1/models HTTP/1.1"),
    _raw("GET /v1/models HTTP/1.0", b"", "Connection: keep-alive"),
    _raw("GET /v1/models HTTP/1.1") + _raw(_POST, _CHAT, f"Content-Length: {len(_CHAT)}"),
)
BODIES = (_CHAT, _STREAMED, _PARTS)

_HEAD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "parrot"}


def _event(delta: object, finish: str | None = None) -> bytes:
    value = {**_HEAD, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    return b"data: " + json.dumps(value).encode() + b"\n\n"


RESPONSES = tuple(
    wire(*answered(*items))
    for items in (
        [spoken("output_text", ["Pay with 4111 1111 ", "1111 1111", "."])],
        [spoken("summary_text", ["Hm. ", "alice@example"]), spoken("refusal", ["No."], index=1)],
        [called(['{"card": "4111 1111', ' 1111 1111"}'])],
    )
)
STREAMS = (
    _event({"role": "assistant", "content": ""})
    + b"".join(_event({"content": piece}) for piece in (f"card {CARD[:7]}", CARD[7:12], f"{CARD[12:]} end"))
    + _event({}, "stop")
    + b"data: [DONE]\n\n",
    _event({"tool_calls": [{"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": ""}}]})
    + _event({"tool_calls": [{"index": 0, "function": {"arguments": f'{{"card": "{CARD}"}}'}}]})
    + _event({}, "tool_calls")
    + b"data: [DONE]\n\n",
)
ANSWERS = (
    json.dumps(
        {
            **_HEAD,
            "object": "chat.completion",
            "choices": [
                {"index": 0, "message": {"role": "assistant", "content": f"card {CARD}"}, "finish_reason": "stop"}
            ],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        }
    ).encode(),
)
UPSTREAM_ANSWERS = tuple(
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    for body in ANSWERS
) + tuple(
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"
    % (len(stream), stream)
    for stream in STREAMS
)

FRAGMENTS = (
    b"\r\n", b"\n", b"\r", b"\x00", b" ", b"\t", b":", b"\r\n ", b"\r\n\r\n", b"\n\n", b"\xff", b"\xef\xbb\xbf", b"\xc0\xaf",
    b"Content-Length: 0\r\n", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: \x0bchunked\r\n",
    b"Connection: close\r\n", b"Upgrade: h2c\r\n", b"Expect: 100-continue\r\n", b"Host: other\r\n", b"x-api-key: a\r\n",
    b"Content-Encoding: gzip\r\n", b"0\r\n\r\n", b"ffffffffffffffff\r\n", b"1;a=b\r\n", b"HTTP/1.1", b"HTTP/2.0", b"HTTP/1.0",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET http://a/ ", b"//", b"/../", b"%2e%2e", b"\\", b"#", b"?", b";",
    b'"', b"\\", b"\\u0000", b"\\ud800", b"\\udc00", b"\\u2028", b"{", b"}", b"[", b"]", b",", b"null", b"true", b"1e999",
    b"-0", b"NaN", b'"model":"b",', b'"stream":true,', b'"__proto__":', b"data: ", b"data:", b"event: x\n", b": c\n", b"id: 1\n",
    b"data: [DONE]\n\n", b'"error":{}', b'"finish_reason":"stop"', b'"index":1', b'"content":null', b'"refusal":"x"',
    CARD.encode(), CARD[:9].encode(), b"[" * 100, b'{"a":' * 100, b"A: b\r\n" * 40,
)  # fmt: skip
