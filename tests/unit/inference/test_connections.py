# SPDX-License-Identifier: Apache-2.0
"""Hostile connections against a server on a real socket, with bounds small enough to be reached."""

import asyncio
import contextlib
import json

import pytest

from inference.connections import Bounds
from inference.server import Server
from inference.sockets import bind_tcp

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def hello(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@contextlib.asynccontextmanager
async def serving(**bounds):
    """Gives a function that connects."""
    listener = bind_tcp("127.0.0.1", 0, options="test")
    port = listener.getsockname()[1]
    server = Server(hello, None, bounds=Bounds(**bounds))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    opened = []

    async def connect():
        opened.append(await asyncio.open_connection("127.0.0.1", port))
        return opened[-1]

    try:
        while not server.started:
            await asyncio.sleep(0)
        yield connect
    finally:
        for _, writer in opened:
            writer.close()
        server.should_exit = True
        await task


async def answer(reader) -> bytes:
    """One whole answer, whose body is `ok`."""
    head = await reader.readuntil(b"\r\n\r\n")
    return head.split(b"\r\n")[0] + await reader.readexactly(2)


async def is_closed(reader) -> bool:
    try:
        return await asyncio.wait_for(reader.read(), 30) == b""
    except ConnectionResetError:
        return True


async def test_a_connection_beyond_the_bound_is_closed_and_the_others_are_served():
    async with serving(connections=3) as connect:
        held = [await connect() for _ in range(3)]
        for _ in range(20):
            reader, _ = await connect()
            assert await is_closed(reader)
        reader, writer = held[0]
        writer.write(REQUEST)
        assert await answer(reader) == b"HTTP/1.1 200 OKok"
        held[1][1].close()
        await asyncio.sleep(0.05)
        reader, writer = await connect()
        writer.write(REQUEST)
        assert await answer(reader) == b"HTTP/1.1 200 OKok"


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost:"], ids=["silent", "half-a-head"])
async def test_a_connection_without_a_whole_head_is_closed(sent):
    async with serving(head_s=0.1) as connect:
        reader, writer = await connect()
        writer.write(sent)
        assert await is_closed(reader)


async def test_half_a_head_behind_an_answer_is_closed_too():
    async with serving(head_s=0.1) as connect:
        reader, writer = await connect()
        writer.write(REQUEST)
        await answer(reader)
        writer.write(b"GET /")
        assert await is_closed(reader)


async def test_a_connection_between_two_requests_is_kept():
    async with serving(head_s=0.1) as connect:
        reader, writer = await connect()
        for _ in range(3):
            writer.write(REQUEST)
            assert await answer(reader) == b"HTTP/1.1 200 OKok"
            await asyncio.sleep(0.2)


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00", id="tls-without-tls"),
        pytest.param(b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(100_000)), id="header-flood"),
        pytest.param(b"GET / HTTP/1.1\r\nX: " + b"a" * 1_000_000, id="one-endless-header"),
        pytest.param(b"GET /" + b"a" * 1_000_000, id="an-endless-path"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", id="no-number-for-a-length"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", id="two-lengths"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\x00\r\n\r\n", id="a-null-in-a-header"),
    ],
)
async def test_bytes_that_are_no_request_are_refused_in_our_shape(sent):
    async with serving() as connect:
        reader, writer = await connect()
        writer.write(sent)
        with contextlib.suppress(ConnectionResetError):  # what was still being sent when the answer was written
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 400 ")
            assert json.loads(body)["error"]["code"] == "invalid_http"
            assert b"server:" not in head.lower()
