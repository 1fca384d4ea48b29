# SPDX-License-Identifier: Apache-2.0
"""Write what was decided before it is told: whoever waits at the same time shares one transaction and one sync.

Theory: one write is under way at a time. What arrives meanwhile waits for the next, all of it together, so that a
question costs a share of a commit and not a commit.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from controlplane.services.errors import StoreUnavailable
from controlplane.services.records import ReceivedRecord

Keep = Callable[[str, Sequence[ReceivedRecord]], None]

# Some tenths of a second of one transaction.
_MOST_ENTRIES: Final = 4_000


class EvaluationLog:
    """Appends from one event loop. `keep` stores entries of a tenant durably; it is called from another thread."""

    def __init__(self, keep: Keep) -> None:
        self._keep = keep
        self._waiting: deque[tuple[str, Sequence[ReceivedRecord], asyncio.Future[None]]] = deque()
        self._writing: asyncio.Task[None] | None = None

    async def append(self, tenant: str, entries: Sequence[ReceivedRecord]) -> None:
        """Return once `entries` are durable. Raises StoreUnavailable, and none is stored."""
        if not entries:
            return
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((tenant, entries, stored))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        await stored

    async def _write(self) -> None:
        while self._waiting:
            tenant, first, stored = self._waiting.popleft()
            entries, waiting = list(first), [stored]
            while self._waiting and self._waiting[0][0] == tenant and len(entries) < _MOST_ENTRIES:
                _, more, stored = self._waiting.popleft()
                entries += more
                waiting.append(stored)
            problem = await self._store(tenant, entries)
            for each in waiting:
                if each.done():  # whoever waited has gone
                    continue
                if problem is None:
                    each.set_result(None)
                else:
                    each.set_exception(StoreUnavailable(str(problem)))

    async def _store(self, tenant: str, entries: Sequence[ReceivedRecord]) -> Exception | None:
        try:
            await asyncio.to_thread(self._keep, tenant, entries)
        except Exception as exc:  # noqa: BLE001  # whatever it is, those who wait must not be told that it was stored
            return exc
        return None
