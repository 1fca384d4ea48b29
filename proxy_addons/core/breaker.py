# SPDX-License-Identifier: Apache-2.0
"""A circuit breaker: who failed several times in a row is not asked for a while, and then once, to see.

Rules: each question that was permitted ends in exactly one of `succeeded`, `failed` and `left`. While one is out to see
how things stand, no other is permitted.
"""

from collections.abc import Callable
from typing import Final

# Fewer could be the bad luck of a restart; each one is a request that waited for nothing.
_FAILURES: Final = 5
# A restart takes seconds. Whoever asks meanwhile is told at once that there is no answer.
_PAUSE_S: Final = 2.0


class Breaker:
    """`monotonic_s` is the clock. Used on one event loop."""

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        self._now = monotonic_s
        self._failures = 0
        self._open_until_s: float | None = None
        self._probing = False

    def permits(self) -> bool:
        """Return whether to ask now."""
        if self._open_until_s is None:
            return True
        if self._probing or self._now() < self._open_until_s:
            return False
        self._probing = True
        return True

    def succeeded(self) -> None:
        self._failures, self._open_until_s, self._probing = 0, None, False

    def failed(self) -> None:
        self._failures += 1
        self._probing = False
        if self._failures >= _FAILURES:
            self._open_until_s = self._now() + _PAUSE_S

    def left(self) -> None:
        """Say that a question ended without telling how things stand: its client went, say."""
        self._probing = False
