# SPDX-License-Identifier: Apache-2.0
"""What Python and the kernel take at the least: every byte is passed on unread, on a connection of its own each way.

Run by `benchmarks/pipeline.py` as `python -m benchmarks.relay PORT UPSTREAM_PORT`.
"""

import asyncio
import sys

import uvloop


class Side(asyncio.Protocol):
    """One side of a relayed connection. A client's side dials the upstream's when its first bytes come."""

    def __init__(self, upstream_port: int, other: "Side | None" = None) -> None:
        self._upstream_port = upstream_port
        self.other = other
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport) -> None:
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's signature
        if self.other is not None and self.other.transport is not None:
            self.other.transport.close()

    def data_received(self, data: bytes) -> None:
        if self.other is not None:
            self.other.transport.write(data)
        else:
            self._dialling = asyncio.get_running_loop().create_task(self._dial(data))

    async def _dial(self, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        _, self.other = await loop.create_connection(lambda: Side(0, self), "127.0.0.1", self._upstream_port)
        self.other.transport.write(data)


async def main(port: int, upstream_port: int) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: Side(upstream_port), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2])))
