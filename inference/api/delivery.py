# SPDX-License-Identifier: Apache-2.0
"""Brings the answers of a request to its client, whole or as server-sent events, and ends them when it is gone."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Sequence

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from inference.answer import Answer, GenerationFailed
from inference.api.answers import AnswerShape, Choice, Usage
from inference.api.errors import INTERNAL, STOPPING
from inference.job import Finished, FinishReason

log = structlog.get_logger()


class _Stopped(Exception):
    """The server stops: an answer ended that a client waits for."""


class _Collected:
    """The choices as they come to be."""

    def __init__(self, answers: Sequence[Answer], shape: AnswerShape) -> None:
        self._answers = answers
        self._shape = shape
        self._texts: list[list[str]] = [[] for _ in answers]
        self._choices: dict[int, Choice] = {}
        self._completion_tokens = 0

    def add(self, index: int, text: str) -> None:
        self._texts[index].append(text)

    def finish(self, index: int, finished: Finished) -> Choice:
        """The choice, complete. Raises _Stopped where it is not."""
        if finished.reason is FinishReason.CANCELLED:
            raise _Stopped
        self._completion_tokens += finished.completion_tokens
        self._choices[index] = Choice("".join(self._texts[index]), finished.reason)
        log.info(
            "answer_finished",
            answer_id=self._shape.id,
            model=self._shape.model,
            choice=index,
            prompt_tokens=len(self._answers[index].job.prompt),
            completion_tokens=finished.completion_tokens,
            reason=str(finished.reason),
        )
        return self._choices[index]

    @property
    def choices(self) -> list[Choice]:
        return [self._choices[index] for index in range(len(self._answers))]

    @property
    def usage(self) -> Usage:
        """All choices continue the same prompt, which counts once."""
        return Usage(prompt_tokens=len(self._answers[0].job.prompt), completion_tokens=self._completion_tokens)


async def deliver_whole(request: Request, answers: Sequence[Answer], shape: AnswerShape) -> Response:
    """The answers when they are complete. A client that leaves before cancels them."""
    for answer in answers:
        answer.wait_for_the_end()
    watch = asyncio.create_task(_cancel_when_gone(request, answers))
    collected = _Collected(answers, shape)
    try:
        async for index, item in _merged(answers):
            if isinstance(item, str):
                collected.add(index, item)
            else:
                collected.finish(index, item)
    except GenerationFailed:
        return INTERNAL.response()
    except _Stopped:
        return STOPPING.response()
    finally:
        _cancel(answers)
        watch.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watch
    return JSONResponse(shape.whole(collected.choices, collected.usage))


def deliver_stream(answers: Sequence[Answer], shape: AnswerShape) -> Response:
    """The answers as they arise. What tells that they are complete is sent only after complete ones."""
    return StreamingResponse(
        _events(answers, shape),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
    )


async def _events(answers: Sequence[Answer], shape: AnswerShape) -> AsyncIterator[bytes]:
    number = itertools.count()
    collected = _Collected(answers, shape)
    try:
        for index in range(len(answers)):
            for body in shape.opening(index):
                yield shape.event(body, next(number))
        async for index, item in _merged(answers):
            if isinstance(item, str):
                collected.add(index, item)
                yield shape.event(shape.piece(item, index), next(number))
            else:
                for body in shape.closing(collected.finish(index, item), index):
                    yield shape.event(body, next(number))
        for body in shape.ending(collected.choices, collected.usage):
            yield shape.event(body, next(number))
        yield shape.done
    except GenerationFailed:
        yield shape.event(shape.failure(INTERNAL), next(number))
    except _Stopped:
        yield shape.event(shape.failure(STOPPING), next(number))
    finally:
        # Starlette cancels this generator when the client is gone.
        _cancel(answers)


async def _merged(answers: Sequence[Answer]) -> AsyncIterator[tuple[int, str | Finished]]:
    """What arrives for each answer, with its number, until all have finished. Raises as the first to fail."""
    if len(answers) == 1:
        async for item in answers[0].pieces():
            yield 0, item
        return
    arrived: asyncio.Queue[tuple[int, str | Finished | GenerationFailed]] = asyncio.Queue()

    async def forward(index: int, answer: Answer) -> None:
        try:
            async for item in answer.pieces():
                arrived.put_nowait((index, item))
        except GenerationFailed as failed:
            arrived.put_nowait((index, failed))

    readers = [asyncio.create_task(forward(index, answer)) for index, answer in enumerate(answers)]
    try:
        unfinished = len(answers)
        while unfinished:
            number, told = await arrived.get()
            if isinstance(told, GenerationFailed):
                raise told
            unfinished -= isinstance(told, Finished)
            yield number, told
    finally:
        for reader in readers:
            reader.cancel()


def _cancel(answers: Sequence[Answer]) -> None:
    for answer in answers:
        answer.cancel()


async def _cancel_when_gone(request: Request, answers: Sequence[Answer]) -> None:
    # The body was read to its end, so the next message can only be that the client has left.
    while (await request.receive())["type"] != "http.disconnect":
        pass
    _cancel(answers)
