# SPDX-License-Identifier: Apache-2.0
"""Ships the records of all spools of the node to the control plane, in order, and never gives up.

A record stays on disk until the control plane says that it is durable there. What is sent twice (after a crash, or when
an answer was lost) is stored once, by its source.
"""

import asyncio
from datetime import UTC, datetime
from enum import IntEnum
from pathlib import Path
from typing import Final

import structlog

from proxy_addons.clients.control_plane import ControlPlane, ControlPlaneUnavailable
from proxy_addons.durable import private_directory
from proxy_addons.node.follow import Backoff
from proxy_addons.node.spool_reader import SpoolReader
from proxy_addons.node.status import SpoolDepth

_log: Final = structlog.get_logger()

# As docs/spec/decision-record.md limits a request, with half its bytes to spare.
_MAX_LINES: Final = 1000
_MAX_BYTES: Final = 4 * 1024 * 1024
# What was written is on its way within this time; a notice from the workers would cost them a system call a record.
_LOOK_EVERY_S: Final = 0.1
# After a round that found some: a batch costs two milliseconds however many records it has, so that what comes under
# load goes in larger ones. A record after a pause does not wait for that.
_GATHER_S: Final = 0.3
_MEASURE_EVERY_S: Final = 1.0


class _Round(IntEnum):
    """What a round found in the spools: nothing, something, or more than it could send at once."""

    EMPTY = 0
    SOME = 1
    FULL = 2


class Shipper:
    """Ships `directory/w*`, also spools of slots that have no worker any more."""

    def __init__(self, directory: Path, control_plane: ControlPlane) -> None:
        self.depth = SpoolDepth()
        self._directory = private_directory(directory)
        self._control_plane = control_plane
        self._readers: dict[Path, SpoolReader] = {}
        self._backoff = Backoff()
        self._arrives = True
        self._measured_at = 0.0

    async def run(self) -> None:
        """Ship for as long as the node lives."""
        while True:
            try:
                found = await self._ship_round()
            except ControlPlaneUnavailable as exc:
                if self._arrives:
                    _log.warning("records_not_shipped", problem=str(exc))
                self._arrives = False
                await self._measure()
                await asyncio.sleep(max(self._backoff.next_s(), exc.retry_after_s or 0.0))
                continue
            except OSError as exc:
                _log.error("spool_not_read", problem=exc.strerror)
                await asyncio.sleep(self._backoff.next_s())
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
        except (ControlPlaneUnavailable, OSError, TimeoutError) as exc:
            _log.warning("records_left", problem=str(exc))

    async def _ship_round(self) -> "_Round":
        """Send one batch of each spool."""
        came_to = _Round.EMPTY
        for reader in await asyncio.to_thread(self._find_readers):
            batch = await asyncio.to_thread(reader.read_batch, max_lines=_MAX_LINES, max_bytes=_MAX_BYTES)
            if batch is None:
                continue
            if batch.lines:
                await self._control_plane.append_records(b"".join(batch.lines))
                if not self._arrives:
                    _log.info("records_shipped_again")
                self._arrives = True
            await asyncio.to_thread(reader.acknowledge, batch)
            self.depth = SpoolDepth(
                records=max(0, self.depth.records - len(batch.lines)),
                oldest_s=self.depth.oldest_s,
                shipped=self.depth.shipped + len(batch.lines),
            )
            came_to = max(came_to, _Round.FULL if batch.full else _Round.SOME)
        return came_to

    async def _measure(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._measured_at < _MEASURE_EVERY_S:
            return
        self._measured_at = now
        try:
            records, oldest_s = await asyncio.to_thread(self._measure_readers)
        except OSError as exc:
            _log.error("spool_not_read", problem=exc.strerror)
            return
        self.depth = SpoolDepth(records=records, oldest_s=oldest_s, shipped=self.depth.shipped)

    def _measure_readers(self) -> tuple[int, int]:
        readers = self._readers.values()
        records = sum(reader.count_pending() for reader in readers)
        return records, max((reader.oldest_s(datetime.now(UTC)) for reader in readers), default=0)

    def _find_readers(self) -> list[SpoolReader]:
        for path in sorted(self._directory.glob("w*")):
            if path not in self._readers and path.is_dir():
                self._readers[path] = SpoolReader(path)
        return list(self._readers.values())
