# SPDX-License-Identifier: Apache-2.0
"""One generation thread behind a bounded queue.

Rules
    One thread runs the model: neither it nor torch's random numbers are made for more.
    The queue is bounded: a request that would have to wait for too many others is refused at once.
    An answer nobody waits for any more ends at its next token, and a queued one never starts.
"""

import contextlib
import queue
import threading
import time
from collections.abc import Callable
from typing import Final

import structlog

from inference.answer import Answer, EngineBusy, EngineDown, GenerationFailed
from inference.job import Finished, FinishReason, Job
from inference.load import EngineLoad, EngineObserver, Outcome, Unobserved

log = structlog.get_logger()

# Runs one job: (job, on_text, is_cancelled) -> how it ended.
RunJob = Callable[[Job, Callable[[str], None], Callable[[], bool]], Finished]

# One failure may be the request's; several in a row are the engine's (a lost GPU, no memory), and readiness ends.
FAILURES_TO_UNREADY: Final = 3


class Engine:
    """Takes jobs, runs them one after the other, in the order they came."""

    def __init__(
        self,
        run: RunJob,
        *,
        queue_size: int,
        observer: EngineObserver | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run = run
        self._observer = observer or Unobserved()
        self._clock = clock
        self._queue: queue.Queue[tuple[Answer, float] | None] = queue.Queue(queue_size)
        self._stopping = threading.Event()
        self._failures = 0
        self._running = 0
        # A daemon: a generation that hangs in a kernel must not keep a stopped server from ending.
        self._thread = threading.Thread(target=self._work, name="generation", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def submit(self, job: Job) -> Answer:
        """Queues the job. MUST be called on the event loop that reads the answer."""
        if self._stopping.is_set():
            raise EngineDown
        answer = Answer(job)
        try:
            self._queue.put_nowait((answer, self._clock()))
        except queue.Full:
            raise EngineBusy from None
        return answer

    def load(self) -> EngineLoad:
        return EngineLoad(waiting=self._queue.qsize(), running=self._running, cache_usage=0.0)

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
        while (queued := self._queue.get()) is not None:
            answer, submitted_at = queued
            self._running = 1
            ended = self._outcome(answer, submitted_at)
            self._running = 0
            outcome, count = Outcome.FAILED, 0
            if isinstance(ended, Finished):
                outcome, count = Outcome(ended.reason), ended.completion_tokens
            self._observer.tokens(count)
            self._observer.ended(outcome, completion_tokens=count, after_s=self._clock() - submitted_at)
            answer.put(ended)
            if self._stopping.is_set() and self._queue.empty():
                return

    def _outcome(self, answer: Answer, submitted_at: float) -> Finished | GenerationFailed:
        told = False

        def is_cancelled() -> bool:
            return answer.is_cancelled() or self._stopping.is_set()

        def on_text(text: str) -> None:
            nonlocal told
            if not told:
                told = True
                self._observer.first_token(after_s=self._clock() - submitted_at)
            answer.put(text)

        if is_cancelled():
            return Finished(reason=FinishReason.CANCELLED, completion_tokens=0)
        self._observer.begun(prompt_tokens=len(answer.job.prompt), queue_s=self._clock() - submitted_at)
        try:
            finished = self._run(answer.job, on_text, is_cancelled)
        except Exception as exc:  # noqa: BLE001 - one request that fails must not end the thread that serves all others
            self._failures += 1
            log.error("generation_failed", error=type(exc).__name__, prompt_tokens=len(answer.job.prompt))  # noqa: TRY400 - the text may quote content
            return GenerationFailed()
        self._failures = 0
        return finished
