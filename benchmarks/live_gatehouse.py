# SPDX-License-Identifier: Apache-2.0
"""A Gatehouse of real processes whose policy changes while it serves: control plane, node, OPA, and an upstream.

Two releases answer differently in every respect that a client sees: who may use which model, what a guard refuses, and
what becomes of a card number in an answer. So an answer that was decided by both in part is like neither.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import aiohttp
from aiohttp import web
from sqlalchemy import insert

from benchmarks.proxies import ROOT, stop
from controlplane.store.engine import open_database
from controlplane.store.tables import api_keys
from policies.bundle.credentials import hash_api_key
from tests.ports import unused_port
from tests.served_control_planes import TOKENS, initialise, make_environment, public_key, served

CARD = "4111 1111 1111 1111"
RELEASES = ("a", "b")
SAID = MappingProxyType({"a": "card [redacted:payment-card]. ", "b": "card . "})
CHAT = "/v1/chat/completions"
MODELS = "/v1/models"
_EVENT_EVERY_S = 0.01
_LOOK_EVERY_S = 0.03
_NEVER_S = 60.0

_ROUTES = """\
kind: routes
id: openai-routes
version: "1"
spec:
  routes:
    - {id: chat, method: POST, path: /v1/chat/completions, operation: chat.completions, dialect: openai.chat}
    - {id: models, method: GET, path: /v1/models, operation: models.list, dialect: openai.models}
"""
_ACCESS = """\
kind: access
id: chat-access
version: "%(name)s"
spec:
  grants:
    - {id: chat, effect: allow, subjects: ["*"], models: [parrot, parrot-%(name)s], operations: [chat.completions]}
    - {id: list, effect: allow, subjects: ["*"], operations: [models.list]}
"""
_REDACTION = """\
kind: redaction
id: cards
version: "%(name)s"
spec:
  rules:
    - {id: card, detectors: [payment-card], action: %(action)s}
"""
_GUARD = """\
kind: guard
id: caps
version: "%(name)s"
spec:
  reasons: {too-many-tokens: Fewer tokens.}
  data: {most: %(most)d}
  module: |
    package gatehouse.guard.caps

    deny contains "too-many-tokens" if input.request.max_tokens > data.gatehouse.guard_data.caps.most
tests:
  - name: as many as there may be
    request: {subject: "user:u-0", operation: chat.completions, model: parrot, facts: {max_tokens: %(most)d}}
    expect: {effect: allow}
  - name: one more
    request: {subject: "user:u-0", operation: chat.completions, model: parrot, facts: {max_tokens: %(more)d}}
    expect: {effect: deny, reasons: [too-many-tokens]}
"""
_DIFFERENT = MappingProxyType(
    {
        "a": {"name": "a", "action": "replace", "most": 100, "more": 101},
        "b": {"name": "b", "action": "remove", "most": 200, "more": 201},
    }
)


@dataclass(frozen=True)
class Key:
    id: str
    text: str


@dataclass(frozen=True)
class Gatehouse:
    """What runs, and the two releases by name. `keys` are all in force at the start."""

    api_url: str
    proxy_url: str
    session: aiohttp.ClientSession
    keys: tuple[Key, ...]
    node_log: Path

    async def call(self, method: str, path: str, role: str, **arguments: Any) -> tuple[int, Any, str]:
        """Return status, document and ETag of an answer of the API."""
        headers = {"Authorization": f"Bearer {TOKENS[role]}"} | arguments.pop("headers", {})
        async with self.session.request(method, self.api_url + path, headers=headers, **arguments) as answer:
            read = await answer.read()
            return answer.status, json.loads(read) if read else None, answer.headers.get("ETag", "")

    async def expect(self, status: int, method: str, path: str, role: str, **arguments: Any) -> tuple[Any, str]:
        told, document, etag = await self.call(method, path, role, **arguments)
        if told != status:
            raise SystemExit(f"{method} {path}: {told} {document}")
        return document, etag

    async def activate(self, release: str) -> dict[str, Any]:
        """Put `release` to work; the serial that it has is in the answer."""
        _, etag = await self.expect(200, "GET", "/v1/environments/production", "approver")
        body = {"release": release, "environment": "production"}
        made, _ = await self.expect(201, "POST", "/v1/activations", "approver", json=body, headers={"If-Match": etag})
        return dict(made)

    async def active(self, activation: str) -> None:
        """Return once every worker has said that it enforces it."""
        async with asyncio.timeout(_NEVER_S):
            while True:
                document, _ = await self.expect(200, "GET", f"/v1/activations/{activation}", "auditor")
                if document["state"] == "active":
                    return
                await asyncio.sleep(_LOOK_EVERY_S)

    async def make_releases(self) -> dict[str, str]:
        """Return the ids of both releases by name."""
        made = {}
        for name in RELEASES:
            texts = {
                "openai-routes": _ROUTES,
                **{
                    policy: source % _DIFFERENT[name]
                    for policy, source in (("chat-access", _ACCESS), ("cards", _REDACTION), ("caps", _GUARD))
                },
            }
            for policy, source in texts.items():
                status, _, etag = await self.call("GET", f"/v1/policies/{policy}", "author")
                if status == 404:
                    await self.expect(201, "POST", "/v1/policies", "author", json={"source": source})
                elif policy != "openai-routes":
                    path = f"/v1/policies/{policy}/revisions"
                    await self.expect(201, "POST", path, "author", json={"source": source}, headers={"If-Match": etag})
            release, _ = await self.expect(201, "POST", "/v1/policy-sets/default/releases", "author", json={})
            made[name] = release["id"]
        return made

    async def revocations_enforced(self) -> None:
        """Return once every worker has said that it enforces the newest."""
        path = "/v1/environments/production/revocations"
        async with asyncio.timeout(_NEVER_S):
            while True:
                document, _ = await self.expect(200, "GET", path, "auditor")
                if document["enforced"]:
                    return
                await asyncio.sleep(_LOOK_EVERY_S)


@asynccontextmanager
async def running(
    folder: Path, *, workers: int, keys: int, opa: Path | None, database: str | None = None
) -> AsyncIterator[Gatehouse]:
    """Run all of it. Without `opa` guards are asked of the embedded engine."""
    engine = "embedded" if opa is None else "opa"
    environment = make_environment(folder) | {"GATEHOUSE_GUARD_ENGINE": engine}
    if opa is not None:
        environment["GATEHOUSE_OPA_BINARY"] = str(opa)
    if database is not None:
        environment["GATEHOUSE_DATABASE_URL"] = database
    if (made := initialise(environment)).returncode:
        raise SystemExit(made.stderr.decode())
    stored = _store_keys(environment["GATEHOUSE_DATABASE_URL"], bytes.fromhex("ab" * 32), keys)
    async with _upstream() as upstream_url, aiohttp.ClientSession() as session:
        with served(environment, unused_port()) as plane:
            port, health_port = unused_port(), unused_port()
            variables = _node_variables(folder, environment, plane.url, upstream_url) | {
                "GATEHOUSE_PROXY_PORT": str(port),
                "GATEHOUSE_HEALTH_PORT": str(health_port),
                "GATEHOUSE_WORKERS": str(workers),
                "GATEHOUSE_GUARD_ENGINE": engine,
            }
            with _node(folder, variables, opa):
                found = Gatehouse(plane.url, f"http://127.0.0.1:{port}", session, stored, folder / "node.log")
                # The keys were put beside the API; one that is made by it has all of them signed.
                await found.expect(201, "POST", "/v1/api-keys", "admin", json={"subject": "user:last"})
                yield found


def _store_keys(url: str, pepper: bytes, count: int) -> tuple[Key, ...]:
    """Store `count` keys, in the place of as many calls that each sign them all."""
    keys = [Key(f"01JD{number:022d}", f"gh_01JD{number:022d}_{number:043d}") for number in range(count)]
    rows = [
        {
            "tenant": "default",
            "id": key.id,
            "environment": "production",
            "subject": f"user:u-{number % 1000}",
            "hash": hash_api_key(pepper, key.text),
            "created_by": "benchmark",
            "created_at": datetime.now(UTC),
        }
        for number, key in enumerate(keys)
    ]
    engine = open_database(url)
    with engine.begin() as connection:
        connection.execute(insert(api_keys), rows)
    engine.dispose()
    return tuple(keys)


def _node_variables(folder: Path, environment: dict[str, str], api_url: str, upstream_url: str) -> dict[str, str]:
    (folder / "token").write_text(TOKENS["agent"])
    (folder / "bundle.pub").write_bytes(public_key(environment))
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "GATEHOUSE_NODE_DIR": str(folder / "node"),
        "GATEHOUSE_NODE_ID": "node-1",
        "GATEHOUSE_API_URL": api_url,
        "GATEHOUSE_AGENT_TOKEN_FILE": str(folder / "token"),
        "GATEHOUSE_BUNDLE_KEY_FILE": str(folder / "bundle.pub"),
        "GATEHOUSE_KEY_PEPPER_FILE": environment["GATEHOUSE_KEY_PEPPER_FILE"],
        "GATEHOUSE_PSEUDONYM_KEY_FILE": environment["GATEHOUSE_PSEUDONYM_KEY_FILE"],
        "GATEHOUSE_UPSTREAM_URL": upstream_url,
    }


@contextmanager
def _node(folder: Path, variables: dict[str, str], opa: Path | None) -> Iterator[None]:
    modules = ["proxy_addons"]
    if opa is not None:
        variables = variables | {"GATEHOUSE_OPA_BINARY": str(opa)}
        modules.insert(0, "proxy_addons.opa_pool")
    with (folder / "node.log").open("wb") as log:
        started = [
            subprocess.Popen([sys.executable, "-m", module], env=variables, stdout=log, stderr=log)
            for module in modules
        ]
        try:
            yield
        finally:
            for process in reversed(started):  # the node first: it asks its OPA to the end
                stop(process)


@asynccontextmanager
async def _upstream() -> AsyncIterator[str]:
    """Run one that says the number of a card, whole or word by word."""
    application = web.Application()
    application.router.add_post(CHAT, _answer)
    application.router.add_get(MODELS, _models)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def _models(_request: web.Request) -> web.Response:
    models = [{"id": "parrot", "object": "model", "created": 1795000000, "owned_by": "benchmark"}]
    return web.json_response({"object": "list", "data": models})


async def _answer(request: web.Request) -> web.StreamResponse:
    asked = await request.json()
    said = f"card {CARD}. "
    head = {"id": "chatcmpl-1", "created": 1795000000, "model": asked["model"]}
    if not asked.get("stream"):
        choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 2, "completion_tokens": 6, "total_tokens": 8}
        return web.json_response({**head, "object": "chat.completion", "choices": [choice], "usage": usage})
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    deltas: list[tuple[dict[str, str], str | None]] = [({"role": "assistant", "content": ""}, None)]
    deltas += [({"content": said[at : at + 3]}, None) for at in range(0, len(said), 3)]
    for delta, finish_reason in [*deltas, ({}, "stop")]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        event = json.dumps({**head, "object": "chat.completion.chunk", "choices": [choice]})
        await response.write(f"data: {event}\n\n".encode())
        await asyncio.sleep(_EVENT_EVERY_S)
    await response.write(b"data: [DONE]\n\n")
    return response
