# SPDX-License-Identifier: Apache-2.0
"""Messages that take long to examine, examined beside the event loop, so that other connections go on meanwhile.

Theory: a megabyte takes about a second, and a worker has one loop for some hundred streams. The search gives the
interpreter's lock back while it runs, and Python does every few milliseconds: whatever is examined here, the loop waits
for that long. What a message may cost in all is bounded by its budget (`policies.scanning.budget`).
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

_T = TypeVar("_T")

# Shorter messages take less than 10 ms of ordinary text, and handing one over takes 0.1 ms.
LONG_BYTES: Final = 8 * 1024
# As many long messages are examined at a time; each of them may keep the loop waiting.
_THREADS: Final = 4


class Aside:
    """Threads of one worker. They begin when they are needed; as many messages wait as there are requests."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="examining")

    async def run(self, examine: Callable[[], _T]) -> _T:
        """Return what `examine` does. It MUST use nothing that the loop uses at the same time."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, examine)
