# SPDX-License-Identifier: Apache-2.0
"""Counts records that were lost, until a record says so.

Facts: the counts are in memory. A process that is killed before it could write takes them along; what is left then is a
boot without a `stop`, whose last heartbeat says what was lost before it.
"""

import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from policies.contracts.record import LossReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """What was lost from `first_at` to `last_at`. `numbers` are those whose records may be on disk, or not."""

    first_at: datetime
    last_at: datetime
    outcomes: tuple[tuple[str, int], ...]
    why: tuple[tuple[LossReason, int], ...]
    numbers: tuple[tuple[int, int], ...] = ()

    @property
    def count(self) -> int:
        return sum(count for _, count in self.why)


class Losses:
    """What no record has told yet, and how many there were in all. Used by the event loop and by the spool's thread."""

    def __init__(self) -> None:
        self.total = 0
        self._guard = threading.Lock()
        self._untold: Loss | None = None

    def __bool__(self) -> bool:
        return self._untold is not None

    def add(
        self, outcomes: Iterable[str], why: LossReason, *, at: datetime, numbers: tuple[int, int] | None = None
    ) -> None:
        """Count the records of `outcomes`. `numbers`, first and last, are used up with them."""
        by_outcome = Counter(outcomes)
        if not by_outcome and numbers is None:
            return
        loss = Loss(
            first_at=at,
            last_at=at,
            outcomes=tuple(sorted(by_outcome.items())),
            why=((why, by_outcome.total()),),
            numbers=() if numbers is None else (numbers,),
        )
        with self._guard:
            self.total += loss.count
            self._untold = _united(loss, self._untold)

    def take(self) -> Loss | None:
        """Return what is to be told, and forget it."""
        with self._guard:
            untold, self._untold = self._untold, None
            return untold

    def put_back(self, loss: Loss) -> None:
        """Remember `loss` again: the record that tells it was not written."""
        with self._guard:
            self._untold = _united(loss, self._untold)


def _united(one: Loss, other: Loss | None) -> Loss:
    if other is None:
        return one
    return replace(
        one,
        first_at=min(one.first_at, other.first_at),
        last_at=max(one.last_at, other.last_at),
        outcomes=tuple(sorted((Counter(dict(one.outcomes)) + Counter(dict(other.outcomes))).items())),
        why=tuple(sorted((Counter(dict(one.why)) + Counter(dict(other.why))).items())),
        numbers=tuple(sorted({*one.numbers, *other.numbers})),
    )
