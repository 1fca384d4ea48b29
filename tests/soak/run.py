# SPDX-License-Identifier: Apache-2.0
"""One soak: load, kills and policy changes side by side, and what must hold at the end."""

import asyncio
import json
import os
import random
import signal
import time
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from controlplane.client import ApiClient, ApiError, ApiUnreachable
from tests.integration.conftest import RunningGatehouse, start, stop
from tests.soak.growth import Growth
from tests.soak.kinds import CARD, KINDS, LENIENT, STRICT, UNAVAILABLE, Kind, Sender
from tests.soak.wire import Answer, ask, marking_upstream

_POLICIES = Path(__file__).with_name("policies")
_CAPS = {STRICT: 256, LENIENT: 512}
# Longer than any deadline of the proxy that this load can meet, so that a hang is seen as one.
_ANSWER_S = 30.0
_SHIPPED_S = 60.0


@dataclass(frozen=True)
class Plan:
    """How long, how hard, and how often something dies or changes.

    Processes are killed in the first half only: in the second they live long enough for their memory to be judged.
    """

    seconds: float
    clients: int = 8
    pause_s: float = 0.05
    kill_every_s: float = 20.0
    change_every_s: float = 15.0
    seed: int = 1


@dataclass
class Report:
    sent: Counter[str] = field(default_factory=Counter)
    unavailable: Counter[str] = field(default_factory=Counter)
    killed: Counter[str] = field(default_factory=Counter)
    changes: int = 0
    records: int = 0
    wrong: list[str] = field(default_factory=list)
    lives: list[tuple[str, int, int]] = field(default_factory=list)


class Soak:
    def __init__(self, running: RunningGatehouse, plan: Plan, arrived: set[bytes]) -> None:
        self.report = Report()
        self.growth = Growth(settled_s=plan.seconds / 10)
        self._running, self._plan, self._arrived = running, plan, arrived
        self._random = random.Random(plan.seed)
        self._answers: dict[str, tuple[Kind, Answer]] = {}
        self._policy_of: dict[str, str] = {}  # by revision
        self._releases: dict[str, str] = {}
        self._count = 0
        held = running.credentials
        self._roles = {role: ApiClient(held["api_url"], token) for role, token in held["tokens"].items()}
        self._port = int(held["proxy_url"].rpartition(":")[2])

    async def run(self) -> Report:
        with closing(self):
            sender = await asyncio.to_thread(self._prepare)
            until = time.monotonic() + self._plan.seconds
            tasks = [self._load(sender, until) for _ in range(self._plan.clients)]
            await asyncio.gather(
                *tasks, self._kill(until - self._plan.seconds / 2), self._change(until), self._watch(until)
            )
            await asyncio.to_thread(self._compare_records)
        self.report.lives = self.growth.lives()
        self.report.wrong += self.growth.grown()
        return self.report

    def close(self) -> None:
        for client in self._roles.values():
            client.close()

    # ── before ──

    def _prepare(self) -> Sender:
        """Release the policy twice, with two caps, and make a key and a revoked one."""
        for name, cap in _CAPS.items():
            folder = self._running.home / f"policies-{name}"
            folder.mkdir()
            for document in _POLICIES.glob("*.yaml"):
                (folder / document.name).write_text(document.read_text().replace("MAX_TOKENS", str(cap)))
            self._command("policy", "apply", str(folder))
            release = json.loads(self._command("release", "--description", name, "--json"))
            self._releases[name], self._policy_of[release["revision"]] = release["id"], name
        self._activate(STRICT)
        revoked = json.loads(self._command("key", "create", "user:alice", "--json"))
        self._command("key", "revoke", revoked["id"])
        time.sleep(1)
        return Sender(key=self._running.credentials["keys"]["alice"], revoked_key=revoked["key"])

    def _command(self, *arguments: str) -> str:
        done = self._running.gatehouse(*arguments)
        if done.returncode:
            raise SystemExit(f"gatehouse {arguments[0]}: {done.stdout}{done.stderr}")
        return done.stdout

    def _activate(self, name: str) -> None:
        approver = self._roles["approver"]
        etag = approver.get("/v1/environments/production").etag
        body = {"release": self._releases[name], "environment": "production"}
        made = approver.post("/v1/activations", body, if_match=etag).body
        until = time.monotonic() + _ANSWER_S
        while approver.get(f"/v1/activations/{made['id']}").body["state"] != "active" and time.monotonic() < until:
            time.sleep(0.1)

    # ── meanwhile ──

    async def _load(self, sender: Sender, until: float) -> None:
        while time.monotonic() < until:
            kind = self._random.choice(KINDS)
            self._count += 1
            marker = f"m-{self._count}-"
            answer = await ask(self._port, kind.raw(sender, marker), within_s=_ANSWER_S)
            self.report.sent[kind.name] += 1
            self._judge(kind, marker, answer)
            await asyncio.sleep(self._plan.pause_s * self._random.random() * 2)

    def _judge(self, kind: Kind, marker: str, answer: Answer | None) -> None:
        if answer is None or not answer.whole:
            self.report.unavailable["connection lost"] += 1
        if answer is not None:
            self._judge_answer(kind, answer)
        if not kind.may_pass() and marker.encode() in self._arrived:
            self.report.wrong.append(f"{kind.name}: reached the upstream")

    def _judge_answer(self, kind: Kind, answer: Answer) -> None:
        digits = CARD.replace(" ", "")
        if CARD in answer.text or digits in answer.text.replace(" ", "").replace("-", ""):
            self.report.wrong.append(f"{kind.name}: {answer.request_id} left unredacted")
        if not answer.whole:
            return
        if answer.code in UNAVAILABLE:
            self.report.unavailable[str(answer.code)] += 1
        elif (answer.status, answer.code) not in kind.told.values():
            self.report.wrong.append(f"{kind.name}: {answer.request_id} told {answer.status} {answer.code}")
        self._answers[answer.request_id] = (kind, answer)

    async def _kill(self, until: float) -> None:
        while time.monotonic() + self._plan.kill_every_s < until:
            await asyncio.sleep(self._plan.kill_every_s)
            name, victim = self._random.choice(await asyncio.to_thread(self._victims))
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
                self.report.killed[name] += 1

    def _victims(self) -> list[tuple[str, int]]:
        found = []
        for name, pid in self._pids().items():
            found.append((name, pid))
            with suppress(psutil.Error):
                found += [(f"{name} child", child.pid) for child in psutil.Process(pid).children(recursive=True)]
        return found

    def _pids(self) -> dict[str, int]:
        with suppress(OSError, ValueError):
            return {name: part["pid"] for name, part in self._running.parts.items() if part["pid"]}
        return {}

    async def _change(self, until: float) -> None:
        turn = 0
        while time.monotonic() + self._plan.change_every_s < until:
            await asyncio.sleep(self._plan.change_every_s)
            turn += 1
            try:
                await asyncio.to_thread(self._activate, LENIENT if turn % 2 else STRICT)
                self.report.changes += 1
            except (ApiUnreachable, ApiError):
                self.report.unavailable["control plane"] += 1

    async def _watch(self, until: float) -> None:
        while time.monotonic() < until:
            await asyncio.to_thread(self.growth.sample, self._pids())
            await asyncio.sleep(min(5.0, self._plan.seconds / 40))

    # ── afterwards ──

    def _compare_records(self) -> None:
        """Hold the record of each answer that was read to its end against what the client was told."""
        found: dict[str, list[dict[str, Any]]] = {}
        until = time.monotonic() + _SHIPPED_S
        while time.monotonic() < until:
            with suppress(ApiUnreachable, ApiError):
                found = {}
                for record in self._roles["auditor"].every("/v1/decisions", {"limit": 500}):
                    found.setdefault(record["request_id"], []).append(record)
                if all(any(item["complete"] for item in found.get(asked, ())) for asked in self._answers):
                    break
            time.sleep(1)
        self.report.records = len(found)
        for request_id, (kind, answer) in self._answers.items():
            self.report.wrong += self._differences(kind, answer, found.get(request_id, []))

    def _differences(self, kind: Kind, answer: Answer, records: list[dict[str, Any]]) -> list[str]:
        about = f"{kind.name}: {answer.request_id}"
        if [record["complete"] for record in records] != [True]:
            return [f"{about} told {answer.status} {answer.code} has {len(records)} records"]
        record = records[0]
        if record["status"] != answer.status:
            return [f"{about} told {answer.status}, recorded {record['status']}"]
        policy = self._policy_of.get(record["revision"] or "")
        if policy and answer.code not in UNAVAILABLE and (answer.status, answer.code) != kind.told[policy]:
            return [f"{about} told {answer.status} {answer.code} by the {policy} policy"]
        return []


async def soak(home: Path, plan: Plan) -> Report:
    """Start a Gatehouse in `home`, load it as `plan` says, stop it, and return what was seen."""
    async with marking_upstream() as (origin, arrived):
        running = await asyncio.to_thread(start, home, "--upstream", origin, "--workers", "2")
        try:
            return await Soak(running, plan, arrived).run()
        finally:
            await asyncio.to_thread(stop, running)
