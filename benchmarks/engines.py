# SPDX-License-Identifier: Apache-2.0
"""What one question to each engine costs. Run: `python benchmarks/engines.py [--rounds N]` in the repository root.

Prints the median, the 99th percentile, and this process's CPU time for each question, in µs. The ways to ask OPA take
turns, on the loop that the worker runs on, so that they meet the same machine. OPA is skipped, by name, where there is
no binary (GATEHOUSE_OPA_BINARY or `opa` on the PATH).
"""

import argparse
import asyncio
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from policies.engines.rego_library import LOADED_IN_ORDER  # first: other libraries bring another allocator

# isort: split
import aiohttp
import uvloop
from opa_client.opa_async import AsyncOpaClient

from policies.contracts.decision import Effect, Mode
from policies.contracts.request import Subject
from policies.contracts.snapshot import AccessPolicy, Grant, PolicySnapshot
from policies.engines.casbin import CasbinAccess
from policies.engines.embedded_rego import EmbeddedGuard
from policies.engines.groups import groups_of
from policies.engines.guard_input import guard_input
from policies.engines.opa import OpaGuard
from policies.engines.reused_guard import reusing
from tests.contract.guards import (
    ALLOWED,
    GUARD_REVISION,
    OpaProcess,
    data_of,
    guard,
    modules_of,
    request_of,
    snapshot_of,
)

MODELS = 20
# What the compiler finds the guard to read.
CAPS_READS = ("access.effect", "request.max_tokens", "request.tools", "subject.groups")


def report(name: str, taken_ns: list[int], cpu_ns: int | None = None) -> None:
    taken = sorted(taken_ns)
    median, late = statistics.median(taken) / 1000, taken[int(len(taken) * 0.99)] / 1000
    cpu = "" if cpu_ns is None else f"{cpu_ns / len(taken) / 1000:>10.1f}"
    print(f"{name:<44} {median:>10.1f} {late:>10.1f} {cpu}")


def casbin_of(rules: int) -> CasbinAccess:
    grants = tuple(
        Grant(
            id=f"g-{number}",
            effect=Effect.ALLOW,
            subjects=(f"user:u{number}",),
            models=(f"m{number % MODELS}",),
            operations=("chat.completions",),
        )
        for number in range(rules - 1)
    )
    staff = Grant(
        id="staff", effect=Effect.ALLOW, subjects=("group:staff",), models=("parrot",), operations=("chat.completions",)
    )
    policy = AccessPolicy(id="access", version="1", mode=Mode.ENFORCE, grants=(*grants, staff))
    return CasbinAccess(
        PolicySnapshot(tenant="default", environment="production", groups={"staff": ("user:alice",)}, access=(policy,)),
    )


def measure_casbin(rules: int, rounds: int) -> None:
    engine = casbin_of(rules)
    asked = request_of()
    engine.evaluate(asked)
    report(f"casbin, {rules} rules, remembered", [timed(lambda: engine.evaluate(asked)) for _ in range(rounds)])
    strangers = [
        replace(asked, subject=Subject(type="user", id=f"s{number}"), resource=replace(asked.resource, id="m3"))
        for number in range(min(rounds, 300))
    ]
    engine.evaluate(strangers.pop())
    report(
        f"casbin, {rules} rules, first time of a subject",
        [timed(lambda asked=asked: engine.evaluate(asked)) for asked in strangers],
    )


def timed(ask: Callable[[], object]) -> int:
    started = time.perf_counter_ns()
    ask()
    return time.perf_counter_ns() - started


Ask = Callable[[], Awaitable[object]]

TURN = 50  # questions that one way asks before the next way does


async def measure_asking(ways: dict[str, Ask], rounds: int) -> None:
    taken: dict[str, list[int]] = {name: [] for name in ways}
    cpu = dict.fromkeys(ways, 0)
    for turn in range(1 + max(1, rounds // TURN)):
        for name, ask in ways.items():
            before = time.process_time_ns()
            for _ in range(TURN):
                started = time.perf_counter_ns()
                await ask()
                if turn:  # the first is for warming up
                    taken[name].append(time.perf_counter_ns() - started)
            cpu[name] += time.process_time_ns() - before if turn else 0
    for name, each in taken.items():
        report(name, each, cpu[name])


class ClientAsItComes(AsyncOpaClient):  # type: ignore[misc]  # opa_client has no types
    """opa-python-client with aiohttp, on the Unix socket and nothing else changed: what ours is measured against."""

    def __init__(self, path: str) -> None:
        super().__init__(retries=0)
        self._path = path

    async def _init_session(self) -> None:
        self._session = aiohttp.ClientSession(connector=aiohttp.UnixConnector(self._path))

    async def ask(self, asked: dict[str, Any]) -> object:
        async with asyncio.timeout(5):
            return await self.query_rule(
                asked, "gatehouse.main.guards", query_params={"strict-builtin-errors": "true", "provenance": "true"}
            )


async def measure_guards(rounds: int) -> None:
    snapshot, asked = snapshot_of(guard()), request_of(max_tokens=64, roles=("user",))
    embedded = EmbeddedGuard(snapshot, modules=modules_of(snapshot), data=data_of(snapshot), deadline_s=5)
    await measure_asking({"embedded rego, 1 guard": lambda: embedded.evaluate(asked, ALLOWED)}, rounds)
    await embedded.close()
    binary = os.environ.get("GATEHOUSE_OPA_BINARY") or shutil.which("opa")
    if binary is None:
        print("opa, 1 guard: no OPA binary")
        return
    with tempfile.TemporaryDirectory() as folder:
        process = OpaProcess(binary=Path(binary), folder=Path(folder))
        process.write(snapshot)
        process.start()
        opa = OpaGuard(snapshot, manifest_revision=GUARD_REVISION, address=str(process.socket), deadline_s=5)
        reused = reusing(opa, replace(snapshot, guards=(replace(snapshot.guards[0], reads=CAPS_READS),)))
        given = guard_input(asked, groups=groups_of(snapshot, asked.subject), access=ALLOWED)
        try:
            async with ClientAsItComes(str(process.socket)) as client:
                ways: dict[str, Ask] = {
                    "opa, opa-python-client with aiohttp": lambda: client.ask(given),
                    "opa, asked": lambda: opa.evaluate(asked, ALLOWED),
                    "opa, reused": lambda: reused.evaluate(asked, ALLOWED),
                }
                await measure_asking(ways, rounds)
        finally:
            await opa.close()
            process.kill()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1000)
    rounds = parser.parse_args().rounds
    if not LOADED_IN_ORDER:
        parser.error("rego-cpp was not loaded first")
    print(f"{'engine':<44} {'median µs':>10} {'p99 µs':>10} {'CPU µs':>10}")
    for rules in (10, 100, 1000, 10_000):
        measure_casbin(rules, rounds)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(measure_guards(rounds))


if __name__ == "__main__":
    main()
