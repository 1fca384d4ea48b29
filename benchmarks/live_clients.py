# SPDX-License-Identifier: Apache-2.0
"""Clients of a Gatehouse whose policy changes: what each asked and was told, and whether one policy explains it."""

import asyncio
import itertools
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from benchmarks.live_gatehouse import CHAT, MODELS, RELEASES, SAID, Gatehouse

_FORBIDDEN = 403
_OK = 200
_UNAUTHORIZED = 401
_LISTED = "models"
_RECORDED_WITHIN_S = 60.0
_ENFORCED_WITHIN_S = 60.0
_ASK_EVERY_S = 0.04


@dataclass(frozen=True)
class Question:
    """What is asked for, and by which of the releases it is allowed. Without a body: which models there are."""

    name: str
    body: Mapping[str, Any] | None
    allowed_by: tuple[str, ...] = RELEASES

    def answer_by(self, release: str) -> tuple[int, str]:
        if self.body is None:
            return (_OK, _LISTED)
        return (_OK, SAID[release]) if release in self.allowed_by else (_FORBIDDEN, "")


_MESSAGES = [{"role": "user", "content": "Which card?"}]
PLAIN = Question("plain", {"model": "parrot", "messages": _MESSAGES})
# A connection is kept when a request without a body is refused on its head, and lost when one with a body is.
LIST = Question("models", None)
QUESTIONS = (
    PLAIN,
    Question("streamed", {"model": "parrot", "messages": _MESSAGES, "stream": True}),
    Question("model of one", {"model": "parrot-a", "messages": _MESSAGES}, ("a",)),
    Question("tokens", {"model": "parrot", "messages": _MESSAGES, "max_tokens": 150}, ("b",)),
    Question("model of the other", {"model": "parrot-b", "messages": _MESSAGES, "stream": True}, ("b",)),
)


@dataclass(frozen=True)
class Told:
    """One line of a client's log. `status` 0: there was no answer, and `said` tells why."""

    question: Question
    request_id: str
    sent_s: float
    told_s: float
    status: int
    said: str

    def fits(self, release: str) -> bool:
        status, said = self.question.answer_by(release)
        return self.status == status and (status != _OK or self.said == said)


@dataclass
class Clients:
    """Ask `rate` requests a second between them, of every kind, over kept and over new connections."""

    gatehouse: Gatehouse
    key: str
    rate: float
    log: list[Told] = field(default_factory=list)
    stopped: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, count: int = 12) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(count):
                group.create_task(self._ask_on(number, count))

    async def _ask_on(self, number: int, count: int) -> None:
        kept = bool(number % 2)  # half of them meet another worker with each request
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=not kept)) as session:
            due = time.monotonic() + number / self.rate
            for question in itertools.islice(itertools.cycle(QUESTIONS), number, None):
                await asyncio.sleep(due - time.monotonic())
                if self.stopped.is_set():
                    return
                due += count / self.rate
                self.log.append(await ask(session, self.gatehouse.proxy_url, self.key, question))


async def ask(session: aiohttp.ClientSession, url: str, key: str, question: Question) -> Told:
    sent_s, request_id = time.monotonic(), ""
    try:
        headers = {"Authorization": f"Bearer {key}"}
        body = question.body
        method, path = ("GET", MODELS) if body is None else ("POST", CHAT)
        async with session.request(method, url + path, json=body, headers=headers) as answer:
            request_id = answer.headers.get("x-request-id", "")
            status, said = answer.status, _said(await answer.text())
    except (aiohttp.ClientError, TimeoutError, ValueError, LookupError) as exc:
        status, said = 0, f"{type(exc).__name__}: {exc}"
    return Told(question, request_id, sent_s, time.monotonic(), status, said)


def _said(text: str) -> str:
    if not text.startswith("data:"):
        document = json.loads(text)
        if document.get("object") == "list":
            return _LISTED
        return str(document["error"]["code"] if "error" in document else document["choices"][0]["message"]["content"])
    lines = [line.removeprefix("data: ") for line in text.splitlines() if line]
    if lines.pop() != "[DONE]":
        raise ValueError(f"a stream ended without its end: {lines[-1:]}")
    return "".join(json.loads(line)["choices"][0]["delta"].get("content") or "" for line in lines)


@dataclass
class Pins:
    """One kept connection to each worker, by the worker's source, so that each can be asked by itself."""

    gatehouse: Gatehouse
    key: str
    sessions: dict[str, aiohttp.ClientSession] = field(default_factory=dict)
    log: list[Told] = field(default_factory=list)
    by_source: list[tuple[str, Told]] = field(default_factory=list)

    async def open(self, workers: int) -> None:
        """Open connections until there is one to each worker: the records of their requests say whose they are."""
        for _ in range(100):
            session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1, keepalive_timeout=600))
            told = await self._ask(session, PLAIN, self.key)
            self.log.append(told)
            source = await source_of(self.gatehouse, told.request_id)
            if source in self.sessions:
                await session.close()
            else:
                self.sessions[source] = session
            if len(self.sessions) == workers:
                return
        raise SystemExit(f"100 connections came to {len(self.sessions)} of {workers} workers")

    async def close(self) -> None:
        for session in self.sessions.values():
            await session.close()

    async def once(self, question: Question, key: str) -> list[Told]:
        """Ask every worker once."""
        told = await asyncio.gather(*(self._ask(session, question, key) for session in self.sessions.values()))
        self.log.extend(told)
        return told

    async def until(self, holds: Callable[[Told], bool], *, question: Question = PLAIN, key: str) -> list[float]:
        """Ask every worker again and again; return when each first told what `holds` is true of."""

        async def first(source: str, session: aiohttp.ClientSession) -> float:
            deadline = time.monotonic() + _ENFORCED_WITHIN_S
            while True:
                told = await self._ask(session, question, key)
                self.log.append(told)
                if holds(told):
                    self.by_source.append((source, told))
                    return told.told_s
                if time.monotonic() > deadline:
                    raise SystemExit(f"{source} never came to it: {told}")
                await asyncio.sleep(_ASK_EVERY_S)

        return list(await asyncio.gather(*(first(*pin) for pin in self.sessions.items())))

    async def check(self) -> None:
        """Raise SystemExit where a connection came to another worker meanwhile. Looks at the last of each."""
        last = dict(self.by_source)
        for source, told in last.items():
            if (found := await source_of(self.gatehouse, told.request_id)) != source:
                raise SystemExit(f"a connection to {source} came to {found}")

    async def _ask(self, session: aiohttp.ClientSession, question: Question, key: str) -> Told:
        return await ask(session, self.gatehouse.proxy_url, key, question)


async def source_of(gatehouse: Gatehouse, request_id: str) -> str:
    """Return the source that recorded a request."""
    deadline = time.monotonic() + _RECORDED_WITHIN_S
    while time.monotonic() < deadline:
        status, document, _ = await gatehouse.call("GET", f"/v1/decisions/{request_id}", "auditor")
        if status == _OK:
            return str(document["envelope"]["source"]["id"])
        await asyncio.sleep(0.05)
    raise SystemExit(f"{request_id} is not on record")


async def decisions(gatehouse: Gatehouse, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return what is on record of the requests of `ids`, once the end of each is."""
    wanted = set(ids)
    deadline = time.monotonic() + _RECORDED_WITHIN_S
    while True:
        found: dict[str, dict[str, Any]] = {}
        counted: Counter[str] = Counter()
        cursor: str | None = None
        while True:
            query = {"limit": "500"} | ({} if cursor is None else {"cursor": cursor})
            page, _ = await gatehouse.expect(200, "GET", "/v1/decisions", "auditor", params=query)
            for item in page["items"]:
                found[item["request_id"]] = item
                counted[item["request_id"]] += 1
            if (cursor := page["next_cursor"]) is None:
                break
        missing = [each for each in wanted if each not in found or not found[each]["complete"]]
        if not missing:
            if twice := [each for each in wanted if counted[each] > 1]:
                raise SystemExit(f"on record twice: {twice[:5]}")
            return found
        if time.monotonic() > deadline:
            raise SystemExit(f"{len(missing)} of {len(wanted)} requests are not on record: {missing[:5]}")
        await asyncio.sleep(0.5)


def problems_of(log: Iterable[Told], recorded: Mapping[str, dict[str, Any]], releases: Mapping[int, str]) -> list[str]:
    """Return what one policy alone does not explain: failures, and answers that are not what the named serial says."""
    problems = []
    for told in log:
        record = recorded.get(told.request_id)
        if told.status == 0 or told.status >= 500 or record is None:
            problems.append(f"failed: {told}")
        elif told.status == _UNAUTHORIZED:
            continue  # of a key that was revoked: no policy was asked
        elif record["serial"] not in releases:
            problems.append(f"decided by serial {record['serial']}, which nobody activated: {told}")
        elif record["status"] != told.status or not told.fits(releases[record["serial"]]):
            problems.append(f"serial {record['serial']} ({releases[record['serial']]}) does not say so: {told}")
    return problems
