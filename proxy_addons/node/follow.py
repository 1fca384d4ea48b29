# SPDX-License-Identifier: Apache-2.0
"""Following a feed of the control plane: ask, accept, ask again, for as long as the node lives."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeAlias

import structlog

from proxy_addons.clients.control_plane import ControlPlaneUnavailable, Fetched, NothingPublished

_log: Final = structlog.get_logger()

# An outage's end is noticed within 2 s, at half a request a second and node while it lasts.
_FIRST_DELAY_S: Final = 0.1
_LONGEST_DELAY_S: Final = 2.0
# Before the first activation the control plane answers at once; the first policy shall be in force within a second.
_NOTHING_YET_S: Final = 0.3
# Against a server that answers at once although asked to hold: ten requests a second, not ten thousand.
_LEAST_PERIOD_S: Final = 0.1


class NotAccepted(Exception):
    """What was fetched cannot be put to work now, and may be later: fetch it again."""


# Given what is held, returns what the feed has instead; None where it has nothing else.
Fetch: TypeAlias = Callable[[str | None], Awaitable[Fetched | None]]


class Acceptor(Protocol):
    """Puts to work what a feed gave. `etag` names what it holds; the feed is asked for something else than that."""

    @property
    def etag(self) -> str | None: ...

    @property
    def refused(self) -> bool:
        """The newest that the feed has was refused: what is in force is older than it."""

    async def resume(self) -> None:
        """Put to work what was kept from before, if there is something and nothing is in force."""

    async def accept(self, fetched: Fetched) -> None:
        """Put `fetched` to work, or refuse it for good (and `etag` then names it). Raises NotAccepted."""


class Backoff:
    """Delays that double up to 2 s, each shortened by chance, so that nodes do not come back all at once."""

    def __init__(self, chance: Callable[[], float] = random.random) -> None:
        self._chance = chance
        self._delay_s = _FIRST_DELAY_S

    def next_s(self) -> float:
        delay_s, self._delay_s = self._delay_s, min(2 * self._delay_s, _LONGEST_DELAY_S)
        return delay_s * (0.5 + self._chance() / 2)

    def reset(self) -> None:
        self._delay_s = _FIRST_DELAY_S


class Contact:
    """Whether the control plane answered the last question of a feed, and when it last did (the loop's time)."""

    def __init__(self) -> None:
        self.up = False
        self.last_at: float | None = None

    def made(self, now: float) -> None:
        self.up, self.last_at = True, now

    def lost(self) -> None:
        self.up = False


async def follow(
    name: str,
    fetch: Fetch,
    acceptor: Acceptor,
    *,
    contact: Contact | None = None,
    confirmed: Callable[[], None] = lambda: None,
    nothing_yet_s: float = _NOTHING_YET_S,
) -> None:
    """Fetch and accept for ever. `name` stands in the log; an outage is logged at its begin and at its end.

    `confirmed` is called whenever the feed has nothing newer than what is in force. Where there is nothing, it is asked
    again after `nothing_yet_s`.
    """
    backoff = Backoff()
    contact = contact or Contact()
    reachable = True
    now = asyncio.get_running_loop().time
    await acceptor.resume()
    while True:
        asked_at = now()
        try:
            fetched = await fetch(acceptor.etag)
        except NothingPublished:
            reachable = True
            contact.made(now())
            await asyncio.sleep(nothing_yet_s)
            continue
        except ControlPlaneUnavailable as exc:
            if reachable:
                _log.warning("feed_lost", feed=name, problem=str(exc))
            reachable = False
            contact.lost()
            await acceptor.resume()
            await asyncio.sleep(max(backoff.next_s(), min(exc.retry_after_s or 0.0, _LONGEST_DELAY_S)))
            continue
        if not reachable:
            _log.info("feed_recovered", feed=name)
        reachable = True
        contact.made(now())
        try:
            if fetched is not None:
                await acceptor.accept(fetched)
        except (NotAccepted, OSError) as exc:
            _log.error("feed_not_accepted", feed=name, problem=str(exc))  # the trace tells nothing more
            await asyncio.sleep(backoff.next_s())
        else:
            if not acceptor.refused:
                confirmed()
            backoff.reset()
            await asyncio.sleep(max(0.0, asked_at + _LEAST_PERIOD_S - now()))
