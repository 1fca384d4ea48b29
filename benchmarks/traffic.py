# SPDX-License-Identifier: Apache-2.0
"""The two ends that are the same for every proxy measured: an inference server of fixed bytes, and clients.

Both run in one process, on a core that no proxy has. They do as little as they can: what they take is part of every
figure.
"""

import asyncio
import json
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

PATH = "/v1/chat/completions"
EVENTS = 64

_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", flags=re.IGNORECASE)
_STREAM = re.compile(rb'"stream": ?true')
_LAST_CHUNK = b"0\r\n\r\n"
# The redacted text is in every answer, so that every answer is changed and not only looked at.
_SENTENCE = "Write to carol.jones@example.com before the end of the week; the rest of this answer is plain words. "


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def request_body(*, stream: bool) -> bytes:
    """Return a chat request of 1 KB."""
    text = "Say in plain words what a reverse proxy is for. " * 19
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": text}]
    return _json({"model": "parrot", "messages": messages, "max_tokens": 256, "stream": stream})


def request(key: str, *, stream: bool, fields: Iterable[tuple[str, str]] = ()) -> bytes:
    body = request_body(stream=stream)
    more = "".join(f"{name}: {value}\r\n" for name, value in fields)
    return (
        b"POST %s HTTP/1.1\r\nHost: gateway.example\r\nContent-Type: application/json\r\n"
        b"Authorization: Bearer %s\r\nAccept: application/json\r\nUser-Agent: bench\r\n%sContent-Length: %d\r\n\r\n"
        % (PATH.encode(), key.encode(), more.encode(), len(body))
    ) + body


def whole_answer() -> bytes:
    """Return an answer with a body of 0.7 KB."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": (_SENTENCE * 5)[:470]},
        "finish_reason": "stop",
    }
    usage = {"prompt_tokens": 210, "completion_tokens": 96, "total_tokens": 306}
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1795000000, "model": "parrot"}
    body = _json({**head, "choices": [choice], "usage": usage})
    fields = b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    return b"HTTP/1.1 200 OK\r\n" + fields + body


def stream_pieces(sentence: str = _SENTENCE) -> list[bytes]:
    """Return a streamed answer, as it is written: the head, an event at a time, the end."""

    def event(content: bytes) -> bytes:
        line = b"data: " + content + b"\n\n"
        return b"%x\r\n%s\r\n" % (len(line), line)

    text = (sentence * 5)[: 6 * (EVENTS - 2)]
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1795000000, "model": "parrot"}
    deltas: list[dict[str, str]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": text[start : start + 6]} for start in range(0, len(text), 6)]
    choices = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    choices.append({"index": 0, "delta": {}, "finish_reason": "stop"})
    events = [event(_json({**head, "choices": [choice]})) for choice in choices]
    fields = b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    return [b"HTTP/1.1 200 OK\r\n" + fields, *events, event(b"[DONE]") + _LAST_CHUNK]


class Upstream(asyncio.Protocol):
    """Answers each request with the same bytes. Events of a stream are written one by one, without pause between."""

    WHOLE = whole_answer()
    STREAM = stream_pieces()

    def connection_made(self, transport) -> None:
        self._transport, self._buffer = transport, b""

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            found = _LENGTH.search(self._buffer, 0, end + 2)
            size = end + 4 + (int(found[1]) if found else 0)
            if len(self._buffer) < size:
                return
            asked, self._buffer = self._buffer[:size], self._buffer[size:]
            if _STREAM.search(asked):
                self._write_rest(0)
            else:
                self._transport.write(self.WHOLE)

    def _write_rest(self, at: int) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(self.STREAM[at])
        if at + 1 < len(self.STREAM):
            asyncio.get_running_loop().call_soon(self._write_rest, at + 1)


@dataclass
class Load:
    """What clients do until `until_ns`, and what they saw: ns to the last byte, and to the first event of a stream."""

    request: bytes
    until_ns: int
    whole_ns: list[int] = field(default_factory=list)
    first_ns: list[int] = field(default_factory=list)
    problem: str = ""


class Client(asyncio.Protocol):
    """One connection, kept alive: asks, waits for the whole answer, asks again."""

    def __init__(self, load: Load) -> None:
        self.closed = asyncio.get_running_loop().create_future()
        self._load = load
        self._buffer = b""
        self._size: int | None = None
        self._first_seen = False

    def connection_made(self, transport) -> None:
        self._transport = transport
        self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._buffer or time.monotonic_ns() < self._load.until_ns:
            self._load.problem = self._load.problem or f"a connection was closed ({exc})"
        self.closed.set_result(None)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._first_seen and b"data:" in self._buffer:
            self._first_seen = True
            self._load.first_ns.append(time.monotonic_ns() - self._asked_ns)
        if self._size is None and not self._read_head():
            return
        if self._buffer.endswith(_LAST_CHUNK) if not self._size else len(self._buffer) >= self._size:
            now_ns = time.monotonic_ns()
            self._load.whole_ns.append(now_ns - self._asked_ns)
            self._buffer = b""
            if now_ns < self._load.until_ns:
                self._ask()
            else:
                self._transport.close()

    def _ask(self) -> None:
        self._size, self._first_seen = None, False
        self._asked_ns = time.monotonic_ns()
        self._transport.write(self._load.request)

    def _read_head(self) -> bool:
        """Note the size of the whole answer, 0 where it is chunked. False until the head is there."""
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        if not self._buffer.startswith(b"HTTP/1.1 200"):
            self._load.problem = f"answered {self._buffer[:600]!r}"
            self._transport.abort()
            return False
        found = _LENGTH.search(self._buffer, 0, end + 2)
        self._size = end + 4 + int(found[1]) if found else 0
        return True


class Failed(Exception):
    """An answer was not a 200, or a connection was closed."""


async def drive(port: int, request: bytes, *, connections: int, seconds: float) -> Load:
    """Keep `connections` busy for `seconds`. Raises Failed where an answer is not a 200, or does not come."""
    load = Load(request, time.monotonic_ns() + int(seconds * 1e9))
    loop = asyncio.get_running_loop()
    clients = [(await loop.create_connection(lambda: Client(load), "127.0.0.1", port))[1] for _ in range(connections)]
    try:
        async with asyncio.timeout(seconds + 10):
            await asyncio.gather(*(client.closed for client in clients))
    except TimeoutError:
        load.problem = load.problem or "an answer did not end within 10 s"
    if load.problem:
        raise Failed(f"port {port}: {load.problem}")
    if not load.whole_ns:
        raise Failed(f"port {port}: no answer in {seconds:g} s")
    return load
