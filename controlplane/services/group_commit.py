# SPDX-License-Identifier: Apache-2.0
"""Store the batches that wait at the same time in one transaction: a log takes one at a time, and each costs a sync.

Theory: whoever has the turn stores what waits, for itself and for the others; they find their answer when the turn is
theirs. No thread of its own, no queue beyond those who wait.
"""

from collections import deque
from dataclasses import dataclass
from threading import Lock
from typing import Final

from controlplane.identifiers import Clock
from controlplane.services.errors import StoreUnavailable
from controlplane.services.ports import Store
from controlplane.services.records import Batch, Ingested

# What one transaction holds the lock for: some tenths of a second.
_MOST_RECORDS: Final = 8_000


@dataclass(slots=True, eq=False)
class _Waiting:
    tenant: str
    batch: Batch
    alone: bool = False
    ingested: Ingested | None = None
    unavailable: StoreUnavailable | None = None

    @property
    def is_done(self) -> bool:
        return self.ingested is not None or self.unavailable is not None


class GroupCommit:
    """Appends from any thread. Returns once what was given is durable."""

    def __init__(self, *, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._turn = Lock()
        self._queue: deque[_Waiting] = deque()

    def append(self, tenant: str, batch: Batch) -> Ingested:
        """Return what became of `batch`. Raises StoreUnavailable, and nothing was stored."""
        own = _Waiting(tenant, batch)
        self._queue.append(own)
        with self._turn:
            while not own.is_done:
                self._store_next(own)
        if own.unavailable is not None:
            raise StoreUnavailable(str(own.unavailable)) from own.unavailable
        if own.ingested is None:
            raise RuntimeError("a batch was neither stored nor refused")
        return own.ingested

    def _store_next(self, own: _Waiting) -> None:
        group = self._take()
        try:
            self._store_group(group)
        except StoreUnavailable as exc:
            for waiting in group:
                waiting.unavailable = exc
        finally:
            # What else fails is a fault of ours with one of them. It goes to whoever had the turn; the others are
            # stored each by itself, so that none falls with another's batch for ever.
            for waiting in reversed(group):
                if not waiting.is_done and waiting is not own:
                    waiting.alone = True
                    self._queue.appendleft(waiting)

    def _take(self) -> list[_Waiting]:
        """Return what has waited longest, and what else of its tenant waits, as far as one transaction takes it."""
        group = [self._queue.popleft()]
        room = _MOST_RECORDS - len(group[0].batch.records)
        while self._queue and not group[0].alone:
            following = self._queue[0]
            room -= len(following.batch.records)
            if room < 0 or following.alone or following.tenant != group[0].tenant:
                break
            group.append(self._queue.popleft())
        return group

    def _store_group(self, group: list[_Waiting]) -> None:
        with self._store.write() as session:
            counts = session.decisions.append_batches(
                group[0].tenant,
                [waiting.batch for waiting in group],
                at=self._clock(),
            )
        for waiting, ingested in zip(group, counts, strict=True):
            waiting.ingested = ingested
