# SPDX-License-Identifier: Apache-2.0
"""One generation thread behind a bounded queue, and the way of its text to the event loop.

Rules
    One thread runs the model: neither it nor torch's random numbers are made for more.
    The queue is bounded: a request that would have to wait for too many others is refused at once.
    An answer nobody waits for any more ends at its next token, and a queued one never starts.
"""

import asyncio
import contextlib
import queue
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Final

import structlog

from inference.job import Finished, FinishReason, Job

log = structlog.get_logger()

# Runs one job: (job, on_text, is_cancelled) -> how it ended.
RunJob = Callable[[Job, Callable[[str], None], Callable[[], bool]], Finished]

# One failure may be the request's; several in a row are the engine's (a lost GPU, no memory), and readiness ends.
FAILURES_TO_UNREADY: Final = 3


class EngineBusy(Exception):
    """The queue is full, or the engine is stopping: try again later."""


class GenerationFailed(Exception):
    """The model raised. What it said stays in the log, by its type."""


class Answer:
    """An answer on its way: filled by the generation thread, read by one coroutine."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._loop = asyncio.get_running_loop()
        self._arrived: deque[str | Finished | GenerationFailed] = deque()
        self._something = asyncio.Event()
        self._cancelled = threading.Event()
        self._wakes_for_text = True

    def wait_for_the_end(self) -> None:
        """The reader wants the text only when it is complete.

        Waking the event loop for each token makes both threads contend for the interpreter, and costs a third of the
        speed of a small model.
        """
        self._wakes_for_text = False

    def cancel(self) -> None:
        """Nobody waits any more. May be called at any time, from any thread, and twice."""
        self._cancelled.set()

    def is_cancelled(self) -> bool:
        return self._cancelled.is_set()

    def put(self, item: str | Finished | GenerationFailed) -> None:
        """For the generation thread."""
        self._arrived.append(item)
        if isinstance(item, str) and not self._wakes_for_text:
            return
        try:
            self._loop.call_soon_threadsafe(self._something.set)
        except RuntimeError:  # the loop is closed: the server is gone, and so is whoever waited
            self.cancel()

    async def pieces(self) -> AsyncIterator[str | Finished]:
        """Text as it arrives, then how it ended."""
        while True:
            await self._something.wait()
            self._something.clear()
            while self._arrived:
                item = self._arrived.popleft()
                if isinstance(item, GenerationFailed):
                    raise item
                yield item
                if isinstance(item, Finished):
                    return


class Engine:
    """Takes jobs, runs them one after the other, in the order they came."""

    def __init__(self, run: RunJob, *, queue_size: int) -> None:
        self._run = run
        self._queue: queue.Queue[Answer | None] = queue.Queue(queue_size)
        self._stopping = threading.Event()
        self._failures = 0
        # A daemon: a generation that hangs in a kernel must not keep a stopped server from ending.
        self._thread = threading.Thread(target=self._work, name="generation", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def submit(self, job: Job) -> Answer:
        """Queues the job. MUST be called on the event loop that reads the answer."""
        if self._stopping.is_set():
            raise EngineBusy
        answer = Answer(job)
        try:
            self._queue.put_nowait(answer)
        except queue.Full:
            raise EngineBusy from None
        return answer

    @property
    def is_ready(self) -> bool:
        return self._thread.is_alive() and not self._stopping.is_set() and self._failures < FAILURES_TO_UNREADY

    def stop(self, *, timeout_s: float) -> None:
        """Ends what runs at its next token, and what waits without starting it."""
        self._stopping.set()
        # Where the queue is full, the thread wakes for what is in it, and sees that it should stop.
        with contextlib.suppress(queue.Full):
            self._queue.put_nowait(None)
        self._thread.join(timeout_s)

    def _work(self) -> None:
        while (answer := self._queue.get()) is not None:
            answer.put(self._outcome(answer))
            if self._stopping.is_set() and self._queue.empty():
                return

    def _outcome(self, answer: Answer) -> Finished | GenerationFailed:
        def is_cancelled() -> bool:
            return answer.is_cancelled() or self._stopping.is_set()

        if is_cancelled():
            return Finished(reason=FinishReason.CANCELLED, completion_tokens=0)
        try:
            finished = self._run(answer.job, answer.put, is_cancelled)
        except Exception as exc:  # noqa: BLE001 - one request that fails must not end the thread that serves all others
            self._failures += 1
            log.error("generation_failed", error=type(exc).__name__, prompt_tokens=len(answer.job.prompt))  # noqa: TRY400 - the text may quote content
            return GenerationFailed()
        self._failures = 0
        return finished
