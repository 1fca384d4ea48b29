# SPDX-License-Identifier: Apache-2.0
"""Streams at the pace of a model: how late the first event is, and whether any event waits for other people's.

    python -m benchmarks.streams [--streams 16 512] [--seconds S]

Each stream has 64 events, one every 50 ms, each in a write of its own. Clients start spread over the length of one,
and ask again when an answer is complete. A stall is a wait of three intervals, since text may be held back for one,
until the word in it ends.
The node has everything on, with durable records before the first byte, one worker, and all its processes on one core.
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from benchmarks.control_plane import EVERYTHING
from benchmarks.proxies import LOAD_CORE, Proxy, gatehouse, http_layer, opa_binary, single, unused_port
from benchmarks.traffic import EVENTS, Upstream, request, stream_pieces
from tests.signing import ALICE_KEY

INTERVAL_S = 0.05
_END = b"0\r\n\r\n"
_GRACE_S = 15.0


class PacedUpstream(Upstream):
    """Sends the head and the first event at once, then an event every INTERVAL_S.

    Its text has nothing that could become a finding: what is held back for redaction would be late on purpose.
    """

    STREAM = stream_pieces("An answer of plain words, of which nothing has to change before it is read by somebody. ")

    def _write_rest(self, at: int) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(self.STREAM[at])
        if at + 1 < len(self.STREAM):
            loop = asyncio.get_running_loop()
            self._next_s = loop.time() if at == 0 else self._next_s + INTERVAL_S
            loop.call_at(self._next_s, self._write_rest, at + 1)


@dataclass
class Seen:
    """What clients saw: ns to the first event, and ns between two reads of a stream."""

    first_ns: list[int] = field(default_factory=list)
    gaps_ns: list[int] = field(default_factory=list)
    done: int = 0
    problem: str = ""


class PacedClient(asyncio.Protocol):
    """Asks for a stream, again and again until `until_ns`."""

    def __init__(self, seen: Seen, asked: bytes, until_ns: int) -> None:
        self.closed = asyncio.get_running_loop().create_future()
        self._seen, self._asked, self._until_ns = seen, asked, until_ns

    def connection_made(self, transport) -> None:
        self._transport = transport
        self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._tail is not None and not self._seen.problem:
            self._seen.problem = f"a stream was cut ({exc})"
        self.closed.set_result(None)

    def _ask(self) -> None:
        self._asked_ns, self._last_ns, self._tail = time.monotonic_ns(), 0, b""
        self._transport.write(self._asked)

    def data_received(self, data: bytes) -> None:
        now_ns = time.monotonic_ns()
        if self._last_ns:
            self._seen.gaps_ns.append(now_ns - self._last_ns)
        elif b"data:" in data:
            self._seen.first_ns.append(now_ns - self._asked_ns)
        if self._last_ns or b"data:" in data:
            self._last_ns = now_ns
        if data.startswith(b"HTTP/1.1 ") and not data.startswith(b"HTTP/1.1 200"):
            self._seen.problem = f"answered {data[:300]!r}"
            self._transport.abort()
            return
        self._tail = (self._tail + data)[-len(_END) :]
        if self._tail == _END:
            self._seen.done += 1
            self._tail = None
            if now_ns < self._until_ns:
                self._ask()
            else:
                self._transport.close()


async def watch(port: int, streams: int, seconds: float) -> Seen:
    """Keep `streams` streams open for `seconds`. Raises SystemExit where one fails."""
    seen, loop = Seen(), asyncio.get_running_loop()
    asked = request(ALICE_KEY, stream=True)
    until_ns = time.monotonic_ns() + int(seconds * 1e9)
    clients = []
    for _ in range(streams):
        _, client = await loop.create_connection(lambda: PacedClient(seen, asked, until_ns), "127.0.0.1", port)
        clients.append(client)
        await asyncio.sleep(EVENTS * INTERVAL_S / streams)
    async with asyncio.timeout(seconds + EVENTS * INTERVAL_S + _GRACE_S):
        await asyncio.gather(*(client.closed for client in clients))
    if seen.problem:
        raise SystemExit(f"port {port}: {seen.problem}")
    return seen


async def run(counts: list[int], seconds: float) -> None:
    opa = opa_binary()
    if opa is None:
        raise SystemExit("no OPA binary (`make opa` gets one)")
    server = await asyncio.get_running_loop().create_server(PacedUpstream, "127.0.0.1", 0, backlog=1024)
    upstream_port = server.sockets[0].getsockname()[1]
    layer_port = unused_port()
    with (
        tempfile.TemporaryDirectory(prefix="gatehouse-bench-") as folder,
        gatehouse(Path(folder) / "node", "everything", EVERYTHING, upstream_port=upstream_port, opa=opa) as node,
        single("HTTP layer alone", http_layer(layer_port, upstream_port), layer_port) as layer,
    ):
        running = [Proxy("no proxy", upstream_port, {}), layer, node]
        for count in counts:
            print(f"\n{count} streams, {EVENTS} events, one every {INTERVAL_S * 1000:g} ms")
            print(
                f"{'':<20}{'streams done':>13}{'first ms p50':>14}{'p99':>8}{'gap ms p99':>12}{'max':>8}"
                f"{'stalls':>8}{'CPU µs a stream':>17}{'of a core':>11}"
            )
            for proxy in running:
                await watch(proxy.port, min(count, 16), 0.1)
                before, began = sum(proxy.cpu_s().values()), time.monotonic()
                seen = await watch(proxy.port, count, seconds)
                cpu_s, took_s = sum(proxy.cpu_s().values()) - before, time.monotonic() - began
                print(
                    f"{proxy.name:<20}{seen.done:>13,}{statistics.median(seen.first_ns) / 1e6:>14.2f}"
                    f"{_p99(seen.first_ns):>8.2f}{_p99(seen.gaps_ns):>12.1f}{max(seen.gaps_ns) / 1e6:>8.1f}"
                    f"{sum(gap > 3 * INTERVAL_S * 1e9 for gap in seen.gaps_ns):>8}"
                    f"{cpu_s / seen.done * 1e6:>17,.0f}{cpu_s / took_s:>11.0%}",
                    flush=True,
                )


def _p99(values_ns: list[int]) -> float:
    return sorted(values_ns)[int(len(values_ns) * 0.99)] / 1e6


def main(counts: list[int], seconds: float) -> None:
    os.sched_setaffinity(0, {LOAD_CORE})
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(counts, seconds))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, nargs="+", default=[16, 512])
    parser.add_argument("--seconds", type=float, default=10.0)
    arguments = parser.parse_args()
    main(arguments.streams, arguments.seconds)
