# SPDX-License-Identifier: Apache-2.0
"""The screen for many questions at once: the reading of texts and the scoring of windows, both off the event loop.

Rules
    Questions and the characters in them are bounded: one more is refused at once, and nothing waits without a bound.
    Texts are read in threads of the screen's own, so that a long one delays no other endpoint's work.
    When the deadline comes the answer is given by what was seen, and says that it is not complete.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from inference.screen.batcher import Batcher, Question, ScreenBusy
from inference.screen.judge import Examined, Judge
from inference.screen.question import Input, Judged, Scores

# Reading holds the interpreter: more threads would read no faster.
_READERS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """How many questions may be open, and how many characters in them."""

    questions: int = 256
    chars: int = 33_554_432


WAITING: Final = Waiting()


class Screen:
    """Judges texts for coroutines. `start` before the first question, `stop` after the last."""

    def __init__(
        self, judge: Judge, batcher: Batcher, *, waiting: Waiting = WAITING, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._judge = judge
        self._batcher = batcher
        self._waiting = waiting
        self._clock = clock
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="screen-reader")
        self._questions = 0
        self._chars = 0
        self._stopping = False

    def start(self) -> None:
        self._batcher.start()

    def stop(self, *, timeout_s: float) -> None:
        self._stopping = True
        self._batcher.stop(timeout_s=timeout_s)
        self._readers.shutdown(wait=False, cancel_futures=True)

    @property
    def is_ready(self) -> bool:
        return self._batcher.is_ready and not self._stopping

    async def ask(self, inputs: Sequence[Input], *, joined: bool, deadline_s: float) -> Judged:
        """The judgement. Cancelling ends what is done for it. Raises ScreenBusy or ScreenFailed."""
        if self._stopping:
            raise ScreenBusy
        deadline = self._clock() + deadline_s
        with self._counted(sum(len(each.text) for each in inputs)):
            examined = self._judge.begin(inputs, joined=joined)
            if not await self._examine(examined, inputs, deadline):
                return self._judge.conclude(examined, ())
            scores = await self._score(self._batcher.submit(examined.pieces, deadline=deadline))
            return self._judge.conclude(examined, scores)

    @contextlib.contextmanager
    def _counted(self, chars: int) -> Iterator[None]:
        # One question is taken however long it is: how long it may be is bounded where it comes in.
        if self._questions >= self._waiting.questions or (self._chars and self._chars + chars > self._waiting.chars):
            raise ScreenBusy
        self._questions += 1
        self._chars += chars
        try:
            yield
        finally:
            self._questions -= 1
            self._chars -= chars

    async def _examine(self, examined: Examined, inputs: Sequence[Input], deadline: float) -> bool:
        """Whether it was read before the deadline. The reader itself ends when it looks at the clock next."""
        left = threading.Event()

        def is_over() -> bool:
            return left.is_set() or self._clock() >= deadline

        def fill() -> None:
            if not is_over():
                self._judge.fill(examined, inputs, is_over)

        try:
            async with asyncio.timeout(deadline - self._clock()):
                await asyncio.get_running_loop().run_in_executor(self._readers, fill)
        except TimeoutError:
            return False
        finally:
            left.set()
        return True

    async def _score(self, question: Question) -> Scores:
        try:
            async with asyncio.timeout(max(0.0, question.deadline - self._clock())):
                return await asyncio.wrap_future(question.answer)
        except TimeoutError:
            # A batch is under way. What it brings is too late for this question.
            return question.so_far()
