# SPDX-License-Identifier: Apache-2.0
"""Around the whole application: each request is counted, and traced where somebody wants traces, once it has ended.

Rules: what leaves here is the method if it is a known one, the template of the route, and the status. Never the path,
the query, a header or a body: those are words of a client.
"""

import functools
import re
import time
from dataclasses import dataclass
from typing import Any, Final, Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from controlplane.metrics import Metrics

UNMATCHED: Final = "unmatched"
# As OpenTelemetry calls a method that is none of HTTP's: a client may invent any number of them.
OTHER_METHOD: Final = "_OTHER"
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"})
_FLASK_PARAMETER: Final = re.compile(r"<(?:[^<>:]+:)?([^<>:]+)>")
_KEY: Final = "gatehouse.route"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedRequest:
    """A request that ended. `status` is None where there was no answer, `traceparent` is as the client sent it."""

    method: str
    route: str
    status: int | None
    started_ns: int
    ended_ns: int
    traceparent: str | None


class Trace(Protocol):
    def __call__(self, served: ServedRequest) -> None:
        """Keep a span of it. MUST return at once and never raise."""


def name_route(scope: Scope | None, template: str) -> None:
    """Say which route serves the request of `scope`, by its template as Flask or Starlette spells it."""
    if scope is not None and _KEY in scope:
        scope[_KEY].append(_plain(template))


@functools.lru_cache(maxsize=256)
def _plain(template: str) -> str:
    return _FLASK_PARAMETER.sub(r"{\1}", template)


class Observed:
    """The application `app`, with every HTTP request of it observed."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, trace: Trace | None) -> None:
        self._app = app
        self._metrics = metrics
        self._trace = trace

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # A list, because routing may copy the scope: the same list is in each copy.
        routes: list[str] = []
        status: int | None = None

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        wall_ns, started = time.time_ns(), time.perf_counter_ns()
        try:
            await self._app({**scope, _KEY: routes}, receive, note_status)
        finally:
            took_ns = time.perf_counter_ns() - started
            self._observe(
                ServedRequest(
                    method=scope["method"] if scope["method"] in _METHODS else OTHER_METHOD,
                    route=routes[-1] if routes else UNMATCHED,
                    status=status,
                    started_ns=wall_ns,
                    ended_ns=wall_ns + took_ns,
                    traceparent=_traceparent(scope),
                )
            )

    def _observe(self, served: ServedRequest) -> None:
        self._metrics.served(
            method=served.method,
            route=served.route,
            status=served.status,
            seconds=(served.ended_ns - served.started_ns) / 1e9,
        )
        if self._trace is not None:
            self._trace(served)


def _traceparent(scope: Scope) -> str | None:
    """Return the one `traceparent` of the request; two are none, as W3C Trace Context says."""
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    found: list[Any] = [value for name, value in headers if name == b"traceparent"]
    return found[0].decode("latin-1") if len(found) == 1 else None
