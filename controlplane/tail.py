# SPDX-License-Identifier: Apache-2.0
"""/v1/decisions:tail: decisions as they arrive, as server-sent events. Part of the edge.

Theory: a subscriber waits for a future and costs no thread. One task looks at how long the logs are for as long as
somebody waits, so that another replica's appends are noticed too; an append of this process rings at once. Reading is
done by a few threads of the tail's own, a step at a time: its events are sent before the next step is read, so that a
subscriber that reads slowly holds one step in memory and nobody up.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any, Final

import marshmallow as ma
import orjson
import structlog
from marshmallow import fields, validate
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from controlplane.api.decision_filters import FilterSchema, filter_of
from controlplane.api.decision_items import item_of
from controlplane.api.endpoint import problems_of
from controlplane.api.fields import Digits
from controlplane.api.guard import SECURITY_HEADERS
from controlplane.api.problems import MEDIA_TYPE, headers_of, problem_document, status_of
from controlplane.api.strict_json import is_plain_text
from controlplane.authz.permissions import Permission
from controlplane.bootstrap import ControlPlane
from controlplane.observed import name_route
from controlplane.services.decision_filter import DecisionFilter
from controlplane.services.errors import Invalid, Problem, Refused, StoreUnavailable, TooOften
from controlplane.services.model import Principal

PATH: Final = "/v1/decisions:tail"
MOST_SUBSCRIBERS: Final = 64
MOST_OF_ONE: Final = 8
LONGEST_S: Final = 3600
_LOOK_EVERY_S: Final = 0.25
# A token that was revoked is noticed by then; so is the end of the server.
_RECHECK_S: Final = 1.0
# Below what balancers take for dead.
_HEARTBEAT_S: Final = 15.0
_THREADS: Final = 2
_RETRY_MS: Final = 1000

_log = structlog.get_logger("gatehouse.edge")


class TailQuerySchema(FilterSchema):  # type: ignore[misc,valid-type]  # made from the dimensions
    """The filters of `GET /v1/decisions`. The stream ends after `max_s`, at most an hour: then come again."""

    max_s = Digits(load_default=LONGEST_S, validate=validate.Range(min=0, max=LONGEST_S))


class Tail:
    """The subscribers of this process."""

    def __init__(self, plane: ControlPlane, *, is_closed: Callable[[], bool]) -> None:
        self._plane = plane
        self._is_closed = is_closed
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="tail")
        self._waiting: set[asyncio.Future[None]] = set()
        self._subscribers: Counter[tuple[str, str]] = Counter()
        self._loop: asyncio.AbstractEventLoop | None = None
        plane.stored_bell.listen(self.ring)

    def ring(self) -> None:
        """Wake everybody. May be called from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    async def run(self) -> None:
        """Look at the logs for as long as somebody waits; never returns."""
        self._loop = asyncio.get_running_loop()
        seen: dict[str, int] = {}
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            if self._waiting:
                try:
                    sizes = await self._read(self._sizes)
                except StoreUnavailable:
                    continue
                if sizes != seen:
                    self._wake()
                seen = sizes

    async def serve(self, request: Request) -> Response:
        name_route(request.scope, PATH)
        request_id = self._plane.new_id("req_")
        try:
            if request.method != "GET":
                return _problem(405, "method-not-allowed", "Only GET.", request_id=request_id)
            principal = await self._read(self._admit, request.headers.get("Authorization"))
            query = _query(request)
            wanted = self._plane.tails.wanted(principal, filter_of(query))
            size = await self._read(self._plane.tails.size, principal.tenant)
            first = _first(request.headers.get("Last-Event-ID"), size)
            self._check_place(principal)
        except Refused as exc:
            status = status_of(exc)
            return _problem(status, exc.code, exc.detail, request_id=request_id, problems=exc.problems)
        except StoreUnavailable:
            detail = "The store did not answer. Try again."
            return _problem(503, "store-unavailable", detail, request_id=request_id)
        stream = self._events(request, principal, wanted, first=first, until=time.monotonic() + query["max_s"])
        headers = {
            **SECURITY_HEADERS,
            "Cache-Control": "no-store",
            "X-Accel-Buffering": "no",
            "X-Request-Id": request_id,
        }
        return StreamingResponse(stream, media_type="text/event-stream", headers=headers)

    async def _events(
        self, request: Request, principal: Principal, wanted: DecisionFilter, *, first: int, until: float
    ) -> AsyncIterator[bytes]:
        started, sent = time.monotonic(), 0
        # Here and not before: of a stream that never begins, nobody would give the place back.
        self._subscribers[principal.tenant, principal.id] += 1
        try:
            yield f"retry: {_RETRY_MS}\nid: {first - 1}\n\n".encode()
            heard = checked = time.monotonic()
            while not self._is_closed():
                step = await self._read(self._plane.tails.step, principal.tenant, wanted, first)
                for arrived in step.arrived:
                    yield _event("decision", arrived.index, item_of(arrived.view))
                sent += len(step.arrived)
                now = time.monotonic()
                if step.arrived:
                    heard = now
                elif now - heard >= _HEARTBEAT_S:
                    # The place is told, too: who comes again does not have to look at all of it again.
                    yield f": still here\nid: {step.end - 1}\n\n".encode()
                    heard = now
                first = step.end
                if now >= until:
                    return
                if now - checked >= _RECHECK_S:
                    if not await self._is_admitted(request, principal):
                        yield b'event: end\ndata: {"code":"token-invalid"}\n\n'
                        return
                    checked = now
                if step.is_last:
                    await self._arrival(within_s=min(_RECHECK_S, until - now))
        except StoreUnavailable:
            yield b'event: end\ndata: {"code":"store-unavailable"}\n\n'
        finally:
            self._leave(principal)
            _log.info("tail_ended", principal=principal.id, sent=sent, seconds=round(time.monotonic() - started, 1))

    async def _arrival(self, *, within_s: float) -> None:
        future = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            await asyncio.wait({future}, timeout=within_s)
        finally:
            self._waiting.discard(future)

    async def _is_admitted(self, request: Request, principal: Principal) -> bool:
        try:
            return bool(await self._read(self._admit, request.headers.get("Authorization")) == principal)
        except Refused:
            return False

    async def _read(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)

    def _admit(self, authorization: str | None) -> Principal:
        principal = self._plane.access.authenticate(authorization)
        self._plane.access.authorize(principal, Permission.DECISIONS_READ)
        return principal

    def _sizes(self) -> dict[str, int]:
        return {tenant: self._plane.tails.size(tenant) for tenant, _ in list(self._subscribers)}

    def _check_place(self, principal: Principal) -> None:
        of_one = self._subscribers[principal.tenant, principal.id]
        if self._subscribers.total() >= MOST_SUBSCRIBERS or of_one >= MOST_OF_ONE:
            raise TooOften("too-many-tails", "As many follow the log as may. End another one, or come later.")

    def _leave(self, principal: Principal) -> None:
        key = (principal.tenant, principal.id)
        self._subscribers[key] -= 1
        if not self._subscribers[key]:
            del self._subscribers[key]

    def _wake(self) -> None:
        for future in self._waiting:
            if not future.done():
                future.set_result(None)


def _query(request: Request) -> dict[str, Any]:
    schema = TailQuerySchema()
    given: dict[str, Any] = {}
    names = {declared.data_key or name: declared for name, declared in schema.fields.items()}
    for name, value in request.query_params.multi_items():
        if not (is_plain_text(name) and is_plain_text(value)):
            raise Invalid("parameter-invalid", "A parameter has NUL or half of a surrogate pair.")
        if isinstance(names.get(name), fields.List):
            given.setdefault(name, []).append(value)
        else:
            given[name] = value
    try:
        read: dict[str, Any] = schema.load(given)
    except ma.ValidationError as exc:
        problems = tuple(problems_of(exc.messages, pointer="", code="query-invalid"))
        raise Invalid("query-invalid", "The query is not what this endpoint takes.", problems=problems) from exc
    return read


def _first(last_event_id: str | None, size: int) -> int:
    """Return the index to begin at: behind the last event that the client saw, at the log's end without one."""
    if last_event_id is None:
        return size
    if last_event_id == "-1":
        return 0
    if last_event_id.isascii() and last_event_id.isdigit() and len(last_event_id) <= len(str(size)) + 1:
        seen = int(last_event_id)
        if seen < size:
            return seen + 1
    fix = "Leave it out, or send the id of an event as it came."
    problem = Problem(
        code="query-invalid", message="Not the id of an event of this log.", pointer="/Last-Event-ID", fix=fix
    )
    raise Invalid("query-invalid", "Last-Event-ID is of no event of this log.", problems=(problem,))


def _event(name: str, index: int, item: dict[str, Any]) -> bytes:
    return b"event: %s\nid: %d\ndata: %s\n\n" % (name.encode(), index, orjson.dumps(item))


def _problem(status: int, code: str, detail: str, *, request_id: str, problems: tuple[Problem, ...] = ()) -> Response:
    document = problem_document(
        status=status, code=code, detail=detail, instance=PATH, request_id=request_id, problems=problems
    )
    headers = {**SECURITY_HEADERS, **headers_of(status), "Cache-Control": "no-store", "X-Request-Id": request_id}
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = "GET"
    return JSONResponse(document, status_code=status, media_type=MEDIA_TYPE, headers=headers)
