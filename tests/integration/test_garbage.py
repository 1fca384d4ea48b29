# SPDX-License-Identifier: Apache-2.0
"""A request leaves nothing behind that only the garbage collector could find: its rounds stop every other request."""

import asyncio
import gc

import pytest

from tests.layer_rig import AllowAll, gateway, on_uvloop

_REQUESTS = 20
_PARSERS = frozenset({"RequestParser", "_SecondOpinion", "AnswerParser", "HttpRequestParser", "HttpResponseParser"})


@pytest.fixture
def found():
    """Give a function that says what the collector finds since it was asked last."""
    gc.collect()
    gc.disable()

    def look() -> list[str]:
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        gc.set_debug(0)
        names = [type(thing).__name__ for thing in gc.garbage]
        gc.garbage.clear()
        return names

    yield look
    gc.set_debug(0)
    gc.garbage.clear()
    gc.enable()


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(b"GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n", id="no-body"),
        pytest.param(b"POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}", id="length"),
        pytest.param(
            b"POST /v1/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", id="chunks"
        ),
    ],
)
@on_uvloop
async def test_the_layer_leaves_no_parser(asked, found):
    async with gateway([AllowAll()]) as gate:
        reader, writer = await asyncio.open_connection("127.0.0.1", gate.port)

        async def ask(times: int) -> None:
            for _ in range(times):
                writer.write(asked)
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:"))
                await reader.readexactly(length)

        try:
            await ask(3)
            found()
            await ask(_REQUESTS)
            left = found()
        finally:
            writer.close()
            await writer.wait_closed()
    # With asserts on, as in this test and not in a worker, mitmproxy leaves exceptions and what they hold.
    # A gateway of an earlier test may have been left as well, with a parser or two of its own: not one for each request.
    assert sum(name in _PARSERS for name in left) < _REQUESTS
