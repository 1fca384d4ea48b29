# SPDX-License-Identifier: Apache-2.0
"""One thread that embeds what waits, in batches over requests.

Rules
    The queue is bounded: a request too many is refused at once.
    Texts of like length share a batch, so that little of it is padding; a batch is bounded in tokens.
    A request nobody waits for any more is left out at the next batch.
"""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from inference.answer import EngineBusy, EngineDown, GenerationFailed

log = structlog.get_logger()

Vector = list[float]
Tokens = tuple[int, ...]

# Padded tokens in one batch: enough to keep a GPU busy, short enough on a CPU that a small request is not long behind.
BATCH_TOKENS: Final = 4096


class _Request:
    """The texts of one client, and what there is of their vectors."""

    def __init__(self, texts: Sequence[Tokens]) -> None:
        self.texts = texts
        self.vectors: dict[int, Vector] = {}
        self.cancelled = threading.Event()
        self._loop = asyncio.get_running_loop()
        self.done: asyncio.Future[list[Vector]] = self._loop.create_future()

    def put(self, number: int, vector: Vector) -> None:
        self.vectors[number] = vector
        if len(self.vectors) == len(self.texts):
            self._tell(lambda: self.done.set_result([self.vectors[each] for each in range(len(self.texts))]))

    def fail(self, error: Exception) -> None:
        self.cancelled.set()
        self._tell(lambda: self.done.set_exception(error))

    def _tell(self, settle: Callable[[], None]) -> None:
        def once() -> None:
            if not self.done.done():
                settle()

        with contextlib.suppress(RuntimeError):  # the loop is closed: the server is gone, and so is whoever waited
            self._loop.call_soon_threadsafe(once)


class EmbeddingEngine:
    """Takes requests, and answers each when the last of its texts is done."""

    def __init__(self, encode: Callable[[Sequence[Tokens]], list[Vector]], *, queue_size: int) -> None:
        self._encode = encode
        self._queue: queue.Queue[_Request | None] = queue.Queue(queue_size)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="embedding", daemon=True)

    def start(self) -> None:
        self._thread.start()

    async def embed(self, texts: Sequence[Tokens]) -> list[Vector]:
        """The vectors of the texts, in their order. Raises EngineBusy, EngineDown or GenerationFailed."""
        if self._stopping.is_set():
            raise EngineDown
        request = _Request(texts)
        try:
            self._queue.put_nowait(request)
        except queue.Full:
            raise EngineBusy from None
        try:
            return await request.done
        finally:
            request.cancelled.set()

    @property
    def is_ready(self) -> bool:
        return self._thread.is_alive() and not self._stopping.is_set()

    def stop(self, *, timeout_s: float) -> None:
        """Ends after the batch that runs."""
        self._stopping.set()
        # Where the queue is full, the thread wakes for what is in it, and sees that it should stop.
        with contextlib.suppress(queue.Full):
            self._queue.put_nowait(None)
        self._thread.join(timeout_s)

    def _work(self) -> None:
        while not self._stopping.is_set():
            waiting = self._waiting(self._queue.get())
            self._run(waiting)
        for request in self._waiting(None):
            request.fail(EngineDown())

    def _waiting(self, first: _Request | None) -> list[_Request]:
        """That request and all that wait behind it: they share batches."""
        waiting = [first]
        with contextlib.suppress(queue.Empty):
            while True:
                waiting.append(self._queue.get_nowait())
        return [request for request in waiting if request is not None]

    def _run(self, requests: Sequence[_Request]) -> None:
        texts = [(request, number) for request in requests for number in range(len(request.texts))]
        texts.sort(key=lambda each: len(each[0].texts[each[1]]))
        while texts:
            texts = [each for each in texts if not each[0].cancelled.is_set()]
            if self._stopping.is_set():
                for request in requests:
                    request.fail(EngineDown())
                return
            size = _batch_size([len(request.texts[number]) for request, number in texts])
            self._run_batch(texts[:size])
            texts = texts[size:]

    def _run_batch(self, batch: Sequence[tuple[_Request, int]]) -> None:
        if not batch:
            return
        try:
            vectors = self._encode([request.texts[number] for request, number in batch])
        except Exception as exc:  # noqa: BLE001 - one batch that fails must not end the thread that serves all others
            log.error("embedding_failed", error=type(exc).__name__, texts=len(batch))  # noqa: TRY400 - it may quote content
            for request, _ in batch:
                request.fail(GenerationFailed())
            return
        for (request, number), vector in zip(batch, vectors, strict=True):
            request.put(number, vector)


def _batch_size(lengths: Sequence[int]) -> int:
    """How many of the texts, sorted by length, share the next batch: each is padded to the longest of them."""
    size = 0
    while size < len(lengths) and (size + 1) * lengths[size] <= BATCH_TOKENS:
        size += 1
    return max(size, 1)
