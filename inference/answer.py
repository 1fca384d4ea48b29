# SPDX-License-Identifier: Apache-2.0
"""An answer on its way from the engine's thread to the coroutine that reads it."""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable

from inference.job import Finished, Job


class EngineBusy(Exception):
    """The queue is full, or the engine cannot serve now: try again after so many seconds."""

    def __init__(self, *, retry_after_s: int = 1) -> None:
        super().__init__(f"try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class EngineDown(EngineBusy):
    """The engine is stopping, or is being rebuilt after a failure."""


class GenerationFailed(Exception):
    """The model raised. What it said stays in the log, by its type."""


class Answer:
    """Filled by the engine, read by one coroutine."""

    def __init__(self, job: Job, *, on_cancel: Callable[[], None] = lambda: None) -> None:
        self.job = job
        self._loop = asyncio.get_running_loop()
        self._on_cancel = on_cancel
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
        if not self._cancelled.is_set():
            self._cancelled.set()
            self._on_cancel()

    def is_cancelled(self) -> bool:
        return self._cancelled.is_set()

    def put(self, item: str | Finished | GenerationFailed) -> None:
        """For the engine's thread."""
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
