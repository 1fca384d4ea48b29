# SPDX-License-Identifier: Apache-2.0
"""The jobs of an engine: those that wait, those in the batch, and how soon another one has room."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from inference.answer import Answer
from inference.batching.writing import Writer
from inference.job import Job

MOST_RETRY_AFTER_S: Final = 60
_ENDS_REMEMBERED: Final = 32


@dataclass(slots=True, kw_only=True)
class Ticket:
    """One job on its way through the engine."""

    key: str
    job: Job
    seed: int
    answer: Answer
    writer: Writer
    submitted_at: float
    first_token_after_s: float | None = None


class Pace:
    """How often a job ends, measured over the last ones."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._ends: deque[float] = deque(maxlen=_ENDS_REMEMBERED)

    def ended(self) -> None:
        self._ends.append(self._clock())

    def wait_s(self, jobs: int) -> int:
        """Whole seconds until so many jobs have ended, if they end as they did: from 1 to MOST_RETRY_AFTER_S."""
        if len(self._ends) < 2:  # noqa: PLR2004  # a pace needs two points
            return 1
        each_s = (self._ends[-1] - self._ends[0]) / (len(self._ends) - 1)
        return min(MOST_RETRY_AFTER_S, max(1, math.ceil(jobs * each_s)))


class Watch:
    """Tells when a busy batch has made no step for too long."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._steps = -1
        self._since = clock()

    def is_stalled(self, steps: int, *, busy: bool, after_s: float) -> bool:
        if steps != self._steps or not busy:
            self._steps, self._since = steps, self._clock()
        return self._clock() - self._since > after_s
