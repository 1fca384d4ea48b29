# SPDX-License-Identifier: Apache-2.0
"""Until when what is in force may decide: a policy that nobody has confirmed for too long may have been withdrawn.

Theory: each answer of a feed that leaves nothing newer confirms what it is about. Bundle and credentials must both be
confirmed; the older of the two confirmations counts. Workers are told a time of the machine's monotonic clock, and
refuse after it by themselves: also when this process hangs, and whatever happens to the wall clock.
A restart of the node confirms nothing, so the time of the last confirmation is kept in a file.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from proxy_addons.durable import write_durably
from proxy_addons.node.messages import TrustUntil

_log: Final = structlog.get_logger()

FEEDS: Final = ("bundles", "credentials")
# Every answer moves the time; workers are told, and the file is written, only once it has moved by this much.
_STEP_S: Final = 5.0


class Freshness:
    """`budget_s` is how long without confirmation is borne; 0 bears it for ever. `path` keeps the last confirmation."""

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
        self._budget_s = budget_s
        self._tell = tell
        self._monotonic_s = monotonic_s
        self._unix_s = unix_s
        self._confirmed_at_s: dict[str, float] = {}
        self._told_s: float | None = None

    def resume(self) -> None:
        """Begin with what was confirmed before this start; with nothing on file, as if it had been just now."""
        if self._budget_s == 0:
            return
        try:
            age_s = max(0.0, self._unix_s() - float(self._path.read_text()))
        except (OSError, ValueError):
            age_s = 0.0
        self._move(self._monotonic_s() - age_s)

    def confirm(self, feed: str) -> None:
        """Note that `feed` has nothing newer than what is in force."""
        if self._budget_s == 0:
            return
        self._confirmed_at_s[feed] = self._monotonic_s()
        if len(self._confirmed_at_s) == len(FEEDS):
            self._move(min(self._confirmed_at_s.values()))

    @property
    def stale(self) -> bool:
        """Workers refuse, because nothing has confirmed what they would decide by."""
        return self._told_s is not None and self._monotonic_s() >= self._told_s + self._budget_s

    def _move(self, confirmed_at_s: float) -> None:
        if self._told_s is not None and confirmed_at_s < self._told_s + min(_STEP_S, self._budget_s / 4):
            return
        self._told_s = confirmed_at_s
        self._tell(TrustUntil(monotonic_ns=int((confirmed_at_s + self._budget_s) * 1e9)))
        try:
            write_durably(self._path, str(self._unix_s() - (self._monotonic_s() - confirmed_at_s)).encode())
        except OSError as exc:
            _log.warning("confirmation_not_kept", problem=exc.strerror)  # a restart then trusts for less long
