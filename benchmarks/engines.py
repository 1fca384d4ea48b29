# SPDX-License-Identifier: Apache-2.0
"""What one question to each engine costs. Run: `python benchmarks/engines.py [--rounds N]` in the repository root.

Prints the median and the 99th percentile in µs. OPA is skipped, by name, where there is no binary (GATEHOUSE_OPA_BINARY
or `opa` on the PATH).
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

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from policies.contracts.decision import Effect, Mode
from policies.contracts.request import Subject
from policies.contracts.snapshot import AccessPolicy, Grant, PolicySnapshot
from policies.engines.casbin import CasbinAccess
from policies.engines.embedded_rego import EmbeddedGuard
from policies.engines.opa import OpaGuard
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


def report(name: str, taken_ns: list[int]) -> None:
    taken = sorted(taken_ns)
    median, late = statistics.median(taken) / 1000, taken[int(len(taken) * 0.99)] / 1000
    print(f"{name:<44} {median:>10.1f} {late:>10.1f}")


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


async def measure_guard(name: str, ask: Callable[[], Awaitable[object]], rounds: int) -> None:
    for _ in range(20):
        await ask()
    taken = []
    for _ in range(rounds):
        started = time.perf_counter_ns()
        await ask()
        taken.append(time.perf_counter_ns() - started)
    report(name, taken)


async def measure_guards(rounds: int) -> None:
    snapshot, asked = snapshot_of(guard()), request_of(max_tokens=64, roles=("user",))
    embedded = EmbeddedGuard(snapshot, modules=modules_of(snapshot), data=data_of(snapshot), deadline_s=5)
    await measure_guard("embedded rego, 1 guard", lambda: embedded.evaluate(asked, ALLOWED), rounds)
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
        try:
            await measure_guard("opa over a Unix socket, 1 guard", lambda: opa.evaluate(asked, ALLOWED), rounds)
        finally:
            await opa.close()
            process.kill()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1000)
    rounds = parser.parse_args().rounds
    print(f"{'engine':<44} {'median µs':>10} {'p99 µs':>10}")
    for rules in (10, 1000):
        measure_casbin(rules, rounds)
    asyncio.run(measure_guards(rounds))


if __name__ == "__main__":
    main()
