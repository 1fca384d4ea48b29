# SPDX-License-Identifier: Apache-2.0
"""`POST /v1/moderations`: texts in, the prompt screen's judgement out."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable
from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from inference.api.body import read_json_body
from inference.api.errors import INTERNAL, STOPPING, Refusal, RequestRefused
from inference.api.fields import parse_object
from inference.api.moderation_request import ModerationRequest, parse_moderation
from inference.api.moderation_shape import is_flagged, moderation_json
from inference.metrics.screened import ScreenMetrics, ScreenOutcome
from inference.screen.batcher import ScreenBusy, ScreenFailed
from inference.screen.merging import of_one_message
from inference.screen.question import Judged
from inference.screen.screen import Screen

log = structlog.get_logger()

SCREEN_OVERLOADED: Final = Refusal(
    status=429,
    message="Too many texts wait for the screen. Try again later.",
    code="screen_overloaded",
    kind="rate_limit_error",
    headers={"Retry-After": "1"},
)


class Moderations:
    """The endpoint over one screen."""

    def __init__(self, screen: Screen, metrics: ScreenMetrics, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._screen = screen
        self._metrics = metrics
        self._clock = clock

    async def answer(self, request: Request) -> Response:
        begun_at = self._clock()
        # Reading a long body takes a while, and other answers' streams go on meanwhile.
        body = await read_json_body(request)
        asked = await asyncio.to_thread(lambda: parse_moderation(parse_object(body)))
        if not self._screen.is_ready:
            raise RequestRefused(STOPPING)
        try:
            judged = await self._ask(request, asked)
        except ScreenBusy:
            self._metrics.unanswered(ScreenOutcome.OVERLOADED)
            raise RequestRefused(SCREEN_OVERLOADED) from None
        except ScreenFailed:
            self._metrics.unanswered(ScreenOutcome.FAILED)
            raise RequestRefused(INTERNAL) from None
        if judged is None:
            self._metrics.unanswered(ScreenOutcome.LEFT)
            return STOPPING.response()  # which nobody reads
        return self._written(asked, judged, seconds=self._clock() - begun_at)

    async def _ask(self, request: Request, asked: ModerationRequest) -> Judged | None:
        """The judgement, or None where the client left before."""
        question = asyncio.create_task(
            self._screen.ask(asked.inputs, joined=asked.joined or asked.one_message, deadline_s=asked.deadline_s)
        )
        watch = asyncio.create_task(_cancel_when_gone(request, question))
        try:
            return await question
        except asyncio.CancelledError:
            if watch.done():
                return None
            raise
        finally:
            question.cancel()
            watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch

    def _written(self, asked: ModerationRequest, judged: Judged, *, seconds: float) -> Response:
        results = (of_one_message(asked.inputs, judged),) if asked.one_message else judged.results
        joined = None if asked.one_message else judged.joined
        flagged = any(map(is_flagged, (*results, *((joined,) if joined else ()))))
        outcome = ScreenOutcome.INJECTION if flagged else ScreenOutcome.BENIGN
        self._metrics.answered(outcome, seconds=seconds, complete=judged.complete)
        return JSONResponse(moderation_json(judged, results, joined, id_=f"modr-{secrets.token_hex(12)}"))


async def _cancel_when_gone(request: Request, question: "asyncio.Task[Judged]") -> None:
    # The body was read to its end, so the next message can only be that the client has left.
    while (await request.receive())["type"] != "http.disconnect":
        pass
    question.cancel()
