# SPDX-License-Identifier: Apache-2.0
"""The asynchronous edge: feeds park here, everything else goes on to the Flask application. One port.

Theory: a proxy asks for what is newer than it has and is held until there is something, so hundreds of requests wait
at once; held by WSGI threads they would starve the API. Waiting costs a future each. One task looks at the database's
serials and epochs while anybody waits, so that another replica's publication is noticed too; a publication of this
process rings at once.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, Final

import structlog
from a2wsgi import WSGIMiddleware
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from controlplane.api.guard import SECURITY_HEADERS
from controlplane.api.problems import MEDIA_TYPE, headers_of, problem_document, status_of
from controlplane.api.strict_json import is_plain_text
from controlplane.authz.permissions import Permission
from controlplane.authzen import AuthZen
from controlplane.bootstrap import ControlPlane
from controlplane.identifiers import NewId
from controlplane.observed import name_route
from controlplane.services.errors import NotFound, Refused, StoreUnavailable
from controlplane.services.feeds import Feed
from controlplane.services.model import Artifact, Principal
from controlplane.services.scope import require_scope
from controlplane.tail import PATH as TAIL
from controlplane.tail import Tail

BUNDLE_TYPE: Final = "application/vnd.openpolicyagent.bundles"
SIGNED_DOCUMENT_TYPE: Final = "application/jose"
_FEEDS: Final = (
    ("/opa/v1/{environment}/bundles/gatehouse.tar.gz", Feed.BUNDLE, BUNDLE_TYPE),
    ("/opa/v1/{environment}/credentials", Feed.CREDENTIALS, SIGNED_DOCUMENT_TYPE),
    ("/opa/v1/{environment}/revocations", Feed.REVOCATIONS, SIGNED_DOCUMENT_TYPE),
    ("/opa/v1/{environment}/environment", Feed.ENVIRONMENT, SIGNED_DOCUMENT_TYPE),
    ("/opa/v1/{environment}/candidates/{serial}.tar.gz", Feed.CANDIDATE, BUNDLE_TYPE),
    ("/opa/v1/{environment}/discovery.tar.gz", Feed.DISCOVERY, BUNDLE_TYPE),
)
# As many digits as a number that every database holds exactly.
_SERIAL: Final = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)
# As docs/spec/bundle.md says; below what proxies and balancers between us cut off.
_LONGEST_WAIT_S: Final = 30
# A publication of another replica is seen within 100 ms, the time of one look included.
_LOOK_EVERY_S: Final = 0.05
_WSGI_THREADS: Final = 16
_PREFER_WAIT: Final = re.compile(r"(?:^|[;,])\s*wait\s*=\s*\"?(\d{1,6})\"?", re.ASCII)
_NOT_MODIFIED: Final = 304
# All are routed here, so that the edge and not the application says which it takes.
_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

_log = structlog.get_logger("gatehouse.edge")


class Watch:
    """Wakes whoever waits as soon as serials or epochs differ from what they were."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane
        self._waiting: set[asyncio.Future[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    async def change(self, *, within_s: float) -> None:
        """Return at the next change, or after `within_s`, or when the server stops."""
        if self._closed:
            return
        future = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            with self._plane.metrics.waiting():
                await asyncio.wait({future}, timeout=within_s)
        finally:
            self._waiting.discard(future)

    @property
    def closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        """Let everybody go, now and from now on. May be called from any thread and from a signal."""
        self._closed = True
        self.ring()

    def ring(self) -> None:
        """Wake everybody. May be called from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    async def run(self) -> None:
        """Look at the database for as long as somebody waits; never returns."""
        self._loop = asyncio.get_running_loop()
        seen: dict[tuple[str, str], tuple[int, ...]] | None = None
        while True:
            if self._waiting:
                try:
                    heads = await asyncio.to_thread(self._plane.feeds.heads)
                except StoreUnavailable:
                    heads = seen or {}
                if seen is not None and heads != seen:
                    self._wake()
                seen = heads
            await asyncio.sleep(_LOOK_EVERY_S)

    def _wake(self) -> None:
        for future in self._waiting:
            if not future.done():
                future.set_result(None)


def create_edge(
    plane: ControlPlane, flask_app: Callable[..., Any], watch: Watch, *, url: str = "http://127.0.0.1:8080"
) -> Starlette:
    """Return the application that serves feeds and decisions itself and everything else by `flask_app`.

    `url` is its public origin.
    """
    plane.bell.listen(watch.ring)
    tail = Tail(plane, is_closed=lambda: watch.closed)

    def feed(path: str, feed: Feed, media_type: str) -> Route:
        async def serve(request: Request) -> Response:
            name_route(request.scope, path)
            return await _serve(plane, watch, request, feed, media_type)

        return Route(path, serve, methods=_METHODS)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        looking = [asyncio.create_task(watch.run()), asyncio.create_task(tail.run())]
        yield
        for task in looking:
            task.cancel()

    async def refuse(request: Request, error: Exception) -> Response:
        return _refuse(request, error, request_id=plane.new_id("req_"))

    # a2wsgi spells the types of ASGI otherwise than Starlette.
    wsgi: Any = WSGIMiddleware(flask_app, workers=_WSGI_THREADS)
    return Starlette(
        routes=[
            *(feed(*served) for served in _FEEDS),
            Route(TAIL, tail.serve, methods=_METHODS),
            *AuthZen(plane, url=url).routes(),
            Mount("/", app=_AsciiOnly(wsgi, plane.new_id)),
        ],
        lifespan=lifespan,
        exception_handlers={HTTPException: refuse, Exception: refuse},
    )


def _refuse(request: Request, error: Exception, *, request_id: str) -> Response:
    if not isinstance(error, HTTPException):
        _log.error("feed_failed", request_id=request_id, error=type(error).__name__)
        detail = "Something went wrong here. The log has more under the request id."
        return _problem(500, "internal-error", detail, instance=request.scope["path"], request_id=request_id)
    phrase = HTTPStatus(error.status_code).phrase
    code = phrase.lower().replace(" ", "-")
    answer = _problem(error.status_code, code, f"{phrase}.", instance=request.scope["path"], request_id=request_id)
    answer.headers.update(error.headers or {})
    return answer


class _AsciiOnly:
    """Refuses a query that is not ASCII, which WSGI has no words for."""

    def __init__(self, app: ASGIApp, new_id: NewId) -> None:
        self._app = app
        self._new_id = new_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not scope["query_string"].isascii():
            detail, request_id = "Percent-encode the query.", self._new_id("req_")
            answer = _problem(400, "query-invalid", detail, instance=scope["path"], request_id=request_id)
            await answer(scope, receive, send)
        else:
            await self._app(scope, receive, send)


async def _serve(plane: ControlPlane, watch: Watch, request: Request, feed: Feed, media_type: str) -> Response:
    if request.method != "GET":
        raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": "GET"})
    started, request_id = time.monotonic(), plane.new_id("req_")
    principal: Principal | None = None
    try:
        principal = await asyncio.to_thread(_admit, plane, request.headers.get("Authorization"))
        answer = await _when_newer(plane, watch, request, feed=feed, principal=principal, media_type=media_type)
    except Refused as exc:
        answer = _problem(
            status_of(exc),
            exc.code,
            exc.detail,
            instance=request.scope["path"],
            request_id=request_id,
        )
    except StoreUnavailable:
        detail = "The store did not answer. Try again."
        answer = _problem(503, "store-unavailable", detail, instance=request.scope["path"], request_id=request_id)
    answer.headers.update(SECURITY_HEADERS)
    answer.headers["X-Request-Id"] = request_id
    _log.info(
        "feed_served",
        request_id=request_id,
        feed=feed.value,
        status=answer.status_code,
        principal=principal.id if principal else None,
        duration_ms=round((time.monotonic() - started) * 1000, 1),
    )
    return answer


def _admit(plane: ControlPlane, authorization: str | None) -> Principal:
    principal = plane.access.authenticate(authorization)
    plane.access.authorize(principal, Permission.FEEDS_READ)
    return principal


async def _when_newer(
    plane: ControlPlane,
    watch: Watch,
    request: Request,
    *,
    feed: Feed,
    principal: Principal,
    media_type: str,
) -> Response:
    """Answer with the artifact, or once the caller's wait is over with 304 (404 where nothing was published)."""
    environment = request.path_params["environment"]
    if not is_plain_text(environment):
        raise NotFound("environment-unknown", "There is no such environment.")
    require_scope(principal, environment)
    serial = request.path_params.get("serial")
    if serial is not None and not _SERIAL.fullmatch(serial):
        raise NotFound("nothing-published", "A candidate's serial is a number.")
    known = _tags(request.headers.get("If-None-Match"))
    deadline = time.monotonic() + _wait_s(request.headers.get("Prefer"))
    while True:
        artifact: Artifact | None = await asyncio.to_thread(
            plane.feeds.artifact,
            feed,
            tenant=principal.tenant,
            environment=environment,
            serial=None if serial is None else int(serial),
        )
        if artifact is None:
            raise NotFound("nothing-published", "Nothing has been published for this environment.")
        headers = {"ETag": f'"{artifact.etag}"', "Cache-Control": "no-cache"}
        if artifact.etag not in known:
            return Response(artifact.content, media_type=media_type, headers=headers)
        left_s = deadline - time.monotonic()
        if left_s <= 0 or watch.closed or await request.is_disconnected():
            return Response(status_code=_NOT_MODIFIED, headers=headers)
        await watch.change(within_s=left_s)


def _tags(header: str | None) -> frozenset[str]:
    # OPA sends the tag it was given; `W/` is dropped, as RFC 9110 compares weakly here.
    tags = (tag.strip().removeprefix("W/").strip('"') for tag in (header or "").split(","))
    return frozenset(tag for tag in tags if tag)


def _wait_s(prefer: str | None) -> float:
    found = _PREFER_WAIT.search(prefer or "")
    return 0.0 if found is None else min(float(found[1]), _LONGEST_WAIT_S)


def _problem(status: int, code: str, detail: str, *, instance: str, request_id: str) -> Response:
    document = problem_document(status=status, code=code, detail=detail, instance=instance, request_id=request_id)
    headers = {**SECURITY_HEADERS, **headers_of(status), "Cache-Control": "no-store", "X-Request-Id": request_id}
    return JSONResponse(document, status_code=status, media_type=MEDIA_TYPE, headers=headers)
