# SPDX-License-Identifier: Apache-2.0
"""How long the text that a stream holds back has waited."""

from collections import deque
from collections.abc import Callable


class Waiting:
    """The times at which the characters that are held arrived. None may wait longer than `max_ms`."""

    __slots__ = ("_arrived", "_clock", "_max_ns", "_times")

    def __init__(self, max_ms: int, clock: Callable[[], int]) -> None:
        self._max_ns = max_ms * 1_000_000
        self._clock = clock
        self._arrived = 0
        self._times: deque[tuple[int, int]] = deque()  # how many characters had arrived, and when

    def note(self, came: int, *, held: int) -> None:
        """Say that `came` more have arrived, and that of all the last `held` wait."""
        if came:
            self._arrived += came
            self._times.append((self._arrived, self._clock()))
        gone = self._arrived - held
        while self._times and self._times[0][0] <= gone:
            self._times.popleft()

    @property
    def until_ns(self) -> int | None:
        """When the first of them will have waited too long, None where none waits."""
        return self._times[0][1] + self._max_ns if self._times else None
