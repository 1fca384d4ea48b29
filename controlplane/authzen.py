# SPDX-License-Identifier: Apache-2.0
"""The AuthZEN 1.0 endpoints (`docs/spec/authzen.md`), on the edge: a question costs no thread of the API's.

Rules: who asks is known before a body is read. A deny is 200. What is refused is said in a text, or in problem details
where the caller takes them. URLs are made of configuration: a request's Host is a word of a client.
"""

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import orjson
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from controlplane.api.guard import SECURITY_HEADERS
from controlplane.api.problems import MEDIA_TYPE, headers_of, problem_document, status_of
from controlplane.api.strict_json import read_foreign_json
from controlplane.authz.permissions import Permission
from controlplane.bootstrap import ControlPlane
from controlplane.observed import name_route
from controlplane.services.access import hash_token
from controlplane.services.errors import Invalid, NotFound, Refused, StoreUnavailable, TooOften
from controlplane.services.evaluation_answers import AskedBy, answer_of
from controlplane.services.evaluation_questions import Asked, read_batch, read_one
from controlplane.services.ingestion import Behind, TooLarge
from controlplane.services.model import DEFAULT_ENVIRONMENT, Principal
from controlplane.services.scope import require_scope

EVALUATION: Final = "/access/v1/evaluation"
EVALUATIONS: Final = "/access/v1/evaluations"
CONFIGURATION: Final = "/.well-known/authzen-configuration"
OF_ENVIRONMENT: Final = "/{environment}"
_JSON: Final = "application/json"
_MAX_BODY_BYTES: Final = 1024 * 1024
_BODY_WITHIN_S: Final = 10.0
_ENVIRONMENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", re.ASCII)
_REQUEST_ID: Final = re.compile(r"[ -~]{1,256}", re.ASCII)
# Who takes a token away waits no longer than this for it to be refused here.
_PRINCIPAL_FOR_S: Final = 1.0
_MOST_PRINCIPALS: Final = 1024
# What one principal may ask, far above what one process answers in Python, so that it meets who asks in a loop alone.
_QUESTIONS_PER_S: Final = 2_000.0
_BURST: Final = 10_000.0
_AT_ONCE: Final = 256
_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

_log = structlog.get_logger("gatehouse.authzen")


@dataclass(slots=True)
class _Bucket:
    """How many questions a principal may still ask, as of `at`."""

    left: float
    at: float


class AuthZen:
    """The endpoints over `plane`, whose public origin is `url`. Used by one event loop."""

    def __init__(self, plane: ControlPlane, *, url: str) -> None:
        self._plane = plane
        self._url = url
        self._principals: OrderedDict[str, tuple[Principal, float]] = OrderedDict()
        self._buckets: OrderedDict[tuple[str, str], _Bucket] = OrderedDict()
        self._under_way = 0

    def routes(self) -> list[Route]:
        """Return the routes, those of the default environment and those that name one."""
        return [
            Route(f"{where}{path}", endpoint, methods=_METHODS)
            for where in ("", OF_ENVIRONMENT)
            for path, endpoint in ((EVALUATION, self._evaluation), (EVALUATIONS, self._evaluations))
        ] + [Route(f"{CONFIGURATION}{where}", self._configuration, methods=_METHODS) for where in ("", OF_ENVIRONMENT)]

    async def _evaluation(self, request: Request) -> Response:
        return await self._serve(request, EVALUATION)

    async def _evaluations(self, request: Request) -> Response:
        return await self._serve(request, EVALUATIONS)

    async def _configuration(self, request: Request) -> Response:
        """Tell where the endpoints are. It says nothing of which environments there are."""
        named = request.path_params.get("environment")
        name_route(request.scope, CONFIGURATION if named is None else CONFIGURATION + OF_ENVIRONMENT)
        if request.method not in ("GET", "HEAD"):
            return self._refusal(request, 405, "method-not-allowed", "Only GET.", {"Allow": "GET, HEAD"})
        if named is not None and _ENVIRONMENT.fullmatch(named) is None:
            return self._refusal(request, 404, "environment-unknown", "That is no name of an environment.")
        point = self._url if named is None else f"{self._url}/{named}"
        document = {
            "policy_decision_point": point,
            "access_evaluation_endpoint": point + EVALUATION,
            "access_evaluations_endpoint": point + EVALUATIONS,
        }
        headers = {
            **SECURITY_HEADERS,
            "Cache-Control": "public, max-age=300",
            "X-Request-Id": self._request_id(request),
        }
        return JSONResponse(document, headers=headers)

    async def _serve(self, request: Request, path: str) -> Response:
        named = request.path_params.get("environment")
        name_route(request.scope, path if named is None else OF_ENVIRONMENT + path)
        if request.method != "POST":
            return self._refusal(request, 405, "method-not-allowed", "Only POST.", {"Allow": "POST"})
        started, own_id, questions = time.monotonic(), self._plane.new_id("req_"), 0
        try:
            principal = await self._admit(request.headers.get("Authorization"))
            if named is not None and _ENVIRONMENT.fullmatch(named) is None:
                raise NotFound("environment-unknown", "There is no such environment.")
            with self._place():
                asked = await _asked(request, path)
                questions = len(asked.items)
                self._count(principal, questions)
                by = AskedBy(principal=principal, request_id=own_id, client_request_id=_given_id(request))
                environment = named or DEFAULT_ENVIRONMENT
                require_scope(principal, environment)
                deciding = self._plane.decision_point.submit(asked, by, environment=environment)
                answered = await asyncio.wrap_future(deciding)
            answer = self._answer(asked, answered, principal)
            answer.headers["X-Request-Id"] = by.client_request_id or own_id
        except Refused as exc:
            answer = self._refusal(request, status_of(exc), exc.code, exc.detail, request_id=own_id)
            if isinstance(exc, TooOften | Behind):
                answer.headers["Retry-After"] = "1"
        except StoreUnavailable:
            detail = "The log could not be written; nothing was decided. Try again."
            answer = self._refusal(request, 503, "store-unavailable", detail, request_id=own_id)
        except ClientDisconnect:
            answer = self._refusal(request, 400, "body-not-json", "The body ended early.", request_id=own_id)
        _log.info(
            "evaluation_served",
            request_id=own_id,
            status=answer.status_code,
            questions=questions,
            duration_ms=round((time.monotonic() - started) * 1000, 1),
        )
        return answer

    def _answer(self, asked: Asked, answered: Any, principal: Principal) -> Response:
        tells_rules = Permission.POLICIES_READ in self._plane.access.matrix[principal.role]
        told = [answer_of(each, tells_rules=tells_rules) for each in answered]
        body = orjson.dumps({"evaluations": told} if asked.is_batch else told[0])
        return Response(body, media_type=_JSON, headers={**SECURITY_HEADERS, "Cache-Control": "no-store"})

    async def _admit(self, authorization: str | None) -> Principal:
        """Return who asks, as of at most a second ago. Raises Unauthenticated, Forbidden."""
        access = self._plane.access
        key = hash_token(authorization or "")
        known = self._principals.get(key)
        if known is None or time.monotonic() >= known[1]:
            asked_at = time.monotonic()
            known = (await asyncio.to_thread(access.authenticate, authorization), asked_at + _PRINCIPAL_FOR_S)
            self._principals[key] = known
            while len(self._principals) > _MOST_PRINCIPALS:
                self._principals.popitem(last=False)
        access.authorize(known[0], Permission.EVALUATIONS_WRITE)
        return known[0]

    @contextmanager
    def _place(self) -> Iterator[None]:
        if self._under_way >= _AT_ONCE:
            raise Behind("evaluations-behind", "As many requests are being answered as may be. Send this one again.")
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    def _count(self, principal: Principal, questions: int) -> None:
        now, who = time.monotonic(), (principal.tenant, principal.id)
        bucket = self._buckets.get(who) or _Bucket(_BURST, now)
        self._buckets[who] = bucket
        self._buckets.move_to_end(who)
        while len(self._buckets) > _MOST_PRINCIPALS:
            self._buckets.popitem(last=False)
        bucket.left, bucket.at = min(_BURST, bucket.left + (now - bucket.at) * _QUESTIONS_PER_S), now
        if bucket.left < questions:
            raise TooOften("too-many-evaluations", "This principal asks too many questions. Ask again in a second.")
        bucket.left -= questions

    def _request_id(self, request: Request) -> str:
        return _given_id(request) or self._plane.new_id("req_")

    def _refusal(
        self,
        request: Request,
        status: int,
        code: str,
        detail: str,
        more: dict[str, str] | None = None,
        *,
        request_id: str | None = None,
    ) -> Response:
        told_id = _given_id(request) or request_id or self._plane.new_id("req_")
        headers = {**SECURITY_HEADERS, **headers_of(status), **(more or {}), "Cache-Control": "no-store"}
        headers["X-Request-Id"] = told_id
        if MEDIA_TYPE in request.headers.get("Accept", ""):
            path: str = request.scope["path"]
            document = problem_document(status=status, code=code, detail=detail, instance=path, request_id=told_id)
            return JSONResponse(document, status_code=status, media_type=MEDIA_TYPE, headers=headers)
        return PlainTextResponse(f"{HTTPStatus(status).phrase}: {detail}", status_code=status, headers=headers)


async def _asked(request: Request, path: str) -> Asked:
    """Read the body into questions. Raises Invalid, TooLarge."""
    media_type = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media_type != _JSON:
        raise Invalid("media-type-not-permitted", f"Send the question as 'Content-Type: {_JSON}'.")
    body = bytearray()
    try:
        # Whoever sends a byte a minute holds one of the places of those who are answered.
        async with asyncio.timeout(_BODY_WITHIN_S):
            async for part in request.stream():
                body += part
                if len(body) > _MAX_BODY_BYTES:
                    raise TooLarge("body-too-large", f"A request has at most {_MAX_BODY_BYTES} bytes.")
    except TimeoutError as exc:
        raise Invalid("body-not-json", f"The body did not arrive within {_BODY_WITHIN_S:g} s.") from exc
    if not body:
        raise Invalid("body-not-json", "The body is empty.")
    read = read_foreign_json(bytes(body))
    return read_one(read) if path == EVALUATION else read_batch(read)


def _given_id(request: Request) -> str | None:
    given = request.headers.get("X-Request-ID")
    return given if given is not None and _REQUEST_ID.fullmatch(given) else None
