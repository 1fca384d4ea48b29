# SPDX-License-Identifier: Apache-2.0
"""Records the requests of workers that died: a terminal record with `worker-lost` for each, once.

Theory: a worker holds the lock of its spool's directory for as long as it lives, and deletes its table of open requests
when it ends in order. So a table in a directory that can be locked is what a dead worker left, of whatever slot and
whichever node process; no message of the dying is needed. Successors leave such a directory to the node.
"""

import asyncio
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final, Self

import structlog

from proxy_addons.clients.lost_requests import Stamps, settle
from proxy_addons.clients.open_requests import tables_left
from proxy_addons.clients.source_records import SourceScope
from proxy_addons.clients.spool import Spool, SpoolBounds, SpoolUnavailable
from proxy_addons.core.record_builder import RecordScope
from proxy_addons.core.request_id import new_salt, new_ulid
from proxy_addons.secret_files import read_hex_key
from proxy_addons.settings import NodeSettings

_log: Final = structlog.get_logger()

_LOOK_EVERY_S: Final = 0.5
# A disk that cannot be written now is not asked twice a second, and does not fill the log.
_AFTER_FAILURE_S: Final = 5.0


class LostWorkers:
    """Looks after `spool_dir/w*`. `recorded` counts requests since the node's start."""

    def __init__(
        self, spool_dir: Path, *, node_id: str, scope: RecordScope, stamps: Stamps, bounds: SpoolBounds | None = None
    ) -> None:
        self.recorded = 0
        self._spool_dir = spool_dir
        self._node_id = node_id
        self._scope = scope
        self._stamps = stamps
        self._bounds = bounds

    @classmethod
    def of(cls, settings: NodeSettings) -> Self:
        """Return the one of a node with `settings`."""
        return cls(
            settings.node_dir / "spool",
            node_id=settings.node_id,
            scope=RecordScope(
                tenant=settings.tenant,
                environment=settings.environment,
                pseudonym_key=read_hex_key(settings.pseudonym_key_file),
            ),
            stamps=Stamps(
                clock=lambda: datetime.now(UTC), new_id=lambda: new_ulid(time.time_ns() // 1_000_000), new_salt=new_salt
            ),
            bounds=SpoolBounds(high_water_bytes=settings.spool_max_bytes, reserve_bytes=settings.spool_reserve_bytes),
        )

    async def run(self) -> None:
        """Record for as long as the node lives."""
        while True:
            done = await self.look()
            await asyncio.sleep(_LOOK_EVERY_S if done else _AFTER_FAILURE_S)

    async def look(self) -> bool:
        """Record all that is there now. False: something could not be; it is there still."""
        done = True
        for directory in sorted(self._spool_dir.glob("w*")):
            try:
                if directory.is_dir() and tables_left(directory):
                    await self._settle(directory)
            except (OSError, SpoolUnavailable) as exc:
                _log.error("lost_requests_not_recorded", spool=directory.name, problem=str(exc))
                done = False
        return done

    async def _settle(self, directory: Path) -> None:
        source = SourceScope(
            id=f"{self._node_id}/{directory.name.partition('-')[0]}",
            tenant=self._scope.tenant,
            environment=self._scope.environment,
            version=version("gatehouse"),
            clock=self._stamps.clock,
            new_id=self._stamps.new_id,
        )
        try:
            spool = await asyncio.to_thread(Spool.hold, directory, source, self._bounds)
        except SpoolUnavailable:
            return  # its worker lives
        try:
            count = await settle(directory, spool, scope=self._scope, stamps=self._stamps)
        finally:
            await asyncio.to_thread(spool.close)
        self.recorded += count
        _log.warning("worker_lost", spool=directory.name, requests=count)
