# SPDX-License-Identifier: Apache-2.0
"""The keys of every token issuer that policy names: fetched here, kept on disk, given to workers.

Theory: a worker never fetches, and no request waits for a fetch. Keys are fetched on an interval, and sooner when a
worker saw a token whose `kid` is not among them: an issuer that rotates publishes the new key before it signs with it,
so that the interval alone is enough for one that does as it should. Whoever can send a request can make up a `kid`, so
that this asks an issuer at most every 10 s, however many are made up.

Facts: keys that cannot be fetched again count until their age passes what policy permits; workers know when they were
fetched, and refuse by themselves.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import structlog

from policies.contracts.codec import JSON
from policies.contracts.identity import Issuer
from proxy_addons.clients.issuers import IssuerUnavailable
from proxy_addons.core.issuer_keys import IssuerKey, IssuerKeySet, KeysInvalid, from_bytes, to_bytes
from proxy_addons.durable import write_durably

_log: Final = structlog.get_logger()

_REFRESH_S: Final = 300.0
_LEAST_PERIOD_S: Final = 10.0
# After a failure: 2, 4, 8, … s, at most the interval.
_FIRST_RETRY_S: Final = 2.0


@dataclass(slots=True)
class _Watched:
    """One issuer: its keys, when they are due, when they were last asked for, and what went wrong since."""

    issuer: Issuer
    due_at: float
    keys: IssuerKeySet | None = None
    asked_at: float | None = None
    failures: int = 0
    problem: str = ""


class IssuerKeeper:
    """Keeps the keys of the issuers given to `watch`. `hand_over(path, generation)` gives a file to the workers."""

    def __init__(
        self,
        path: Path,
        *,
        fetch: Callable[[Issuer], Awaitable[tuple[IssuerKey, ...]]],
        hand_over: Callable[[str, int], None],
        clock: Callable[[], datetime],
    ) -> None:
        self._path = path
        self._fetch = fetch
        self._hand_over = hand_over
        self._clock = clock
        self._watched: dict[str, _Watched] = {}
        self._kept: dict[tuple[str, str], IssuerKeySet] = {}
        self._generation = 0
        self._changed = asyncio.Event()

    async def resume(self) -> None:
        """Read the keys that were kept from before: an issuer may be away when the node starts."""
        try:
            sets = from_bytes(await asyncio.to_thread(self._path.read_bytes))
        except FileNotFoundError:
            return
        except (OSError, KeysInvalid) as exc:
            _log.error("issuer_keys_not_resumed", problem=str(exc))  # they are fetched again
            return
        self._kept = {(each.issuer, each.source): each for each in sets}
        self._give()

    def watch(self, issuers: Sequence[Issuer]) -> None:
        """Keep the keys of exactly `issuers` from now on. Those of one that is not there any more are dropped."""
        now = asyncio.get_running_loop().time()
        before, self._watched = self._watched, {}
        for issuer in issuers:
            known = before.get(issuer.issuer)
            if known is not None and known.issuer.jwks == issuer.jwks:
                known.issuer = issuer
                self._watched[issuer.issuer] = known
            else:
                kept = self._kept.get((issuer.issuer, issuer.jwks))
                self._watched[issuer.issuer] = _Watched(issuer=issuer, due_at=now, keys=kept)
        self._changed.set()

    def unknown_key(self, issuer: str) -> None:
        """Fetch the keys of `issuer` soon: a token named one that is not among them."""
        watched = self._watched.get(issuer)
        if watched is None:
            return
        asked_at = watched.asked_at
        soonest = 0.0 if asked_at is None else asked_at + _LEAST_PERIOD_S
        if soonest < watched.due_at:
            watched.due_at = soonest
            self._changed.set()

    async def run(self) -> None:
        """Fetch what is due, for as long as the node lives."""
        now = asyncio.get_running_loop().time
        while True:
            self._changed.clear()
            due = [watched for watched in self._watched.values() if watched.due_at <= now()]
            if due:
                await asyncio.gather(*map(self._refresh, due))
                await self._keep()
                continue
            next_at = min((watched.due_at for watched in self._watched.values()), default=now() + _REFRESH_S)
            try:
                await asyncio.wait_for(self._changed.wait(), max(next_at - now(), 0.0))
            except TimeoutError:
                continue

    def to_json(self) -> list[JSON]:
        """Return what is known of each issuer, for the node's readiness: no key, and no text of an issuer."""
        return [
            {
                "id": watched.issuer.id,
                "keys": 0 if watched.keys is None else len(watched.keys.keys),
                "fetched_at": None if watched.keys is None else watched.keys.fetched_at.isoformat(),
                "usable": self._usable(watched),
                "problem": watched.problem,
            }
            for watched in self._watched.values()
        ]

    def _usable(self, watched: _Watched) -> bool:
        if watched.keys is None:
            return False
        return (self._clock() - watched.keys.fetched_at).total_seconds() < watched.issuer.max_key_age_s

    async def _refresh(self, watched: _Watched) -> None:
        now = asyncio.get_running_loop().time
        watched.asked_at = now()
        try:
            keys = await self._fetch(watched.issuer)
        except Exception as exc:  # noqa: BLE001  # what an issuer serves must never end the node, whatever it is
            problem = str(exc) if isinstance(exc, IssuerUnavailable) else type(exc).__name__
            if not watched.problem:
                _log.warning("issuer_keys_not_fetched", issuer=watched.issuer.id, problem=problem)
            watched.problem = problem
            delay_s = min(_FIRST_RETRY_S * 2**watched.failures, _REFRESH_S)
            watched.failures = min(watched.failures + 1, 16)
        else:
            watched.keys = IssuerKeySet(
                issuer=watched.issuer.issuer,
                source=watched.issuer.jwks,
                fetched_at=self._clock(),
                keys=keys,
            )
            watched.problem, watched.failures, delay_s = "", 0, _REFRESH_S
            _log.info("issuer_keys_fetched", issuer=watched.issuer.id, keys=len(keys))
        # Shortened by chance, so that the nodes of a fleet do not ask all at once.
        watched.due_at = now() + delay_s * random.uniform(0.8, 1.0)  # noqa: S311  # no secret

    async def _keep(self) -> None:
        """Write what is kept, and hand it over where it differs from what workers have."""
        kept = {
            (watched.keys.issuer, watched.keys.source): watched.keys
            for watched in self._watched.values()
            if watched.keys is not None
        }
        if kept == self._kept:
            return
        try:
            await asyncio.to_thread(write_durably, self._path, to_bytes(kept.values()))
        except OSError as exc:
            _log.error(
                "issuer_keys_not_kept", problem=exc.strerror
            )  # workers keep those they have; the next fetch tries
            return
        self._kept = kept
        self._give()

    def _give(self) -> None:
        self._generation += 1
        self._hand_over(str(self._path), self._generation)
