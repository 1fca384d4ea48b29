# SPDX-License-Identifier: Apache-2.0
"""The routes, and the one boundary at which anything unforeseen becomes a plain 500."""

import secrets
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Final

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from inference.answer import EngineBusy, EngineDown
from inference.api.admission import ServedModel, admit_chat, admit_completion, find_model
from inference.api.answers import AnswerShape, ChatShape, CompletionShape
from inference.api.body import read_json_body
from inference.api.delivery import deliver_stream, deliver_whole
from inference.api.errors import INTERNAL, STOPPING, Refusal, RequestRefused, overloaded
from inference.api.fields import parse_object
from inference.api.requests import Wishes, parse_chat, parse_completion
from inference.api.response_request import parse_response
from inference.api.response_shape import ResponseShape
from inference.job import Job

log = structlog.get_logger()

OWNER: Final = "gatehouse"


class InferenceApi:
    """The endpoints over the models, each of which has an engine of its own."""

    def __init__(self, *, models: Sequence[ServedModel], clock: Callable[[], float]) -> None:
        self._models = tuple(models)
        self._clock = clock
        self._started_at = int(clock())

    def application(self) -> ASGIApp:
        routes = [
            Route("/v1/models", self.models, methods=["GET"]),
            Route("/v1/chat/completions", self.chat_completions, methods=["POST"]),
            Route("/v1/completions", self.completions, methods=["POST"]),
            Route("/v1/responses", self.responses, methods=["POST"]),
            Route("/healthz", self.healthz, methods=["GET"]),
            Route("/readyz", self.readyz, methods=["GET"]),
        ]
        application = Starlette(
            routes=routes,
            exception_handlers={RequestRefused: _refused, HTTPException: _not_routed, Exception: _unforeseen},
        )
        # A path with a slash too many is another path, and is not redirected.
        application.router.redirect_slashes = False
        return _last_resort(application)

    async def models(self, _: Request) -> Response:
        entries = [self._entry(name, model) for model in self._models for name in model.names]
        digests = ", ".join(model.digest for model in self._models)
        return JSONResponse({"object": "list", "data": entries}, headers={"Gatehouse-Model-Digest": digests})

    def _entry(self, name: str, model: ServedModel) -> dict[str, object]:
        limits = {"digest": model.digest, "context_tokens": model.context_tokens, "queue_size": model.queue_size}
        return {"id": name, "object": "model", "created": self._started_at, "owned_by": OWNER, "gatehouse": limits}

    async def chat_completions(self, request: Request) -> Response:
        asked = parse_chat(parse_object(await read_json_body(request)))
        model = find_model(asked.wishes.model, self._models)
        job = await admit_chat(asked, model)
        return await self._answer(request, model, job, asked.wishes, shape=ChatShape, prefix="chatcmpl-")

    async def completions(self, request: Request) -> Response:
        asked = parse_completion(parse_object(await read_json_body(request)))
        model = find_model(asked.wishes.model, self._models)
        job = await admit_completion(asked, model)
        return await self._answer(request, model, job, asked.wishes, shape=CompletionShape, prefix="cmpl-")

    async def responses(self, request: Request) -> Response:
        asked = parse_response(parse_object(await read_json_body(request)))
        model = find_model(asked.wishes.model, self._models)
        job = await admit_chat(asked, model)
        return await self._answer(request, model, job, asked.wishes, shape=ResponseShape, prefix="resp_")

    async def healthz(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(self, _: Request) -> Response:
        return JSONResponse({"status": "ready"}) if self._is_ready() else STOPPING.response()

    def _is_ready(self) -> bool:
        return all(model.engine.is_ready for model in self._models)

    async def _answer(
        self,
        request: Request,
        model: ServedModel,
        job: Job,
        wishes: Wishes,
        *,
        shape: type[AnswerShape],
        prefix: str,
    ) -> Response:
        try:
            answer = model.engine.submit(job)
        except EngineDown:
            raise RequestRefused(STOPPING) from None
        except EngineBusy as busy:
            raise RequestRefused(overloaded(busy.retry_after_s)) from None
        written = shape(
            id=f"{prefix}{secrets.token_hex(12)}",
            created=int(self._clock()),
            model=wishes.model,
            include_usage=wishes.include_usage,
        )
        return deliver_stream(answer, written) if wishes.stream else await deliver_whole(request, answer, written)


async def _refused(_: Request, exc: Exception) -> Response:
    if not isinstance(exc, RequestRefused):
        raise exc
    log.info("request_refused", status=exc.refusal.status, code=exc.refusal.code)
    return exc.refusal.response()


async def _not_routed(_: Request, exc: Exception) -> Response:
    if not isinstance(exc, HTTPException):
        raise exc
    if exc.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = exc.headers or {}
        return Refusal(status=405, message="Not this method.", code="method_not_allowed", headers=allowed).response()
    return Refusal(status=404, message="There is no such path.", code="not_found").response()


async def _unforeseen(_: Request, __: Exception) -> Response:
    return INTERNAL.response()


def _last_resort(application: ASGIApp) -> ASGIApp:
    """Outside everything: Starlette answers an unforeseen exception by `_unforeseen` and raises it again, up to here.

    Here it ends. uvicorn would log its text, which may quote what a client sent. Where an answer had already begun,
    uvicorn closes the connection short of the last chunk, so that the client sees that it is incomplete.
    """

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await application(scope, receive, send)
        except Exception as exc:  # noqa: BLE001 - the outermost layer
            log.error("request_failed", error=type(exc).__name__)  # noqa: TRY400 - a traceback may quote content

    return guarded
