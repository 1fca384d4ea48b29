# SPDX-License-Identifier: Apache-2.0
"""Until when what is in force may decide: a policy that nobody has confirmed for too long may have been withdrawn.

Theory: each answer of a feed that leaves nothing newer confirms what it is about. Bundle, credentials and revocations
must all be confirmed; the oldest confirmation counts. Workers are told a time of the machine's monotonic clock, and
refuse after it by themselves: also when this process hangs, and whatever happens to the wall clock.
A restart of the node confirms nothing, so the time of the last confirmation is kept in a file.

Rules: the node's setting and the environment document both say how long is borne; whoever says less is stale first,
and a setting always denies. The document may have a stale policy go on: then it is only said, loudly.
"""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from policies.bundle.environment import Staleness, WhenStale
from proxy_addons.durable import write_durably
from proxy_addons.node.messages import TrustUntil

_log: Final = structlog.get_logger()

FEEDS: Final = ("bundles", "credentials", "revocations")
# Every answer moves the time; workers are told, and the file is written, only once it has moved by this much.
_STEP_S: Final = 5.0
_LOOK_EVERY_S: Final = 1.0
_FOR_EVER: Final = TrustUntil(monotonic_ns=2**63 - 1)


class Freshness:
    """`budget_s` is how long the node's setting bears no confirmation; 0: for ever. `path` keeps the last one."""

    def __init__(
        self,
        path: Path,
        *,
        budget_s: int,
        tell: Callable[[TrustUntil], None],
        monotonic_s: Callable[[], float] = time.monotonic,
        unix_s: Callable[[], float] = time.time,
    ) -> None:
        self._path = path
        self._own_s = budget_s or None
        self._tell = tell
        self._monotonic_s = monotonic_s
        self._unix_s = unix_s
        self._confirmed_at_s: dict[str, float] = {}
        self._counted_s: float | None = None
        self._staleness = Staleness()
        self._told: TrustUntil | None = None

    def resume(self) -> None:
        """Begin with what was confirmed before this start; with nothing on file, as if it had been just now."""
        try:
            age_s = max(0.0, self._unix_s() - float(self._path.read_text()))
        except (OSError, ValueError):
            age_s = 0.0
        self._move(self._monotonic_s() - age_s)

    def follow(self, staleness: Staleness) -> None:
        """Bear from now on what `staleness` bears, and no more than the node's setting does."""
        self._staleness = staleness
        self._tell_workers()

    def confirm(self, feed: str) -> None:
        """Note that `feed` has nothing newer than what is in force."""
        self._confirmed_at_s[feed] = self._monotonic_s()
        if len(self._confirmed_at_s) == len(FEEDS):
            self._move(min(self._confirmed_at_s.values()))

    @property
    def stale(self) -> bool:
        """Nothing has confirmed for too long what workers decide by, whether or not they go on."""
        return self._is_over(_least(self._own_s, self._staleness.max_s))

    @property
    def denies(self) -> bool:
        """Workers refuse, because it is stale."""
        return self._is_over(self._denying_s)

    async def watch(self, changed: Callable[[], None]) -> None:
        """Say when a policy becomes stale and when it is so no more, for as long as the node lives."""
        was = False
        while True:
            if (now := self.stale) is not was:
                was = now
                _log.log(40 if now else 20, "policy_stale" if now else "policy_fresh", refused=self.denies)
                changed()
            await asyncio.sleep(_LOOK_EVERY_S)

    @property
    def _denying_s(self) -> int | None:
        return _least(self._own_s, self._staleness.max_s if self._staleness.then is WhenStale.DENY else None)

    def _is_over(self, budget_s: int | None) -> bool:
        return (
            budget_s is not None and self._counted_s is not None and self._monotonic_s() >= self._counted_s + budget_s
        )

    def _move(self, confirmed_at_s: float) -> None:
        step_s = min(_STEP_S, (_least(self._own_s, self._staleness.max_s) or _STEP_S * 4) / 4)
        if self._counted_s is not None and confirmed_at_s < self._counted_s + step_s:
            return
        self._counted_s = confirmed_at_s
        self._tell_workers()
        try:
            write_durably(self._path, str(self._unix_s() - (self._monotonic_s() - confirmed_at_s)).encode())
        except OSError as exc:
            _log.warning("confirmation_not_kept", problem=exc.strerror)  # a restart then trusts for less long

    def _tell_workers(self) -> None:
        if self._counted_s is None:
            return
        budget_s = self._denying_s
        if budget_s is None:
            if self._told is None or self._told == _FOR_EVER:
                return
            told = _FOR_EVER
        else:
            told = TrustUntil(monotonic_ns=int((self._counted_s + budget_s) * 1e9))
        self._told = told
        self._tell(told)


def _least(*budgets_s: int | None) -> int | None:
    return min((each for each in budgets_s if each is not None), default=None)
