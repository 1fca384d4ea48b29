# SPDX-License-Identifier: Apache-2.0
"""An OpenID provider on loopback: a configuration, a key set that a test rotates, and what it was asked for."""

import json
from typing import Any, Self

from aiohttp import web

from tests.tokens import RSA, jwks, signed


class OpenIdProvider:
    """Serves `keys` (by `kid`). `answers` overrides what a path gives, by a body or a status; `requests` are the paths that were asked for."""

    def __init__(self) -> None:
        self.keys: dict[str, Any] = {"rsa-1": RSA}
        self.answers: dict[str, int | bytes] = {}
        self.requests: list[str] = []
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_get("/{path:.*}", self._serve)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def token(self, kid: str, *, at: float, **changes: Any) -> str:
        """Return a token that is good at the time `at`."""
        issued = int(at)
        claims = {"iss": self.url, "aud": "gatehouse", "sub": "alice", "iat": issued, "exp": issued + 600} | changes
        return signed({"alg": "RS256", "kid": kid, "typ": "JWT"}, claims, self.keys[kid], algorithm="RS256")

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request.path)
        given = self.answers.get(request.path)
        if isinstance(given, int):
            return web.Response(status=given, headers={"Location": "/other"})
        if given is None and request.path == "/.well-known/openid-configuration":
            given = json.dumps({"issuer": self.url, "jwks_uri": f"{self.url}/keys"}).encode()
        elif given is None and request.path == "/keys":
            given = jwks(self.keys)
        return web.Response(status=404) if given is None else web.Response(body=given, content_type="application/json")
