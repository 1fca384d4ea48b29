# SPDX-License-Identifier: Apache-2.0
"""`python -m tests.soak.log [--kills N] [--database sqlite|postgres]`: kills while records are written, then the proof.

A whole Gatehouse answers requests while its workers, its node, its control plane and its database are killed at random
(`kill -9`). Meanwhile every checkpoint that is served is kept. At the end must hold:

* each request of which a client got a whole answer has exactly one terminal record;
* each (source, boot, number) is in the log once, and no number is missing that no gap or loss explains;
* each checkpoint that was ever served is the beginning of the last one, and none was signed twice with another root;
* `gatehouse audit fsck` and `gatehouse audit verify` of an archive of all of it find nothing.
"""

import argparse
import asyncio
import base64
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from controlplane.audit.checkpoints import Checkpoint
from controlplane.audit.notes import parse_note
from controlplane.audit.verification import ProofInvalid, verify_consistency
from controlplane.client import ApiClient, ApiError, ApiUnreachable
from tests.integration.conftest import RunningGatehouse, start, stop
from tests.soak.durable_postgres import DurablePostgres, durable_postgres
from tests.soak.kinds import KINDS, Sender
from tests.soak.wire import ask, marking_upstream

_ANSWER_S = 30.0
_SHIPPED_S = 120.0
_LOOK_EVERY_S = 0.25


@dataclass(frozen=True)
class Plan:
    kills: int
    pause_s: tuple[float, float] = (0.2, 1.5)
    clients: int = 6
    seed: int = 1
    database: str = "sqlite"


@dataclass
class Report:
    answered: int = 0
    killed: Counter[str] = field(default_factory=Counter)
    checkpoints: int = 0
    entries: int = 0
    gaps: int = 0
    wrong: list[str] = field(default_factory=list)


class LogSoak:
    def __init__(self, running: RunningGatehouse, plan: Plan, postgres: DurablePostgres | None) -> None:
        self.report = Report()
        self._running, self._plan, self._postgres = running, plan, postgres
        self._random = random.Random(plan.seed)
        self._whole: set[str] = set()
        self._checkpoints: dict[int, set[bytes]] = {}
        self._over = False
        held = running.credentials
        self._url, self._tokens = held["api_url"], held["tokens"]
        self._auditor = ApiClient(self._url, held["tokens"]["auditor"])
        self._port = int(held["proxy_url"].rpartition(":")[2])
        self._sender = Sender(key=held["keys"]["alice"], revoked_key=held["keys"]["bob"])

    async def run(self) -> Report:
        with closing(self._auditor):
            load = [asyncio.create_task(self._load()) for _ in range(self._plan.clients)]
            watch = asyncio.create_task(self._watch())
            await self._kill()
            self._over = True
            await asyncio.gather(*load)
            await asyncio.to_thread(self._judge)
            await watch
        return self.report

    async def _load(self) -> None:
        count = 0
        plain = [kind for kind in KINDS if kind.may_pass()]
        while not self._over:
            count += 1
            answer = await ask(
                self._port, self._random.choice(plain).raw(self._sender, f"m-{count}-"), within_s=_ANSWER_S
            )
            if answer is not None and answer.whole and answer.request_id:
                self._whole.add(answer.request_id)
            await asyncio.sleep(0.02)

    async def _kill(self) -> None:
        while self.report.killed.total() < self._plan.kills:
            await asyncio.sleep(self._random.uniform(*self._plan.pause_s))
            victims = await asyncio.to_thread(self._victims)
            if not victims:
                continue  # everything is just starting again
            name, victim = self._random.choice(victims)
            if name == "database" and self._postgres is not None:
                await asyncio.to_thread(self._postgres.kill)
                await asyncio.sleep(self._random.uniform(0, 0.5))
                await asyncio.to_thread(self._postgres.start)
                self.report.killed[name] += 1
                continue
            if victim <= 1:
                raise RuntimeError("not one of ours")  # -1 would be everybody
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
                self.report.killed[name] += 1

    def _victims(self) -> list[tuple[str, int]]:
        found = []
        with suppress(OSError, ValueError):
            for name, part in self._running.parts.items():
                if part["pid"] and name in {"proxy", "controlplane"}:
                    found.append((name, part["pid"]))
                    with suppress(psutil.Error):
                        children = psutil.Process(part["pid"]).children(recursive=True)
                        found += [(f"{name} child", child.pid) for child in children]
        if self._postgres is not None:
            found += [("database", 0)] * 2
        return found

    async def _watch(self) -> None:
        """Keep every checkpoint that is served. Ends with the load."""
        headers = {"Authorization": f"Bearer {self._tokens['auditor']}"}
        async with httpx.AsyncClient(base_url=self._url, headers=headers, trust_env=False, timeout=5) as client:
            while not self._over:
                with suppress(httpx.HTTPError):
                    answer = await client.get("/tlog/default/checkpoint")
                    if answer.status_code == httpx.codes.OK:
                        self._keep(answer.content)
                await asyncio.sleep(_LOOK_EVERY_S)

    def _keep(self, note: bytes) -> Checkpoint:
        checkpoint = Checkpoint.parse(parse_note(note).text)
        self._checkpoints.setdefault(checkpoint.size, set()).add(checkpoint.root)
        return checkpoint

    # ── afterwards ──

    def _judge(self) -> None:
        self.report.answered = len(self._whole)
        self._await_records()
        self._judge_checkpoints()
        self._judge_archive()

    def _await_records(self) -> None:
        """Wait until all that was answered is in the log; each request MUST be there once, and whole."""
        deadline = time.monotonic() + _SHIPPED_S
        missing = set(self._whole)
        while missing and time.monotonic() < deadline:
            with suppress(ApiUnreachable, ApiError):
                found = Counter(
                    item["request_id"]
                    for item in self._auditor.every("/v1/decisions", {"limit": 500})
                    if item["complete"]
                )
                missing = {request_id for request_id in self._whole if found[request_id] != 1}
            time.sleep(1)
        self.report.wrong += [f"{request_id} was answered and has no one record" for request_id in sorted(missing)]

    def _judge_checkpoints(self) -> None:
        last = self._keep(self._patiently(lambda: self._raw("/tlog/default/checkpoint")))
        self.report.checkpoints = len(self._checkpoints)
        self.report.entries = last.size
        for size, roots in sorted(self._checkpoints.items()):
            if len(roots) > 1:
                self.report.wrong.append(f"two roots were signed for {size} entries")
            proof = self._patiently(
                lambda size=size: self._auditor.get(
                    "/v1/audit/proofs/consistency", {"first": size, "second": last.size}
                ).body["hashes"]
            )
            try:
                verify_consistency(
                    [base64.b64decode(one) for one in proof],
                    first=size,
                    second=last.size,
                    first_root=next(iter(roots)),
                    second_root=last.root,
                )
            except ProofInvalid as exc:
                self.report.wrong.append(f"the checkpoint of {size} entries is not the beginning of the last: {exc}")

    def _judge_archive(self) -> None:
        archive = self._running.home / "log.zip"
        for arguments in (
            ("evidence", "archive", "-o", str(archive)),
            ("audit", "verify", str(archive), "--json"),
            ("audit", "fsck", "--json"),
        ):
            done = self._running.gatehouse(*arguments)
            if done.returncode:
                told = (done.stdout + done.stderr)[-2000:]
                self.report.wrong.append(f"gatehouse {' '.join(arguments[:2])} ended with {done.returncode}: {told}")
            elif arguments[1] == "verify":
                self._read_verdict(json.loads(done.stdout))

    def _read_verdict(self, verdict: dict[str, Any]) -> None:
        self.report.gaps = json.dumps(verdict).count('"gap"')

    def _raw(self, path: str) -> bytes:
        headers = {"Authorization": f"Bearer {self._tokens['auditor']}"}
        answer = httpx.get(self._url + path, headers=headers, trust_env=False, timeout=10)
        answer.raise_for_status()
        return answer.content

    def _patiently(self, question: Any) -> Any:
        """Ask until the control plane, which may just be starting again, answers."""
        deadline = time.monotonic() + _SHIPPED_S
        while True:
            try:
                return question()
            except (ApiUnreachable, ApiError, httpx.HTTPError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)


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
    options = parser.parse_args(arguments)
    plan = Plan(kills=options.kills, database=options.database, seed=options.seed)
    with tempfile.TemporaryDirectory() as folder:
        report = asyncio.run(log_soak(Path(folder) / "home", plan))
    told = (
        f"{report.killed.total()} kills: {dict(report.killed)}",
        f"{report.answered} whole answers, {report.entries} entries, {report.checkpoints} checkpoints compared",
        *(report.wrong or ["nothing is wrong"]),
    )
    sys.stdout.write("\n".join(told) + "\n")
    return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
