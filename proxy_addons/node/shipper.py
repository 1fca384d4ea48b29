# SPDX-License-Identifier: Apache-2.0
"""Ships the records of all spools of the node to the control plane, in order, and never gives up.

A record stays on disk until the control plane says that it is durable there. What is sent twice (after a crash, or when
an answer was lost) is stored once, by its source. Spools do not wait for each other's disks.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from enum import IntEnum
from pathlib import Path
from typing import Final

import structlog

from proxy_addons.clients.control_plane import ControlPlane, ControlPlaneUnavailable
from proxy_addons.durable import private_directory
from proxy_addons.node.delivery import Delivery, SetAside
from proxy_addons.node.follow import Backoff
from proxy_addons.node.spool_reader import SpoolReader
from proxy_addons.node.status import SpoolDepth

_log: Final = structlog.get_logger()

# As docs/spec/decision-record.md limits a request.
_MAX_LINES: Final = 1000
# What was written is on its way within this time; a notice from the workers would cost them a system call a record.
_LOOK_EVERY_S: Final = 0.1
# After a round that found some: a batch costs two milliseconds however many records it has, so that what comes under
# load goes in larger ones. A record after a pause does not wait for that.
_GATHER_S: Final = 0.3
_MEASURE_EVERY_S: Final = 1.0
# A wait that the control plane asks for is made longer by up to this part, or all nodes would come back at once.
_JITTER: Final = 0.25
# Not the answers of a server that is away or busy: they do not go by themselves.
_NOT_PASSING: Final = frozenset({400, 401, 403, 404, 405, 411, 413, 415, 422})
_SAY_AGAIN_S: Final = 60.0


class _Round(IntEnum):
    """What a round found in the spools: nothing, something, or more than it could send at once."""

    EMPTY = 0
    SOME = 1
    FULL = 2


class Shipper:
    """Ships `directory/w*`, also spools of slots that have no worker any more.

    What the control plane refuses for itself is set aside in `directory/quarantine`.
    """

    def __init__(
        self, directory: Path, control_plane: ControlPlane, *, chance: Callable[[], float] = random.random
    ) -> None:
        self.depth = SpoolDepth()
        self._directory = private_directory(directory)
        self._set_aside = SetAside(directory / "quarantine")
        self._delivery = Delivery(control_plane, self._set_aside)
        self._readers: dict[Path, SpoolReader] = {}
        self._backoff = Backoff()
        self._chance = chance
        self._arrives = True
        self._said_at = -_SAY_AGAIN_S
        self._measured_at = 0.0

    async def run(self) -> None:
        """Ship for as long as the node lives."""
        while True:
            try:
                found = await self._ship_round()
            except ControlPlaneUnavailable as exc:
                self._say(exc)
                await self._measure()
                await asyncio.sleep(self._wait_s(exc))
                continue
            self._backoff.reset()
            await self._measure()
            if found is not _Round.FULL:
                await asyncio.sleep(_LOOK_EVERY_S if found is _Round.EMPTY else _GATHER_S)

    async def finish(self, within_s: float) -> None:
        """Ship what is left, if that is possible in time. The rest waits on disk for the node's next start."""
        try:
            async with asyncio.timeout(within_s):
                while await self._ship_round() is not _Round.EMPTY:
                    pass
        except (ControlPlaneUnavailable, TimeoutError) as exc:
            _log.warning("records_left", problem=str(exc))

    async def _ship_round(self) -> "_Round":
        """Send one batch of each spool."""
        came_to = _Round.EMPTY
        await self._find_readers()
        for reader in self._readers.values():
            try:
                came_to = max(came_to, await self._ship(reader))
            except OSError as exc:
                self._say_unread(exc)
        return came_to

    async def _ship(self, reader: SpoolReader) -> "_Round":
        batch = await asyncio.to_thread(reader.read_batch, max_lines=_MAX_LINES, max_bytes=self._delivery.max_bytes)
        if batch is None:
            return _Round.EMPTY
        if batch.lines:
            await self._delivery.deliver(batch.lines)
            if not self._arrives:
                _log.info("records_shipped_again")
            self._arrives = True
        await asyncio.to_thread(reader.acknowledge, batch)
        self.depth = replace(
            self.depth,
            records=max(0, self.depth.records - len(batch.lines)),
            shipped=self.depth.shipped + len(batch.lines),
            refused=False,
        )
        return _Round.FULL if batch.full else _Round.SOME

    def _wait_s(self, refused: ControlPlaneUnavailable) -> float:
        """Return how long to wait: what the control plane asked for and some more, at least what we would anyway."""
        asked_s = (refused.retry_after_s or 0.0) * (1 + _JITTER * self._chance())
        return max(self._backoff.next_s(), asked_s)

    def _say(self, refused: ControlPlaneUnavailable) -> None:
        """Say once that records do not arrive; of a refusal that will not pass by itself, again and again."""
        lasting = refused.status in _NOT_PASSING
        self.depth = replace(self.depth, refused=lasting)
        if lasting:
            if self._arrives or self._due():
                self._said_at = asyncio.get_running_loop().time()
                _log.error("records_refused", status=refused.status)
        elif self._arrives:
            _log.warning("records_not_shipped", problem=str(refused))
        self._arrives = False

    def _due(self) -> bool:
        """Whether it is time to say again what was said before."""
        now = asyncio.get_running_loop().time()
        if now - self._said_at < _SAY_AGAIN_S:
            return False
        self._said_at = now
        return True

    async def _measure(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._measured_at < _MEASURE_EVERY_S:
            return
        self._measured_at = now
        try:
            self.depth = await asyncio.to_thread(self._measured, self.depth)
        except OSError as exc:
            self._say_unread(exc)

    def _measured(self, depth: SpoolDepth) -> SpoolDepth:
        readers = self._readers.values()
        return replace(
            depth,
            records=sum(reader.count_pending() for reader in readers),
            oldest_s=max((reader.oldest_s(datetime.now(UTC)) for reader in readers), default=0),
            set_aside=self._set_aside.count,
            corrupt=sum(reader.corrupt_count for reader in readers),
        )

    async def _find_readers(self) -> None:
        try:
            for path in sorted(await asyncio.to_thread(lambda: list(self._directory.glob("w*")))):
                if path not in self._readers and path.is_dir():
                    self._readers[path] = await asyncio.to_thread(SpoolReader, path)
        except OSError as exc:
            self._say_unread(exc)

    def _say_unread(self, problem: OSError) -> None:
        if self._due():
            _log.error("spool_not_read", problem=problem.strerror)
