# SPDX-License-Identifier: Apache-2.0
"""Brings an answer to its client, whole or as server-sent events, and ends it when the client is gone."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from inference.answer import Answer, GenerationFailed
from inference.api.answers import AnswerShape, Usage
from inference.api.errors import INTERNAL, STOPPING
from inference.job import Finished, FinishReason

log = structlog.get_logger()


async def deliver_whole(request: Request, answer: Answer, shape: AnswerShape) -> Response:
    """The answer when it is complete. A client that leaves before cancels it."""
    answer.wait_for_the_end()
    watch = asyncio.create_task(_cancel_when_gone(request, answer))
    text: list[str] = []
    finished: Finished | None = None
    try:
        async for item in answer.pieces():
            if isinstance(item, str):
                text.append(item)
            else:
                finished = item
    except GenerationFailed:
        return INTERNAL.response()
    finally:
        answer.cancel()
        watch.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watch
    if finished is None or finished.reason is FinishReason.CANCELLED:
        return STOPPING.response()
    _log_end(answer, shape, finished)
    return JSONResponse(shape.whole("".join(text), finished.reason, _usage(answer, finished)))


def deliver_stream(answer: Answer, shape: AnswerShape) -> Response:
    """The answer as it arises. What tells that it is complete is sent only after a complete one."""
    return StreamingResponse(
        _events(answer, shape),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
    )


async def _events(answer: Answer, shape: AnswerShape) -> AsyncIterator[bytes]:
    number = itertools.count()
    text: list[str] = []
    try:
        for body in shape.opening():
            yield shape.event(body, next(number))
        async for item in answer.pieces():
            if isinstance(item, str):
                text.append(item)
                yield shape.event(shape.piece(item), next(number))
            elif item.reason is FinishReason.CANCELLED:
                yield shape.event(shape.failure(STOPPING), next(number))
            else:
                _log_end(answer, shape, item)
                for body in shape.closing("".join(text), item.reason, _usage(answer, item)):
                    yield shape.event(body, next(number))
                yield shape.done
    except GenerationFailed:
        yield shape.event(shape.failure(INTERNAL), next(number))
    finally:
        # Starlette cancels this generator when the client is gone.
        answer.cancel()


async def _cancel_when_gone(request: Request, answer: Answer) -> None:
    # The body was read to its end, so the next message can only be that the client has left.
    while (await request.receive())["type"] != "http.disconnect":
        pass
    answer.cancel()


def _usage(answer: Answer, finished: Finished) -> Usage:
    return Usage(prompt_tokens=len(answer.job.prompt), completion_tokens=finished.completion_tokens)


def _log_end(answer: Answer, shape: AnswerShape, finished: Finished) -> None:
    log.info(
        "answer_finished",
        answer_id=shape.id,
        model=shape.model,
        prompt_tokens=len(answer.job.prompt),
        completion_tokens=finished.completion_tokens,
        reason=str(finished.reason),
    )
