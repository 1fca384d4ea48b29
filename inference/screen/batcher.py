# SPDX-License-Identifier: Apache-2.0
"""Scores the windows of many questions together: one thread, and a bound on what waits.

Rules
    Questions take turns: each gives a window to a batch before one gives a second. So a question of thousands of
    windows delays the others by one batch at most.
    What nobody waits for any more, and what is past its deadline, is dropped before it costs anything.
    What was scored a while ago is not scored again: a conversation comes back with every turn.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog

from inference.screen.kept_scores import KeptScores
from inference.screen.question import Piece, Score, Scores
from policies.screening.model import Origin

log = structlog.get_logger()

# One failure may be the text's; several in a row are the scorer's (a lost GPU, no memory), and readiness ends.
FAILURES_TO_UNREADY: Final = 3


class Scoring(Protocol):
    """As much of a scorer as is needed here. It pads windows of like length together, so their order is free."""

    def score(self, texts: Sequence[str], origins: Sequence[Origin]) -> list[float]: ...


class Meter(Protocol):
    """Who counts the work."""

    def scored(self, *, windows: int, seconds: float) -> None: ...
    def reused(self, *, windows: int) -> None: ...


class ScreenBusy(Exception):
    """As much waits as may, or the screen is stopping: try again later."""


class ScreenFailed(Exception):
    """The scorer raised. What it said stays in the log, by its type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchBounds:
    """A batch ends with the window that reaches either bound. `linger_s` is how long a small one waits for more."""

    windows: int
    chars: int
    linger_s: float
    waiting_windows: int = 32_768
    kept_scores: int = 65_536


# A core takes some 100 ms for so many characters. Larger batches gain nothing there and delay whoever comes next.
CPU_BATCHES: Final = BatchBounds(windows=32, chars=4_096, linger_s=0.0)
# A GPU scores hundreds of windows in the time of one. The wait is less than a batch takes.
GPU_BATCHES: Final = BatchBounds(windows=512, chars=524_288, linger_s=0.001)


@dataclass(slots=True, eq=False)
class Question:
    """Windows on their way: `answer` has a score for each, or None for one that was not scored by the deadline.

    Cancelling the answer drops what of it waits. All else is the batcher's.
    """

    pieces: Sequence[Piece]
    deadline: float
    scores: list[Score | None]
    waiting: deque[int]
    open_count: int
    answer: Future[Scores] = field(default_factory=Future)

    def so_far(self) -> Scores:
        """What there is of an answer, for whoever waits no longer."""
        return tuple(self.scores)

    def settle(self) -> None:
        """Answers by what there is. One whose asker is gone takes no answer."""
        if self.answer.set_running_or_notify_cancel():
            self.answer.set_result(tuple(self.scores))

    def fail(self) -> None:
        if not self.answer.done() and self.answer.set_running_or_notify_cancel():
            self.answer.set_exception(ScreenFailed())


class Batcher:
    """Takes windows from any thread, and scores them in one of its own."""

    def __init__(
        self, scorer: Scoring, *, bounds: BatchBounds, meter: Meter, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._scorer = scorer
        self._bounds = bounds
        self._meter = meter
        self._clock = clock
        self._kept = KeptScores(bounds.kept_scores)
        self._changed = threading.Condition()
        # Under the condition: the questions that have windows which are in no batch yet, and how many those are.
        self._questions: deque[Question] = deque()
        self._waiting = 0
        self._stopping = False
        self._failures = 0
        # A daemon: a scorer that hangs in a kernel must not keep a stopped server from ending.
        self._thread = threading.Thread(target=self._work, name="screen", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def is_ready(self) -> bool:
        return self._thread.is_alive() and not self._stopping and self._failures < FAILURES_TO_UNREADY

    @property
    def waiting_windows(self) -> int:
        return self._waiting

    def submit(self, pieces: Sequence[Piece], *, deadline: float) -> Question:
        """Queues windows until `deadline`, a time of the clock. Raises ScreenBusy."""
        with self._changed:
            kept = [self._kept.get(piece) for piece in pieces]
            waiting = deque(number for number, score in enumerate(kept) if score is None)
            # One question is taken however long it is, so that none is refused for ever.
            if self._stopping or (self._waiting and self._waiting + len(waiting) > self._bounds.waiting_windows):
                raise ScreenBusy
            question = Question(pieces, deadline, kept, waiting, len(waiting))
            if waiting:
                self._questions.append(question)
                self._waiting += len(waiting)
                self._changed.notify()
        self._meter.reused(windows=len(pieces) - question.open_count)
        if not question.open_count:
            question.settle()
        return question

    def stop(self, *, timeout_s: float) -> None:
        """Ends after the batch that is under way; what waits is answered as it stands."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join(timeout_s)

    def _work(self) -> None:
        while chosen := self._next_batch():
            self._score(chosen)

    def _next_batch(self) -> list[tuple[Question, int]]:
        """Waits for windows. None at all: it is time to stop."""
        with self._changed:
            while not self._stopping:
                self._drop(self._is_over)
                if self._questions and self._bounds.linger_s and self._waiting < self._bounds.windows:
                    self._changed.wait(self._bounds.linger_s)
                    self._drop(self._is_over)
                if self._questions:
                    return self._choose()
                self._changed.wait()
            self._drop(lambda _: True)
            return []

    def _is_over(self, question: Question) -> bool:
        return question.answer.cancelled() or question.deadline <= self._clock()

    def _drop(self, is_over: Callable[[Question], bool]) -> None:
        for question in [each for each in self._questions if is_over(each)]:
            self._questions.remove(question)
            self._waiting -= len(question.waiting)
            question.settle()

    def _choose(self) -> list[tuple[Question, int]]:
        """In turns: a question that gave a window goes to the end of the line."""
        chosen: list[tuple[Question, int]] = []
        chars = 0
        while self._questions and len(chosen) < self._bounds.windows and chars < self._bounds.chars:
            question = self._questions.popleft()
            number = question.waiting.popleft()
            chosen.append((question, number))
            chars += len(question.pieces[number].text)
            if question.waiting:
                self._questions.append(question)
        self._waiting -= len(chosen)
        return chosen

    def _score(self, chosen: Sequence[tuple[Question, int]]) -> None:
        # The same window may be in several questions at once.
        asked = list(dict.fromkeys(question.pieces[number] for question, number in chosen))
        begun_at = self._clock()
        try:
            scores = dict(zip(asked, self._scorer.score(*_columns(asked)), strict=True))
            _require_probabilities(scores.values())
        except Exception as exc:  # noqa: BLE001 - one batch that fails must not end the thread that scores all others
            self._failures += 1
            log.error("screen_failed", error=type(exc).__name__, windows=len(asked))  # noqa: TRY400 - the text may quote content
            self._fail({id(question): question for question, _ in chosen})
            return
        self._failures = 0
        self._meter.scored(windows=len(asked), seconds=self._clock() - begun_at)
        with self._changed:
            for piece, score in scores.items():
                self._kept.put(piece, score)
        for question, number in chosen:
            question.scores[number] = scores[question.pieces[number]]
            question.open_count -= 1
            # One that was over meanwhile has been answered by what there was.
            if not question.open_count and not question.answer.done():
                question.settle()

    def _fail(self, failed: dict[int, Question]) -> None:
        with self._changed:
            self._drop_silently(failed)
        for question in failed.values():
            question.fail()

    def _drop_silently(self, failed: dict[int, Question]) -> None:
        for question in [each for each in self._questions if id(each) in failed]:
            self._questions.remove(question)
            self._waiting -= len(question.waiting)


def _columns(pieces: Sequence[Piece]) -> tuple[list[str], list[Origin]]:
    return [each.text for each in pieces], [each.origin for each in pieces]


def _require_probabilities(scores: Iterable[float]) -> None:
    if not all(0 <= score <= 1 for score in scores):
        raise ArithmeticError("what the scorer gave is no probability")
