# SPDX-License-Identifier: Apache-2.0
import asyncio

import pytest

from proxy_addons.node import posture_probe
from proxy_addons.node.posture_probe import models_request, said, status_of
from tests.posture_servers import answer, saying


@pytest.mark.parametrize(("says", "want"), [(answer(204), 204), (b"SSH-2.0-x\r\n", None), (b"", None)])
async def test_the_status_is_read_where_there_is_one(says, want):
    async with saying(says) as (port, _):
        assert await status_of("127.0.0.1", port, models_request("a"), tls=None) == want


async def test_no_more_is_read_than_it_takes():
    async with saying(b"x" * 100_000) as (port, _):
        assert len(await said("127.0.0.1", port, b"?", tls=None)) <= 4096


async def test_a_server_that_says_nothing_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(posture_probe, "_WITHIN_S", 0.05)
    hold = asyncio.Event()

    async def serve(_reader, writer):
        await hold.wait()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    with pytest.raises(TimeoutError):
        await said("127.0.0.1", server.sockets[0].getsockname()[1], b"?", tls=None)
    hold.set()
    server.close()
    await server.wait_closed()
