# SPDX-License-Identifier: Apache-2.0
"""What a durable record costs: the mode `strict` beside `best-effort`, and beside no record at all, in one run.

    python -m benchmarks.recording [--rounds N] [--seconds S]

Three nodes as in `benchmarks/pipeline.py`, each on the one core for proxies, asked in turn; added latency is over the
node that records nothing. The disk is that of the folder for temporary files.
"""

import argparse
import asyncio
import os
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import uvloop

from benchmarks.control_plane import EVERYTHING
from benchmarks.pipeline import SCENARIOS, Round, Scenario, measure
from benchmarks.proxies import LOAD_CORE, Proxy, gatehouse, opa_binary
from benchmarks.traffic import Upstream
from policies.contracts.recording import LoggingPolicy, RecordsMode

NO_RECORD = "no record"
_WARM_UP_S = 0.4
BEST_EFFORT = replace(
    EVERYTHING,
    logging=(
        LoggingPolicy(
            id="records",
            version="1",
            records=RecordsMode.BEST_EFFORT,
            prompts=None,
            answers=None,
            max_bytes=None,
            operations=(),
            models=(),
            subjects=(),
        ),
    ),
)
NODES = (
    (NO_RECORD, EVERYTHING, "benchmarks.unrecorded"),
    ("best-effort", BEST_EFFORT, "proxy_addons"),
    ("strict", EVERYTHING, "proxy_addons"),
)


async def run(rounds: int, seconds: float) -> None:
    opa = opa_binary()
    if opa is None:
        raise SystemExit("no OPA binary (`make opa` gets one)")
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gatehouse-bench-")))
        nodes = [
            stack.enter_context(
                gatehouse(folder / module / name, name, snapshot, upstream_port=port, opa=opa, module=module)
            )
            for name, snapshot, module in NODES
        ]
        measured: dict[tuple[str, str], list[Round]] = {}
        for number in range(rounds + 1):
            for scenario in SCENARIOS:
                for node in nodes:
                    figures, _ = await measure(node, scenario, seconds if number else _WARM_UP_S)
                    if number:
                        measured.setdefault((scenario.name, node.name), []).append(figures)
        for scenario in SCENARIOS:
            print_table(scenario, nodes, measured)


def print_table(scenario: Scenario, nodes: list[Proxy], measured: dict[tuple[str, str], list[Round]]) -> None:
    """Print of each figure that of the quietest round; what else the machine does makes all of them worse."""

    def least(name: str, figure: str) -> float:
        return min(getattr(each, figure) for each in measured[scenario.name, name])

    print(f"\n{scenario.name}")
    print(f"{'':<14}{'CPU µs':>9}{'p50 ms':>9}{'p99 ms':>9}{'p50 added':>11}{'p99 added':>11}")
    for node in nodes:
        cpu_us = min(sum(each.cpu_us.values()) for each in measured[scenario.name, node.name])
        p50, p99 = least(node.name, "p50_ms"), least(node.name, "p99_ms")
        print(
            f"{node.name:<14}{cpu_us:>9,.0f}{p50:>9.2f}{p99:>9.2f}"
            f"{p50 - least(NO_RECORD, 'p50_ms'):>11.2f}{p99 - least(NO_RECORD, 'p99_ms'):>11.2f}"
        )


def main(rounds: int = 12, seconds: float = 1.0) -> None:
    os.sched_setaffinity(0, {LOAD_CORE})
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(rounds, seconds))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=1.0)
    arguments = parser.parse_args()
    main(arguments.rounds, arguments.seconds)
