# SPDX-License-Identifier: Apache-2.0
"""Brings an answer to its client, whole or as server-sent events, and ends it when the client is gone."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from inference.api.answers import AnswerShape, Json, Usage
from inference.api.errors import INTERNAL, STOPPING, Refusal
from inference.engine import Answer, GenerationFailed
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
    """The answer as it arises. `[DONE]` is sent only after a complete one."""
    return StreamingResponse(
        _events(answer, shape),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
    )


async def _events(answer: Answer, shape: AnswerShape) -> AsyncIterator[bytes]:
    try:
        if (opening := shape.opening()) is not None:
            yield _event(opening)
        async for item in answer.pieces():
            if isinstance(item, str):
                yield _event(shape.piece(item))
            elif item.reason is FinishReason.CANCELLED:
                yield _error_event(STOPPING)
            else:
                _log_end(answer, shape, item)
                yield _event(shape.closing(item.reason))
                if shape.include_usage:
                    yield _event(shape.totals(_usage(answer, item)))
                yield b"data: [DONE]\n\n"
    except GenerationFailed:
        yield _error_event(INTERNAL)
    finally:
        # Starlette cancels this generator when the client is gone.
        answer.cancel()


async def _cancel_when_gone(request: Request, answer: Answer) -> None:
    # The body was read to its end, so the next message can only be that the client has left.
    while (await request.receive())["type"] != "http.disconnect":
        pass
    answer.cancel()


def _event(body: Json) -> bytes:
    # ASCII: no character of the model's can look like a line's end to any reader of event streams.
    return b"data: " + json.dumps(body, separators=(",", ":")).encode("ascii") + b"\n\n"


def _error_event(refusal: Refusal) -> bytes:
    return _event(refusal.body())


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
