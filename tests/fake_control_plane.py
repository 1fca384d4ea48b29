# SPDX-License-Identifier: Apache-2.0
"""A control plane for tests of the node: speaks the protocol of its feeds and keeps what it is sent."""

import asyncio
import hashlib
import json
from typing import Any

from aiohttp import web

from policies.contracts.record import SourceKind

AGENT_TOKEN = "agent-token-of-the-tests"
_OF_SOURCES = frozenset(SourceKind)


class FakeControlPlane:
    """Set `bundle`, `credentials`, `environment` and `candidate` through `publish`; read `records` and `statuses`. `failing` answers 503.

    What sources say of themselves is in `of_sources`, and not among the `records`.
    """

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []
        self.of_sources: list[dict[str, Any]] = []
        self.statuses: list[dict[str, Any]] = []
        self.requests: list[tuple[str, str]] = []
        self.failing = False
        self.port = 0
        self._published: dict[str, bytes] = {}
        self._news = asyncio.Condition()
        self._runner: web.AppRunner | None = None

    async def start(self, port: int = 0) -> None:
        application = web.Application(client_max_size=8 * 1024 * 1024)
        application.router.add_get("/opa/v1/production/bundles/gatehouse.tar.gz", self._feed("bundle"))
        application.router.add_get("/opa/v1/production/credentials", self._feed("credentials"))
        application.router.add_get("/opa/v1/production/environment", self._feed("environment"))
        application.router.add_get("/opa/v1/production/candidates/{serial}.tar.gz", self._feed("candidate"))
        application.router.add_get("/opa/v1/production/revocations", self._feed("revocations"))
        application.router.add_post("/v1/records", self._take_records)
        application.router.add_post("/v1/agents/{node}/status", self._take_status)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port or self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def publish(self, **documents: bytes) -> None:
        async with self._news:
            self._published.update(documents)
            self._news.notify_all()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def identities(self) -> list[tuple[str, str, int]]:
        sources = [json.loads(record["envelope"])["source"] for record in self.records]
        return [(source["id"], source["boot_id"], source["seq"]) for source in sources]

    def _feed(self, name: str):
        async def answer(request: web.Request) -> web.Response:
            self._check(request)
            wait_s = float(request.headers["Prefer"].partition("wait=")[2])

            def news() -> bool:
                content = self._published.get(name)
                return content is not None and request.headers.get("If-None-Match") != _etag(content)

            async with self._news:
                if name not in self._published:
                    return web.Response(status=404)
                try:
                    async with asyncio.timeout(wait_s):
                        await self._news.wait_for(news)
                except TimeoutError:
                    return web.Response(status=304)
                content = self._published[name]
            media_type = "application/vnd.openpolicyagent.bundles"
            return web.Response(body=content, content_type=media_type, headers={"ETag": _etag(content)})

        return answer

    async def _take_records(self, request: web.Request) -> web.Response:
        self._check(request)
        body = await request.read()
        lines = body.splitlines()
        if len(lines) > 1000 or not body.endswith(b"\n"):
            return web.Response(status=400)
        for record in map(json.loads, lines):
            kind = json.loads(record["envelope"]).get("kind")
            (self.of_sources if kind in _OF_SOURCES else self.records).append(record)
        return web.json_response({"stored": len(lines), "duplicates": 0, "quarantined": 0})

    async def _take_status(self, request: web.Request) -> web.Response:
        self._check(request)
        self.statuses.append(await request.json())
        return web.Response(status=204)

    def _check(self, request: web.Request) -> None:
        self.requests.append((request.method, request.path))
        if request.headers.get("Authorization") != f"Bearer {AGENT_TOKEN}":
            raise web.HTTPUnauthorized
        if self.failing:
            raise web.HTTPServiceUnavailable(headers={"Retry-After": "0"})


def _etag(content: bytes) -> str:
    return f'"sha256-{hashlib.sha256(content).hexdigest()}"'
