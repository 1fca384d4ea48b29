# SPDX-License-Identifier: Apache-2.0
"""The two ends: an upstream that notes which markers reached it and answers with a card number, and raw clients."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.soak.kinds import CARD

_MARKER = re.compile(rb"m-[0-9]+-")
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", flags=re.IGNORECASE)
_EVENTS = 12
_EVENT_S = 0.005


@asynccontextmanager
async def marking_upstream() -> AsyncIterator[tuple[str, set[bytes]]]:
    """Serve MarkingUpstreams at the origin given, beside the markers that arrived. Leaves no connection open."""
    arrived: set[bytes] = set()
    transports: set[asyncio.Transport] = set()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: MarkingUpstream(arrived, transports), "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", arrived
    finally:
        server.close()
        for transport in tuple(transports):
            transport.abort()
        await server.wait_closed()
        while transports:
            await asyncio.sleep(0)


class MarkingUpstream(asyncio.Protocol):
    """Answers chat requests, plain or streamed. `arrived` gets the marker of every request of which a byte came."""

    def __init__(self, arrived: set[bytes], transports: set[asyncio.Transport]) -> None:
        self._arrived, self._transports = arrived, transports

    def connection_made(self, transport) -> None:
        self._transport, self._buffer = transport, b""
        self._transports.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:  # asyncio's signature
        self._transports.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._arrived.update(_MARKER.findall(self._buffer))
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            found = _LENGTH.search(self._buffer, 0, end + 2)
            size = end + 4 + (int(found[1]) if found else 0)
            if len(self._buffer) < size:
                return
            asked, self._buffer = self._buffer[:size], self._buffer[size:]
            if b'"stream":true' in asked:
                self._stream(0)
            else:
                self._transport.write(_plain())

    def _stream(self, at: int) -> None:
        if self._transport.is_closing():
            return
        if at == 0:
            head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
            self._transport.write(head)
        if at < _EVENTS:
            # The card is cut over events, so that no event alone holds it.
            text = f"card {CARD} end "
            part = text[len(text) * at // _EVENTS : len(text) * (at + 1) // _EVENTS]
            self._event(_chunk({"content": part}, finish=None))
            asyncio.get_running_loop().call_later(_EVENT_S, self._stream, at + 1)
            return
        self._event(_chunk({}, finish="stop"))
        self._event(b"[DONE]")
        self._transport.write(b"0\r\n\r\n")

    def _event(self, content: bytes) -> None:
        line = b"data: " + content + b"\n\n"
        self._transport.write(b"%x\r\n%s\r\n" % (len(line), line))


def _plain() -> bytes:
    message = {"role": "assistant", "content": f"card {CARD} end"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "parrot"}
    body = json.dumps({**head, "choices": [choice], "usage": usage}).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def _chunk(delta: dict[str, str], *, finish: str | None) -> bytes:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "parrot"}
    return json.dumps({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}).encode()


@dataclass(frozen=True)
class Answer:
    """What a client read. `whole` is false where the connection ended first."""

    status: int
    request_id: str
    code: str | None
    text: str
    whole: bool


async def ask(port: int, raw: bytes, *, within_s: float) -> Answer | None:
    """Return the answer to `raw` on a connection of its own; None where there was no head of one."""
    try:
        async with asyncio.timeout(within_s):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(raw)
                return await _read(reader)
            finally:
                writer.close()
    except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return None


async def _read(reader: asyncio.StreamReader) -> Answer:
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    request_id = re.findall(rb"x-request-id: (\S+)", head)[0].decode()
    content, whole = b"", True
    try:
        if found := _LENGTH.search(head):
            content = await reader.readexactly(int(found[1]))
        else:
            while size := int(await reader.readuntil(b"\r\n"), 16):
                content += (await reader.readexactly(size + 2))[:-2]
            await reader.readexactly(2)
    except (OSError, asyncio.IncompleteReadError, ValueError):
        whole = False
    return _answer(status, request_id, content, whole=whole)


def _answer(status: int, request_id: str, content: bytes, *, whole: bool) -> Answer:
    if not content.startswith(b"data: "):
        told = json.loads(content) if whole and content else {}
        code = told.get("error", {}).get("code")
        return Answer(status, request_id, code, content.decode(errors="replace"), whole)
    events = [json.loads(line[6:]) for line in content.split(b"\n\n") if line.startswith(b"data: {")]
    code = next((event["error"]["code"] for event in events if "error" in event), None)
    deltas = (choice["delta"].get("content") or "" for event in events for choice in event.get("choices", ()))
    return Answer(status, request_id, code, "".join(deltas), whole and (code is not None or b"[DONE]" in content))
