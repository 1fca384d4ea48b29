# SPDX-License-Identifier: Apache-2.0
"""What a request costs the whole proxy, beside its HTTP layer alone, bare mitmdump and other gateways, in one run.

    python -m benchmarks.pipeline [--rounds N] [--seconds S] [--peers] [--before CHECKOUT]

Every process of a proxy is on one core; clients, upstream and control plane are on the other. CPU is user plus system
time of all of a proxy's processes. Latency is closed-loop, and what the same clients see without a proxy is taken off.
Compare ratios of one run, not figures of two: `--before` measures the whole proxy of another checkout beside this one.
A proxy of others that fails a scenario is said to fail; one of ours ends the run.
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop

from benchmarks import peers
from benchmarks.control_plane import ASKED_EACH_TIME, EVERYTHING, NO_GUARD
from benchmarks.proxies import (
    LOAD_CORE,
    ROOT,
    Proxy,
    gatehouse,
    http_layer,
    mitmdump,
    opa_binary,
    relay,
    single,
    unused_port,
)
from benchmarks.traffic import EVENTS, Failed, Load, Upstream, drive, request
from tests.signing import ALICE_KEY

NO_PROXY = "no proxy"
BARE = "bare mitmdump"
_WARM_UP_S = 0.4
_SHIPPED_WITHIN_S = 20.0


@dataclass(frozen=True)
class Scenario:
    name: str
    connections: int
    stream: bool
    records: int  # of each request


SCENARIOS = (
    Scenario("1 KB chat, 1 connection", 1, stream=False, records=1),
    Scenario("1 KB chat, 16 connections", 16, stream=False, records=1),
    Scenario(f"stream of {EVENTS} events, 16 connections", 16, stream=True, records=2),
)


@dataclass(frozen=True)
class Round:
    """One measurement. `cpu_us` is by process, a request."""

    requests_s: float
    p50_ms: float
    p99_ms: float
    first_ms: float
    cpu_us: Mapping[str, float]


async def measure(proxy: Proxy, scenario: Scenario, seconds: float) -> tuple[Round, int]:
    before, began = proxy.cpu_s(), time.monotonic()
    load = await _drive(proxy, scenario, seconds)
    took_s, after = time.monotonic() - began, proxy.cpu_s()
    done = len(load.whole_ns)
    cpu_us = {name: (after[name] - before[name]) / done * 1e6 for name in after}
    figures = Round(
        requests_s=done / took_s,
        p50_ms=statistics.median(load.whole_ns) / 1e6,
        p99_ms=sorted(load.whole_ns)[int(done * 0.99)] / 1e6,
        first_ms=statistics.median(load.first_ns) / 1e6 if load.first_ns else 0.0,
        cpu_us=cpu_us,
    )
    return figures, done


async def _drive(proxy: Proxy, scenario: Scenario, seconds: float) -> Load:
    asked = request(ALICE_KEY, stream=scenario.stream, fields=proxy.fields)
    return await drive(proxy.port, asked, connections=scenario.connections, seconds=seconds)


@contextmanager
def proxies(upstream_port: int, *, with_peers: bool, before: Path | None) -> Iterator[list[Proxy]]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gatehouse-bench-")))
        running = [Proxy(NO_PROXY, upstream_port, {})]
        opa = opa_binary()
        if opa is None:
            print("the whole proxy is left out: no OPA binary (`make opa` gets one)")
        else:
            nodes = [
                ("everything, guard reused", EVERYTHING, ROOT),
                ("everything, OPA asked", ASKED_EACH_TIME, ROOT),
                ("no guard", NO_GUARD, ROOT),
            ]
            if before is not None:
                nodes += [(f"before: {name}", snapshot, before) for name, snapshot, _ in nodes]
            for number, (name, snapshot, checkout) in enumerate(nodes):
                node = gatehouse(
                    folder / str(number), name, snapshot, upstream_port=upstream_port, opa=opa, checkout=checkout
                )
                running.append(stack.enter_context(node))
        for name, command in (("HTTP layer alone", http_layer), (BARE, mitmdump), ("bytes relayed", relay)):
            port = unused_port()
            running.append(stack.enter_context(single(name, command(port, upstream_port), port)))
        found = peers.installed() if with_peers else []
        running += [stack.enter_context(peers.running(peer, folder / peer.name, upstream_port)) for peer in found]
        yield running


class Figures:
    """What was measured, by scenario and proxy; and what a proxy of others could not do."""

    def __init__(self, running: Sequence[Proxy]) -> None:
        self.rounds: dict[tuple[str, str], list[Round]] = {}
        self.failed: dict[tuple[str, str], str] = {}
        self.owed_records = dict.fromkeys((proxy.name for proxy in running), 0)

    async def add(self, proxy: Proxy, scenario: Scenario, seconds: float, *, keep: bool) -> None:
        """Measure once. What warms up is not kept. Raises SystemExit where a node of ours fails."""
        at = (scenario.name, proxy.name)
        if at in self.failed:
            return
        try:
            figure, done = await measure(proxy, scenario, seconds)
        except Failed as failed:
            if proxy.control_plane is not None:
                raise SystemExit(str(failed)) from failed
            self.failed[at] = str(failed)
            return
        self.owed_records[proxy.name] += done * scenario.records
        if keep:
            self.rounds.setdefault(at, []).append(figure)


async def run(rounds: int, seconds: float, *, with_peers: bool, before: Path | None) -> None:
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 0)
    with proxies(server.sockets[0].getsockname()[1], with_peers=with_peers, before=before) as running:
        figures = Figures(running)
        for scenario in SCENARIOS:
            for proxy in running:
                await figures.add(proxy, scenario, max(seconds, _WARM_UP_S) if with_peers else _WARM_UP_S, keep=False)
        for _ in range(rounds):
            for scenario in SCENARIOS:
                for proxy in running:
                    await figures.add(proxy, scenario, seconds, keep=True)
        for scenario in SCENARIOS:
            measured = {name: kept for (title, name), kept in figures.rounds.items() if title == scenario.name}
            print_table(scenario, measured)
        for (title, name), problem in figures.failed.items():
            print(f"\n{name} failed at {title}: {problem[:200]}")
        print_memory(running)
        for proxy in running:
            await _require_records(proxy, figures.owed_records[proxy.name])


async def _require_records(proxy: Proxy, owed: int) -> None:
    """Say that every request was recorded, or fail: figures of a proxy that drops records mean nothing."""
    if proxy.control_plane is None:
        return
    deadline = time.monotonic() + _SHIPPED_WITHIN_S
    while proxy.control_plane.records < owed and time.monotonic() < deadline:  # noqa: ASYNC110  # another process counts
        await asyncio.sleep(0.1)
    print(f"{proxy.name}: {proxy.control_plane.records} records arrived of {owed}")
    if proxy.control_plane.records != owed:
        raise SystemExit("records are missing, or too many")


def print_table(scenario: Scenario, figures: Mapping[str, Sequence[Round]]) -> None:
    """Print medians of the rounds; added latency is over the same clients without a proxy."""
    direct = {name: _median(figures[NO_PROXY], name) for name in ("p50_ms", "p99_ms", "first_ms")}
    bare_us = statistics.median(sum(figure.cpu_us.values()) for figure in figures[BARE])
    first = "first event added ms" if scenario.stream else ""
    print(f"\n{scenario.name}")
    print(
        f"{'':<32}{'requests/s':>11}{'CPU µs':>9}{'of bare':>9}{'p50 added ms':>14}{'p99 added ms':>14}  "
        f"{first:<22}CPU µs by process"
    )
    for name, rounds in figures.items():
        cpu_us = {part: statistics.median(figure.cpu_us[part] for figure in rounds) for part in rounds[0].cpu_us}
        total_us = statistics.median(sum(figure.cpu_us.values()) for figure in rounds)
        added = {key: _median(rounds, key) - value for key, value in direct.items()}
        print(
            f"{name:<32}{_median(rounds, 'requests_s'):>11,.0f}{total_us:>9,.0f}{total_us / bare_us:>9.2f}"
            f"{added['p50_ms']:>14.2f}{added['p99_ms']:>14.2f}  "
            f"{format(added['first_ms'], '.2f') if scenario.stream else '':<22}"
            + ", ".join(f"{part} {value:,.0f}" for part, value in cpu_us.items())
        )


def print_memory(running: Sequence[Proxy]) -> None:
    print("\nresident memory after the load, bytes")
    for proxy in running:
        if proxy.processes:
            print(f"{proxy.name:<32}" + ", ".join(f"{part} {size:,}" for part, size in proxy.rss_bytes().items()))


def _median(rounds: Sequence[Round], name: str) -> float:
    return statistics.median(getattr(figure, name) for figure in rounds)


def main(rounds: int = 3, seconds: float = 1.5, *, with_peers: bool = False, before: Path | None = None) -> None:
    os.sched_setaffinity(0, {LOAD_CORE})
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(rounds, seconds, with_peers=with_peers, before=before))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--peers", action="store_true", help="measure other gateways too (make bench-peers)")
    parser.add_argument("--before", type=Path, metavar="CHECKOUT")
    arguments = parser.parse_args()
    main(arguments.rounds, arguments.seconds, with_peers=arguments.peers, before=arguments.before)
