# SPDX-License-Identifier: Apache-2.0
"""Servers that say one thing to everybody, over real sockets."""

import asyncio
import contextlib


@contextlib.asynccontextmanager
async def saying(answer, *, tls=None):
    """Listen on a port of 127.0.0.1 and say `answer` to whoever asks; give the port and what was asked."""
    asked = []

    async def serve(reader, writer):
        with contextlib.suppress(OSError):
            asked.append(await reader.read(4096))
            writer.write(answer)
            await writer.drain()
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1], asked
    finally:
        server.close()
        await server.wait_closed()


def answer(status):
    return f"HTTP/1.1 {status} Whatever\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
