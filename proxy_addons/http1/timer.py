# SPDX-License-Identifier: Apache-2.0
"""A deadline that is moved for every byte and seldom passes."""

import asyncio
from collections.abc import Callable


class Deadline:
    """Calls `passed` once when the time set last has gone by.

    Moving a deadline later costs an assignment, not a timer: the running timer looks at it when it fires.
    """

    def __init__(self, passed: Callable[[], None]) -> None:
        self._passed = passed
        self._loop = asyncio.get_running_loop()
        self._at: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def set(self, after_s: float | None) -> None:
        """Let it pass after `after_s` seconds; None: not at all, as after `pause`."""
        if after_s is None:
            self._at = None
            return
        self._at = self._loop.time() + after_s
        if self._timer is not None and self._timer.when() > self._at:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = self._loop.call_at(self._at, self._fire)

    def clear(self) -> None:
        self._at = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def pause(self) -> None:
        """As `clear`, but keep the running timer for the next `set`."""
        self._at = None

    def _fire(self) -> None:
        self._timer = None
        if self._at is None:
            return
        if self._loop.time() < self._at:
            self._timer = self._loop.call_at(self._at, self._fire)
            return
        self._at = None
        self._passed()
