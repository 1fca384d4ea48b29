# SPDX-License-Identifier: Apache-2.0
"""Our HTTP layer alone, as a process to be measured: its addons allow everything and let answers pass unread.

Run by `benchmarks/pipeline.py` as `python -m benchmarks.http_layer PORT UPSTREAM_PORT`.
"""

import asyncio
import socket
import sys

from mitmproxy import http

from proxy_addons.worker import new_event_loop, serve
from tests.layer_rig import ALLOW, exchange_of, upstream_settings


class LetsPass:
    """A StreamEnforcer that enforces nothing."""

    def feed(self, piece: bytes, /) -> bytes:
        return piece

    def finish(self) -> bytes:
        return b""

    def abort(self, code: str, /) -> bytes:
        return b"data: " + code.encode() + b"\n\n"


class Allows:
    def requestheaders(self, flow: http.HTTPFlow) -> None:
        exchange_of(flow).max_body_bytes = 1_000_000

    def request(self, flow: http.HTTPFlow) -> None:
        exchange_of(flow).decision = ALLOW

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        if flow.response.headers.get("content-type") == "text/event-stream":
            flow.response.stream = LetsPass()


async def main(port: int, upstream_port: int) -> None:
    await serve(
        sock=socket.create_server(("127.0.0.1", port)),
        addons=[Allows()],
        upstream=upstream_settings(f"http://127.0.0.1:{upstream_port}"),
        stop=asyncio.Event(),
    )


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(main(int(sys.argv[1]), int(sys.argv[2])))
