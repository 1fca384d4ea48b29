# SPDX-License-Identifier: Apache-2.0
"""Answers that an upstream should never give, by name. A prompt `script: NAME` asks for one, so that every gateway that
passes a prompt on can be tested with them.

Each row of a case asks with its mark after the name, and the answer repeats it, so that a gateway cannot be credited
with an answer of its own.
"""

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

# What must reach no client: it stands wherever an upstream's own text, address or field could leak.
LEAK: Final = b"ochre-heron"
_BIG: Final = 2 * 1024 * 1024

Played: TypeAlias = Sequence[bytes]
Script: TypeAlias = Callable[[str], Played]

# In place of bytes: end the connection with a reset, or take a next request.
RESET: Final = b"\0reset"
KEEP: Final = b"\0keep"


def http(
    body: bytes,
    *,
    status: str = "200 OK",
    media_type: str = "application/json",
    fields: Sequence[str] = (),
    length: str | None = None,
) -> bytes:
    head = [f"HTTP/1.1 {status}", f"Content-Type: {media_type}", *fields]
    head.append(length if length is not None else f"Content-Length: {len(body)}")
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


def chat_answer(text: str, **more: Any) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    whole = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    return json.dumps({**whole, "usage": usage, **more}).encode()


def completion_answer(text: str) -> bytes:
    choice = {"index": 0, "text": text, "finish_reason": "stop", "logprobs": None}
    whole = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m", "choices": [choice]}
    return json.dumps({**whole, "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}).encode()


def _response(*output: dict[str, Any], status: str) -> dict[str, Any]:
    whole = {"id": "resp_1", "object": "response", "created_at": 1, "status": status, "model": "m", "error": None}
    unsaid = dict.fromkeys(("incomplete_details", "instructions", "temperature", "top_p"))
    return {
        **whole,
        **unsaid,
        "output": list(output),
        "tools": [],
        "tool_choice": "auto",
        "parallel_tool_calls": False,
        "metadata": {},
    }


def _message(*parts: dict[str, Any], status: str) -> dict[str, Any]:
    return {"id": "msg_1", "type": "message", "role": "assistant", "status": status, "content": list(parts)}


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def response_answer(text: str) -> bytes:
    return json.dumps(_response(_message(_part(text), status="completed"), status="completed")).encode()


def response_told(text: str) -> Played:
    """Return an ordinary streamed answer of the responses dialect."""
    at = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    half = len(text) // 2
    whole = _message(_part(text), status="completed")
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": _response(status="in_progress")},
        {"type": "response.output_item.added", "output_index": 0, "item": _message(status="in_progress")},
        {"type": "response.content_part.added", **at, "part": _part("")},
        {"type": "response.output_text.delta", **at, "delta": text[:half], "logprobs": []},
        {"type": "response.output_text.delta", **at, "delta": text[half:], "logprobs": []},
        {"type": "response.output_text.done", **at, "text": text, "logprobs": []},
        {"type": "response.content_part.done", **at, "part": _part(text)},
        {"type": "response.output_item.done", "output_index": 0, "item": whole},
        {"type": "response.completed", "response": _response(whole, status="completed")},
    ]
    return stream(
        *(
            f"event: {each['type']}\ndata: {json.dumps({**each, 'sequence_number': number})}\n\n".encode()
            for number, each in enumerate(events)
        )
    )


def event(text: str | None, *, end: bytes = b"\n\n", finish: str | None = None) -> bytes:
    delta = {} if text is None else {"content": text}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    whole = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return b"data: " + json.dumps(whole).encode() + end


_STREAM_HEAD: Final = http(b"", media_type="text/event-stream", length="Transfer-Encoding: chunked")
_LAST_CHUNK: Final = b"0\r\n\r\n"
DONE: Final = b"data: [DONE]\n\n"


def _chunk(content: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(content), content)


def chunked(pieces: Sequence[bytes]) -> list[bytes]:
    """Return each of `pieces` as a chunk, which the upstream writes by itself."""
    return [_chunk(piece) for piece in pieces]


def stream(*events: bytes, ends: bool = True) -> Played:
    """Return a streamed answer, an event in each write."""
    return [_STREAM_HEAD, *map(_chunk, events), *([_LAST_CHUNK] if ends else [])]


def told(text: str) -> Played:
    """Return an ordinary streamed answer."""
    half = len(text) // 2
    return stream(event(text[:half]), event(text[half:]), event(None, finish="stop"), DONE)


_LEAK: Final = LEAK.decode()
_FORGED: Final = '{"choices":[{"index":0,"delta":{"content":"' + _LEAK + '"},"finish_reason":null}]}'


def _failed(status: str, body: bytes) -> Script:
    return lambda _mark: [http(body, status=status)]


def _fields(*fields: str, status: str = "200 OK") -> Script:
    return lambda mark: [http(chat_answer(mark), status=status, fields=fields)]


def _after_text(*events: bytes, ends: bool = True) -> Script:
    return lambda mark: stream(event(mark + " "), *events, ends=ends)


_STACK: Final = b"Traceback: " + LEAK + b" at http://10.0.0.7:8000"

SCRIPTS: Final[Mapping[str, Script]] = {
    # 58
    "error-500": _failed("500 Internal Server Error", _STACK),
    "error-400": _failed("400 Bad Request", json.dumps({"error": {"message": _LEAK, "code": _LEAK}}).encode()),
    "error-404-page": _failed("404 Not Found", b"<html>" + LEAK + b"</html>"),
    "error-429": _failed("429 Too Many Requests", b'{"detail":"' + LEAK + b'"}'),
    "error-reason": _failed(f"503 {_LEAK}", b"{}"),
    "error-event": _after_text(b'data: {"error":{"message":"' + LEAK + b'"}}\n\n'),
    "ok-but-error": _failed("200 OK", b'{"error":{"message":"' + LEAK + b'"}}'),
    "text": lambda _mark: [http(LEAK, media_type="text/plain")],
    # 61
    "content-with-events": lambda mark: [
        *stream(event(f"{mark}\n\ndata: [DONE]\n\ndata: x"), event(" end-of-it"), event(None, finish="stop"), DONE)
    ],
    "named-event": _after_text(b"event: " + LEAK + b"\n" + event(" end-of-it"), event(None, finish="stop"), DONE),
    "id-and-retry": _after_text(
        b"id: " + LEAK + b"\nretry: 1\n" + event(" end-of-it"), event(None, finish="stop"), DONE
    ),
    "after-done": _after_text(event(None, finish="stop"), DONE, b"data: " + _FORGED.encode() + b"\n\n", DONE),
    # 62
    "without-done": _after_text(),
    "reset": lambda mark: [*_after_text(ends=False)(mark), RESET],
    "closed-within-event": lambda mark: [*_after_text(b'data: {"choices":[{"index":0,"delta":{"con', ends=False)(mark)],
    "event-no-json": _after_text(b'data: {"' + LEAK + b"\n\n", DONE),
    "event-no-object": _after_text(b'data: "' + LEAK + b'"\n\n', DONE),
    "comments": _after_text(b": " + LEAK + b"\n\n", event(" end-of-it"), b":\n\n", event(None, finish="stop"), DONE),
    "crlf": lambda mark: stream(
        event(mark, end=b"\r\n\r\n"),
        event(" end-of-it", end=b"\r\n\r\n"),
        event(None, finish="stop", end=b"\r\n\r\n"),
        b"data: [DONE]\r\n\r\n",
    ),
    "endless-event": _after_text(b'data: {"x":"' + LEAK, *([b"x" * 65536] * (_BIG // 65536)), b'"}\n\n', DONE),
    "chunk-garbage": lambda mark: [_STREAM_HEAD, _chunk(event(mark + " ")), b"zz\r\n" + LEAK + b"\r\n"],
    # 63
    "cookies": _fields(f"Set-Cookie: a={_LEAK}", f"Set-Cookie: b={_LEAK}"),
    "server": _fields(f"Server: {_LEAK}", f"Via: {_LEAK}", f"X-Powered-By: {_LEAK}", f"Server-Timing: {_LEAK}"),
    "openai-fields": _fields(f"openai-organization: {_LEAK}", f"x-request-id: {_LEAK}", f"x-ratelimit-reset: {_LEAK}"),
    "redirect": _fields(f"Location: http://{_LEAK}/", status="302 Found"),
    "cross-origin": _fields(f"Access-Control-Allow-Origin: {_LEAK}", f"Refresh: 0; url={_LEAK}", f"Link: <{_LEAK}>"),
    "early-hints": lambda mark: [
        f"HTTP/1.1 103 Early Hints\r\nLink: <{_LEAK}>\r\n\r\n".encode(),
        http(chat_answer(mark)),
    ],
    "switching": lambda _mark: [f"HTTP/1.1 101 Switching\r\nUpgrade: {_LEAK}\r\n\r\n{_LEAK}".encode()],
    "gzip": lambda mark: [http(gzip.compress(chat_answer(mark)), fields=["Content-Encoding: gzip"])],
    "two-lengths": lambda mark: [http(chat_answer(mark) + LEAK, fields=[f"Content-Length: {len(chat_answer(mark))}"])],
    "length-and-chunks": lambda mark: [
        http(_chunk(chat_answer(mark)) + _LAST_CHUNK, fields=["Transfer-Encoding: chunked"])
    ],
    "second-answer": lambda mark: [http(chat_answer(mark)) + http(chat_answer(_LEAK)), KEEP],
    "short": lambda mark: [http(chat_answer(mark), length="Content-Length: 99999")],
    "endless-head": lambda _mark: [b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(40_000))],
}
