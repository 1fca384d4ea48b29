# SPDX-License-Identifier: Apache-2.0
"""A client that closed differs from one that finished sending by what its kernel makes of a byte."""

import asyncio

import pytest

from proxy_addons.http1.reset import watch_for_reset
from tests.layer_rig import on_uvloop


class AsksAtTheEnd(asyncio.Protocol):
    """Sends a byte when the client has sent its last, and watches what becomes of it."""

    def __init__(self, gone):
        self._gone = gone

    def connection_made(self, transport):
        self._transport = transport

    def eof_received(self):
        self._transport.write(b"H")
        watch_for_reset(self._transport, lambda: self._gone.set_result(True))
        return True

    def close(self):
        self._transport.abort()


@pytest.mark.parametrize("leaves", [True, False], ids=["closes", "half-closes"])
@on_uvloop
async def test_only_a_client_that_is_gone_is_noticed(leaves):
    loop = asyncio.get_running_loop()
    gone = loop.create_future()
    asking = AsksAtTheEnd(gone)
    server = await loop.create_server(lambda: asking, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    if leaves:
        writer.close()
        await asyncio.wait_for(gone, 1)
    else:
        writer.write_eof()
        assert await reader.readexactly(1) == b"H"
        await asyncio.sleep(0.1)
        assert not gone.done()
        writer.close()
    asking.close()
    server.close()
    await asyncio.sleep(0)


class FakeTransport:
    def __init__(self, *, closing=False):
        self.looks, self._closing = 0, closing

    def is_closing(self):
        return self._closing

    def get_extra_info(self, name):
        return self

    def getsockopt(self, *_):
        self.looks += 1
        return 0


async def test_it_looks_a_few_times_and_no_more(monkeypatch):
    monkeypatch.setattr("proxy_addons.http1.reset._LAST_LOOK_S", 0.008)
    transport = FakeTransport()
    watch_for_reset(transport, lambda: pytest.fail("nobody is gone"), 0.001)
    await asyncio.sleep(0.1)
    assert transport.looks == 4


async def test_a_closed_connection_is_not_looked_at():
    transport = FakeTransport(closing=True)
    watch_for_reset(transport, lambda: None, 0.001)
    await asyncio.sleep(0.02)
    assert transport.looks == 0
