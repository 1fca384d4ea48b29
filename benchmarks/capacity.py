# SPDX-License-Identifier: Apache-2.0
"""How a node grows: requests a second by one worker and by two, and the memory of connections that wait.

    python -m benchmarks.capacity [--rounds N] [--seconds S] [--idle N]

Two workers have a core each; the load shares those cores, in both rows alike. Rounds are interleaved, medians printed.
"""

import argparse
import asyncio
import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path

import uvloop

from benchmarks.control_plane import EVERYTHING
from benchmarks.proxies import Proxy, gatehouse, opa_binary
from benchmarks.traffic import Upstream, drive, request
from tests.signing import ALICE_KEY

_CONNECTIONS = 64  # the kernel spreads connections over workers by hash: few of them would be spread unevenly
_SETTLE_S = 2.0


async def run(rounds: int, seconds: float, idle: int) -> None:
    opa = opa_binary()
    if opa is None:
        raise SystemExit("no OPA binary (`make opa` gets one)")
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 0)
    upstream_port = server.sockets[0].getsockname()[1]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gatehouse-bench-")))
        nodes = [
            stack.enter_context(
                gatehouse(
                    folder / str(workers), f"{workers} worker(s)", EVERYTHING, upstream_port=upstream_port, opa=opa,
                    workers=workers,
                )
            )
            for workers in (1, 2)
        ]  # fmt: skip
        asked = request(ALICE_KEY, stream=False)
        for node in nodes:
            await drive(node.port, asked, connections=_CONNECTIONS, seconds=1.0)
        rates: dict[str, list[float]] = {node.name: [] for node in nodes}
        for _ in range(rounds):
            for node in nodes:
                load = await drive(node.port, asked, connections=_CONNECTIONS, seconds=seconds)
                rates[node.name].append(len(load.whole_ns) / seconds)
        one, two = (statistics.median(rates[node.name]) for node in nodes)
        print(f"one worker {one:,.0f} requests/s, two workers {two:,.0f}: {two / one:.2f} times")
        await _idle(nodes[0], idle)


async def _idle(node: Proxy, count: int) -> None:
    """Print what `count` connections cost that have each had an answer and are kept open."""
    loop, asked = asyncio.get_running_loop(), request(ALICE_KEY, stream=False)
    before = node.rss_bytes()["worker"]
    kept = []
    for _ in range(count):
        transport, client = await loop.create_connection(_Once, "127.0.0.1", node.port)
        transport.write(asked)
        await client.answered
        kept.append(transport)
    await asyncio.sleep(_SETTLE_S)
    after = node.rss_bytes()["worker"]
    print(f"{count:,} idle connections: {(after - before) / 2**20:.1f} MiB, {(after - before) / count:,.0f} bytes each")
    for transport in kept:
        transport.abort()


class _Once(asyncio.Protocol):
    def __init__(self) -> None:
        self.answered = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:  # noqa: ARG002  # any byte of the answer will do
        if not self.answered.done():
            self.answered.set_result(None)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--idle", type=int, default=1000)
    arguments = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(arguments.rounds, arguments.seconds, arguments.idle))
