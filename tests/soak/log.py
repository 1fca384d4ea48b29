# SPDX-License-Identifier: Apache-2.0
"""`python -m tests.soak.log [--kills N] [--database sqlite|postgres]`: kills while records are written, then the proof.

A whole Gatehouse answers requests of every kind while its workers, its node, its OPA, its control plane and its database
are killed at random (`kill -9`). Meanwhile every checkpoint that is served is kept. At the end must hold:

* each request of which a client got a whole answer has exactly one terminal record, with the status the client read;
* each (source, boot, number) is in the log once, and none is missing; each request that was let in has ended. With
  `--records best-effort`, where an answer waits for no disk, answers without a record are counted, and gaps explained;
* each checkpoint that was ever served is the beginning of the last one, and none was signed twice with another root;
* `gatehouse audit fsck` and `gatehouse audit verify` of an archive of all of it find nothing;
* and they find everything once entries of the archive, and of the database, are altered.
"""

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from controlplane.local.home import Home
from tests.integration.conftest import RunningGatehouse, start, stop
from tests.soak.durable_postgres import DurablePostgres, durable_postgres
from tests.soak.kinds import KINDS, Sender
from tests.soak.log_judge import BEST_EFFORT, STRICT, LogJudge, Report
from tests.soak.victims import Victims
from tests.soak.wire import ask, marking_upstream

_ANSWER_S = 30.0
_LOOK_EVERY_S = 0.1
_KEEPS_RECORDS = """kind: logging
id: records-of-the-soak
version: "soak"
spec: {records: best-effort}
"""


@dataclass(frozen=True)
class Plan:
    kills: int
    pause_s: tuple[float, float] = (0.1, 2.2)
    clients: int = 8
    seed: int = 1
    database: str = "sqlite"
    records: str = STRICT


class LogSoak:
    def __init__(self, running: RunningGatehouse, plan: Plan, postgres: DurablePostgres | None) -> None:
        self.report = Report()
        self._running, self._plan, self._postgres = running, plan, postgres
        self._dice = random.Random(plan.seed)
        self._answered: dict[str, int] = {}
        self._notes: set[bytes] = set()
        self._over = False
        held = running.credentials
        self._url, self._tokens = held["api_url"], held["tokens"]
        self._port = int(held["proxy_url"].rpartition(":")[2])
        self._sender = Sender(key=held["keys"]["alice"], revoked_key=held["keys"]["bob"])

    async def run(self) -> Report:
        if self._plan.records == BEST_EFFORT:
            await asyncio.to_thread(self._keep_records_at_best)
        began = time.monotonic()
        load = [asyncio.create_task(self._load()) for _ in range(self._plan.clients)]
        watch = asyncio.create_task(self._watch())
        try:
            await self._kill()
        finally:
            self._over = True
            await asyncio.gather(*load, watch)
        self.report.seconds = time.monotonic() - began
        judge = LogJudge(self._running, self.report, records=self._plan.records, seed=self._plan.seed)
        with closing(judge):
            await asyncio.to_thread(judge.judge, self._answered, self._notes, database=self._database())
        return self.report

    def _database(self) -> str:
        return self._postgres.url if self._postgres else f"sqlite:///{Home(self._running.home).database}"

    def _keep_records_at_best(self) -> None:
        folder = self._running.home / "policies-soak"
        folder.mkdir()
        (folder / "records.yaml").write_text(_KEEPS_RECORDS)
        self._command("policy", "apply", str(folder))
        release = json.loads(self._command("release", "--description", "best-effort", "--json"))
        self._command("activate", release["id"], "--json")

    def _command(self, *arguments: str) -> str:
        done = self._running.gatehouse(*arguments)
        if done.returncode:
            raise SystemExit(f"gatehouse {arguments[0]}: {done.stdout}{done.stderr}")
        return done.stdout

    async def _load(self) -> None:
        count = 0
        while not self._over:
            count += 1
            raw = self._dice.choice(KINDS).raw(self._sender, f"m-{count}-")
            answer = await ask(self._port, raw, within_s=_ANSWER_S)
            if answer is not None and answer.whole and answer.request_id:
                self._answered[answer.request_id] = answer.status
            await asyncio.sleep(0.02)

    async def _kill(self) -> None:
        victims = Victims(self._running.process.pid, self._postgres)
        while self.report.killed.total() < self._plan.kills:
            await asyncio.sleep(self._dice.uniform(*self._plan.pause_s))
            name = await asyncio.to_thread(victims.kill_one, self._dice)
            if name is not None:
                self.report.killed[name] += 1
            # Killed, or ended by itself: it gives up where its own recovery is killed.
            if self._postgres is not None and not await asyncio.to_thread(self._postgres.is_running):
                await asyncio.sleep(self._dice.uniform(0, 0.5))
                await asyncio.to_thread(self._postgres.start)

    async def _watch(self) -> None:
        """Keep every checkpoint that is served. Ends with the load."""
        headers = {"Authorization": f"Bearer {self._tokens['auditor']}"}
        async with httpx.AsyncClient(base_url=self._url, headers=headers, trust_env=False, timeout=5) as client:
            while not self._over:
                with suppress(httpx.HTTPError):
                    answer = await client.get("/tlog/default/checkpoint")
                    if answer.status_code == httpx.codes.OK:
                        self._notes.add(answer.content)
                await asyncio.sleep(_LOOK_EVERY_S)


@contextmanager
def database(plan: Plan) -> Iterator[DurablePostgres | None]:
    """Yield the server of the plan, and name it to whoever is started within."""
    with ExitStack() as stack:
        server = stack.enter_context(durable_postgres()) if plan.database == "postgres" else None
        if server is not None:
            os.environ["GATEHOUSE_DATABASE_URL"] = server.url
            stack.callback(os.environ.pop, "GATEHOUSE_DATABASE_URL", None)
        yield server


async def log_soak(home: Path, plan: Plan) -> Report:
    """Start a Gatehouse in `home`, kill as planned, judge, stop, and return what was seen."""
    with database(plan) as postgres:
        async with marking_upstream() as (origin, _):
            running = await asyncio.to_thread(start, home, "--upstream", origin, "--workers", "2")
            try:
                return await LogSoak(running, plan, postgres).run()
            finally:
                await asyncio.to_thread(stop, running)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak.log")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--longest-pause-s", type=float, default=2.2)
    parser.add_argument("--records", choices=(STRICT, BEST_EFFORT), default=STRICT)
    options = parser.parse_args(arguments)
    plan = Plan(
        kills=options.kills,
        pause_s=(0.1, options.longest_pause_s),
        seed=options.seed,
        database=options.database,
        records=options.records,
    )
    with tempfile.TemporaryDirectory() as folder:
        report = asyncio.run(log_soak(Path(folder) / "home", plan))
    told = (
        f"{report.killed.total()} kills in {report.seconds:.0f} s: {_counted(report.killed)}",
        f"{report.answered} whole answers, {report.unrecorded} of them without a record",
        f"{report.entries} entries: {_counted(report.kinds)}",
        f"{report.missing} numbers missing, {report.lost} records told as lost",
        f"{report.checkpoints} checkpoints compared, {report.altered} alterations found",
        *(report.wrong or ["nothing is wrong"]),
    )
    sys.stdout.write("\n".join(told) + "\n")
    return 1 if report.wrong else 0


def _counted(counter: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counter.items()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
