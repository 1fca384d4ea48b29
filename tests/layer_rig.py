# SPDX-License-Identifier: Apache-2.0
"""A worker on a free port before a recording upstream, in the test's own event loop, with addons of the test."""

import asyncio
import functools
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mitmproxy import http

from policies.contracts.decision import Decision, Effect
from policies.contracts.snapshot import Dialect, Route
from proxy_addons.core.exchange import EXCHANGE, Exchange
from proxy_addons.http1.bounds import Bounds
from proxy_addons.settings import DataPortTls
from proxy_addons.upstreams_file import UpstreamSettings
from proxy_addons.worker import Cut, new_event_loop, serve

Respond = Callable[["Upstream", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

ALLOW = Decision(effect=Effect.ALLOW, reasons=(), obligations=(), revision="sha256:test")
CHAT = Route(id="chat", policy="routes", method="POST", path="/v1/x", operation="chat", dialect=Dialect.CHAT)


def on_uvloop(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run an asynchronous test on the loop that a worker runs on, whose transports are not asyncio's."""

    @functools.wraps(test)
    def run(*args: object, **fixtures: object) -> None:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(test(*args, **fixtures))

    return run


def exchange_of(flow: http.HTTPFlow) -> Exchange:
    return flow.metadata[EXCHANGE]


class AllowAll:
    """The least that lets a request pass, and a note of every hook with the fault it saw."""

    def __init__(self, *, max_body_bytes: int = 1000, route: Route | None = CHAT) -> None:
        self.seen: list[tuple[str, str | None]] = []
        self.flows: list[http.HTTPFlow] = []
        self._max_body_bytes = max_body_bytes
        self._route = route

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        self.flows.append(flow)
        exchange_of(flow).max_body_bytes = self._max_body_bytes
        exchange_of(flow).route = self._route
        self._note("requestheaders", flow)

    def request(self, flow: http.HTTPFlow) -> None:
        exchange_of(flow).decision = ALLOW
        self._note("request", flow)

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        self._note("responseheaders", flow)

    def error(self, flow: http.HTTPFlow) -> None:
        self._note("error", flow)

    def response(self, flow: http.HTTPFlow) -> None:
        self._note("response", flow)

    def _note(self, hook: str, flow: http.HTTPFlow) -> None:
        self.seen.append((hook, exchange_of(flow).fault))

    @property
    def hooks(self) -> list[str]:
        return [hook for hook, _ in self.seen]


class Shouting:
    """A stream enforcer that can be seen: what it lets pass is in capitals."""

    def __init__(self, *, fails_at: str = "") -> None:
        self.aborted_with: list[str] = []
        self._fails_at = fails_at

    def feed(self, piece: bytes) -> bytes:
        if self._fails_at == "feed":
            raise RuntimeError("feed")
        return piece.upper()

    def finish(self) -> bytes:
        if self._fails_at == "finish":
            raise RuntimeError("finish")
        return b"FINISHED"

    def abort(self, code: str) -> bytes:
        self.aborted_with.append(code)
        return b"ABORTED " + code.encode()


class Streams:
    """Sets one enforcer for every answer."""

    def __init__(self, enforcer: object) -> None:
        self._enforcer = enforcer

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        flow.response.stream = self._enforcer


@dataclass
class Upstream:
    """Records all that reached it."""

    port: int = 0
    received: bytearray = field(default_factory=bytearray)
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    async def read_request(self, reader: asyncio.StreamReader) -> bytes:
        head = await reader.readuntil(b"\r\n\r\n")
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        request = head + await reader.readexactly(length)
        self.received += request
        self.requests.append(request)
        return request


ANSWER = b'HTTP/1.1 200 OK\r\nServer: secret/1\r\nSet-Cookie: a=b\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"ok":true}'


async def answer_each(upstream: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        await upstream.read_request(reader)
        writer.write(ANSWER)
        await writer.drain()


def answering(raw: bytes, *, then_close: bool = False) -> Respond:
    async def respond(upstream: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await upstream.read_request(reader)
            writer.write(raw)
            await writer.drain()
            if then_close:
                return

    return respond


@dataclass(frozen=True)
class Gateway:
    port: int
    upstream: Upstream
    stop: asyncio.Event

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def exchange(self, raw: bytes) -> bytes:
        """Send `raw` on a connection of its own, return all that comes until it is closed."""
        reader, writer = await self.connect()
        try:
            writer.write(raw)
            return await asyncio.wait_for(reader.read(), 10)
        finally:
            writer.close()


@asynccontextmanager
async def gateway(
    addons: Sequence[object],
    respond: Respond = answer_each,
    *,
    bounds: Bounds | None = None,
    upstream_tls: object = None,
    settings: UpstreamSettings | None = None,
    upstream_port: int | None = None,
    tls: DataPortTls | None = None,
    on_certificate: Callable[[str, str], None] | None = None,
    on_cut: Callable[[Cut], None] | None = None,
    upstreams: Mapping[str, UpstreamSettings] | None = None,
) -> AsyncIterator[Gateway]:
    upstream = Upstream()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream.connections += 1
        try:
            await respond(upstream, reader, writer)
        except (OSError, EOFError):
            pass
        finally:
            upstream.closed.set()
            writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=upstream_tls)
    upstream.port = server.sockets[0].getsockname()[1]
    sock = socket.create_server(("127.0.0.1", 0))
    stop, ready = asyncio.Event(), asyncio.Event()
    scheme = "https" if upstream_tls else "http"
    url = f"{scheme}://127.0.0.1:{upstream_port or upstream.port}"
    told = settings or upstream_settings(url)
    if settings is not None:
        told = upstream_settings(url, settings.ca_file, settings.cert_file, settings.key_file, settings.api_key_file)
    serving = asyncio.create_task(
        serve(
            sock=sock,
            addons=addons,
            upstream=told,
            stop=stop,
            ready=ready,
            limits=bounds or Bounds(drain_s=1),
            tls=tls,
            on_certificate=on_certificate,
            on_cut=on_cut,
            upstreams=upstreams,
        ),
    )
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    try:
        yield Gateway(sock.getsockname()[1], upstream, stop)
    finally:
        stop.set()
        await asyncio.wait_for(serving, 10)
        server.close()


def upstream_settings(
    url: str,
    ca_file: Path | None = None,
    cert_file: Path | None = None,
    key_file: Path | None = None,
    api_key_file: Path | None = None,
) -> UpstreamSettings:
    return UpstreamSettings(
        url=url,
        ca_file=ca_file,
        cert_file=cert_file,
        key_file=key_file,
        api_key_file=api_key_file,
    )


def request(
    body: bytes = b'{"a":1}',
    *,
    method: str = "POST",
    path: str = "/v1/x",
    headers: Sequence[str] = (),
    close: bool = True,
) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: gateway.example", "Content-Type: application/json", *headers]
    if close:
        lines.append("Connection: close")
    lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def error_code(answer: bytes) -> str:
    body = answer.partition(b"\r\n\r\n")[2]
    return json.loads(body)["error"]["code"]


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])
