# SPDX-License-Identifier: Apache-2.0
"""How soon every worker of a node enforces what was changed, under load, and whether a request noticed the change.

    python -m benchmarks.changes [--changes 200] [--workers 4] [--keys 10000] [--rate 60] [--database URL|private]

A control plane, a node and OPA as processes. Releases that answer differently are activated in turns, then API keys
are revoked one by one. Of each change: until the API says that every worker has it, and until each worker was seen to
enforce it by a client, on a connection of its own. Clients ask all the while; afterwards what each was told is compared
with its record, which names one serial, and with what the policy of that serial says.
"""

import argparse
import asyncio
import math
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.live_clients import LIST, Clients, Pins, decisions, problems_of
from benchmarks.live_gatehouse import RELEASES, SAID, Gatehouse, running
from benchmarks.proxies import opa_binary
from tests.databases import postgres_binaries, private_postgres

_CHANGE_EVERY_S = 0.2
_UNAUTHORIZED = 401
_OK = 200


@dataclass
class Latencies:
    """In seconds, from the POST of an activation, or from the answer that a key is revoked."""

    answered: list[float] = field(default_factory=list)
    acknowledged: list[float] = field(default_factory=list)
    first_worker: list[float] = field(default_factory=list)
    last_worker: list[float] = field(default_factory=list)


@dataclass
class Outcome:
    activations: Latencies
    revocations: Latencies
    asked: int
    problems: list[str]


async def activations(
    gatehouse: Gatehouse, pins: Pins, releases: dict[str, str], count: int
) -> tuple[Latencies, dict[int, str]]:
    """Activate the releases in turns. Return how long each took, and which release each serial is."""
    took, serials = Latencies(), {}
    for number in range(count):
        name = RELEASES[number % 2]
        began = time.monotonic()
        seen = asyncio.create_task(pins.until(lambda told, name=name: told.said == SAID[name], key=pins.key))
        made = await gatehouse.activate(releases[name])
        took.answered.append(time.monotonic() - began)
        serials[made["serial"]] = name
        await gatehouse.active(made["id"])
        took.acknowledged.append(time.monotonic() - began)
        enforced = [at - began for at in await seen]
        took.first_worker.append(min(enforced))
        took.last_worker.append(max(enforced))
        await asyncio.sleep(_CHANGE_EVERY_S)
    return took, serials


async def revocations(gatehouse: Gatehouse, pins: Pins, count: int) -> Latencies:
    """Revoke keys, each of which every worker has let in just before."""
    took = Latencies()
    for key in gatehouse.keys[1 : count + 1]:
        before = await pins.once(LIST, key.text)
        if any(told.status != _OK for told in before):
            raise SystemExit(f"a key that holds was refused: {before}")
        began = time.monotonic()
        await gatehouse.expect(204, "DELETE", f"/v1/api-keys/{key.id}", "admin")
        answered = time.monotonic()
        took.answered.append(answered - began)
        refused = [
            at - answered
            for at in await pins.until(lambda told: told.status == _UNAUTHORIZED, question=LIST, key=key.text)
        ]
        took.first_worker.append(min(refused))
        took.last_worker.append(max(refused))
        await gatehouse.revocations_enforced()
        took.acknowledged.append(time.monotonic() - answered)
    return took


async def measure(
    folder: Path,
    *,
    changes: int,
    workers: int,
    keys: int,
    rate: float,
    opa: Path | None,
    database: str | None = None,
) -> Outcome:
    async with running(folder, workers=workers, keys=keys, opa=opa, database=database) as gatehouse:
        releases = await gatehouse.make_releases()
        first = await gatehouse.activate(releases["b"])
        await gatehouse.active(first["id"])
        await _until_workers_serve(gatehouse, workers, first["serial"])
        key = gatehouse.keys[0].text
        clients, pins = Clients(gatehouse, key, rate), Pins(gatehouse, key)
        await pins.open(workers)
        asking = asyncio.create_task(clients.run())
        try:
            activated, serials = await activations(gatehouse, pins, releases, changes)
            revoked = await revocations(gatehouse, pins, changes)
            await pins.check()
        finally:
            clients.stopped.set()
            await asking
            await pins.close()
        log = clients.log + pins.log
        recorded = await decisions(gatehouse, (told.request_id for told in log if told.request_id))
        problems = problems_of(log, recorded, serials | {first["serial"]: "b"})
        # They are let in and refused by the keys' turns; whoever has another key is refused by nothing of that.
        problems += [f"refused: {told}" for told in clients.log if told.status == _UNAUTHORIZED]
        return Outcome(activated, revoked, len(log), problems)


async def _until_workers_serve(gatehouse: Gatehouse, workers: int, serial: int) -> None:
    while True:
        document, _ = await gatehouse.expect(200, "GET", "/v1/environments/production", "auditor")
        if sum(worker["serial"] == serial for worker in document["enforced"]) == workers:
            return
        await asyncio.sleep(0.05)


def line(what: str, taken: Sequence[float]) -> str:
    ordered = sorted(taken)
    p50, p99 = (ordered[max(0, math.ceil(len(ordered) * share) - 1)] * 1000 for share in (0.5, 0.99))
    return f"  {what:<44} {p50:>7.0f} {p99:>7.0f} {ordered[-1] * 1000:>7.0f}"


def main() -> int:
    parser = argparse.ArgumentParser(description="How soon changes are enforced, under load.")
    parser.add_argument("--changes", type=int, default=200)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--keys", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=60, help="requests a second of the clients")
    parser.add_argument("--database", help="an empty PostgreSQL, or 'private': one of its own; SQLite without it")
    given = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gh-changes-")))
        database = given.database
        if database == "private":
            if (binaries := postgres_binaries()) is None:
                raise SystemExit("no PostgreSQL here: install it, or name one")
            database = stack.enter_context(private_postgres(binaries))
        outcome = asyncio.run(
            measure(
                folder,
                changes=given.changes,
                workers=given.workers,
                keys=given.keys,
                rate=given.rate,
                opa=opa_binary(),
                database=database,
            )
        )
    activated, revoked = outcome.activations, outcome.revocations
    print(f"{given.changes} changes, {given.workers} workers, {given.keys} keys, {given.rate:g} requests/s of clients")
    print(f"  {'ms':<44} {'p50':>7} {'p99':>7} {'max':>7}")
    print(line("activation: POST answered", activated.answered))
    print(line("activation: first worker enforces it", activated.first_worker))
    print(line("activation: every worker enforces it", activated.last_worker))
    print(line("activation: state is active", activated.acknowledged))
    print(line("revocation: DELETE answered", revoked.answered))
    print(line("revocation, from its answer: first worker", revoked.first_worker))
    print(line("revocation, from its answer: every worker", revoked.last_worker))
    print(line("revocation, from its answer: acknowledged", revoked.acknowledged))
    print(f"{outcome.asked} requests, each compared with its record; {len(outcome.problems)} problems")
    for problem in outcome.problems[:10]:
        print(f"  {problem}")
    return 1 if outcome.problems else 0


if __name__ == "__main__":
    sys.exit(main())
