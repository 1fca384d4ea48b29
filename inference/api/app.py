# SPDX-License-Identifier: Apache-2.0
"""The routes, and what each endpoint does between a request and its answer."""

import secrets
from collections.abc import Callable, Sequence
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from inference.answer import EngineBusy, EngineDown
from inference.api.admission import ServedModel, admit_chat, admit_completion, find_model
from inference.api.answers import AnswerShape, ChatShape, CompletionShape
from inference.api.body import read_json_body
from inference.api.delivery import deliver_stream, deliver_whole
from inference.api.embedding_request import parse_embedding
from inference.api.embeddings import ServedEncoder, answer_embedding
from inference.api.errors import STOPPING, RequestRefused, overloaded
from inference.api.failures import CountRefusal, exception_handlers, last_resort
from inference.api.fields import parse_object
from inference.api.moderations import Moderations
from inference.api.operations import answer_health, answer_readiness
from inference.api.requests import Wishes, parse_chat, parse_completion
from inference.api.response_request import parse_response
from inference.api.response_shape import ResponseShape
from inference.job import Job

OWNER: Final = "gatehouse"
# On each answer: the weights that gave it. The proxy keeps it in the decision record.
DIGEST_HEADER: Final = "Gatehouse-Model-Digest"


class InferenceApi:
    """The endpoints over the models, each of which has an engine of its own."""

    def __init__(
        self,
        *,
        models: Sequence[ServedModel],
        encoders: Sequence[ServedEncoder] = (),
        clock: Callable[[], float],
        count_refusal: CountRefusal = lambda _status, _code: None,
        moderations: Moderations | None = None,
        is_ready: Callable[[], bool] | None = None,
    ) -> None:
        self._models = tuple(models)
        self._encoders = tuple(encoders)
        self._clock = clock
        self._count_refusal = count_refusal
        self._moderations = moderations
        self._is_ready = is_ready or self._engines_are_ready
        self._started_at = int(clock())

    def application(self) -> ASGIApp:
        routes = [
            Route("/v1/models", self.models, methods=["GET"]),
            Route("/v1/chat/completions", self.chat_completions, methods=["POST"]),
            Route("/v1/completions", self.completions, methods=["POST"]),
            Route("/v1/responses", self.responses, methods=["POST"]),
            Route("/v1/embeddings", self.embeddings, methods=["POST"]),
            Route("/healthz", answer_health, methods=["GET"]),
            Route("/readyz", self.readyz, methods=["GET"]),
        ]
        if self._moderations is not None:
            routes.append(Route("/v1/moderations", self._moderations.answer, methods=["POST"]))
        application = Starlette(routes=routes, exception_handlers=exception_handlers(self._count_refusal))
        # A path with a slash too many is another path, and is not redirected.
        application.router.redirect_slashes = False
        return last_resort(application)

    async def models(self, _: Request) -> Response:
        served: tuple[ServedModel | ServedEncoder, ...] = (*self._models, *self._encoders)
        entries = [self._entry(name, model) for model in served for name in model.names]
        digests = ", ".join(model.digest for model in served)
        return JSONResponse({"object": "list", "data": entries}, headers={DIGEST_HEADER: digests})

    def _entry(self, name: str, model: ServedModel | ServedEncoder) -> dict[str, object]:
        told: dict[str, object] = {"digest": model.digest, "context_tokens": model.context_tokens}
        told["queue_size"] = model.queue_size
        if isinstance(model, ServedEncoder):
            told["dimensions"] = model.dimensions
        return {"id": name, "object": "model", "created": self._started_at, "owned_by": OWNER, "gatehouse": told}

    async def chat_completions(self, request: Request) -> Response:
        asked = parse_chat(parse_object(await read_json_body(request)))
        model = self._model(asked.wishes.model)
        job = await admit_chat(asked, model)
        return await self._answer(request, model, job, asked.wishes, shape=ChatShape, prefix="chatcmpl-")

    async def completions(self, request: Request) -> Response:
        asked = parse_completion(parse_object(await read_json_body(request)))
        model = self._model(asked.wishes.model)
        job = await admit_completion(asked, model)
        return await self._answer(request, model, job, asked.wishes, shape=CompletionShape, prefix="cmpl-")

    async def responses(self, request: Request) -> Response:
        asked = parse_response(parse_object(await read_json_body(request)))
        model = self._model(asked.wishes.model)
        job = await admit_chat(asked, model)
        return await self._answer(request, model, job, asked.wishes, shape=ResponseShape, prefix="resp_")

    async def embeddings(self, request: Request) -> Response:
        asked = parse_embedding(parse_object(await read_json_body(request)))
        encoder = find_model(asked.model, self._encoders, others=self._models, makes="text, and no embeddings")
        response = await answer_embedding(request, asked, encoder)
        response.headers[DIGEST_HEADER] = encoder.digest
        return response

    def _model(self, name: str) -> ServedModel:
        return find_model(name, self._models, others=self._encoders, makes="embeddings, and no text")

    async def readyz(self, _: Request) -> Response:
        return answer_readiness(is_ready=self._is_ready)

    def _engines_are_ready(self) -> bool:
        models = all(model.engine.is_ready for model in self._models)
        return models and all(encoder.engine.is_ready for encoder in self._encoders)

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
            answers = model.engine.submit_all([job.choice(number) for number in range(wishes.choices)])
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
        response = deliver_stream(answers, written) if wishes.stream else await deliver_whole(request, answers, written)
        response.headers[DIGEST_HEADER] = model.digest
        return response
