# SPDX-License-Identifier: Apache-2.0
"""Waiting for a state to change, without polling and without losing a change."""

import asyncio
from collections.abc import Callable


class Changed:
    """Wakes everybody who waits, each time `notify` is called."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def notify(self) -> None:
        event, self._event = self._event, asyncio.Event()
        event.set()

    async def wait(self, timeout_s: float) -> bool:
        """Return True at the next change, False if there was none for `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._event.wait()
        except TimeoutError:
            return False
        return True

    async def until(self, holds: Callable[[], bool], *, timeout_s: float) -> bool:
        """Return True as soon as `holds()`, False if it did not for `timeout_s`."""
        deadline = asyncio.get_running_loop().time() + timeout_s
        while not holds():
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0 or not await self.wait(left):
                return holds()
        return True
