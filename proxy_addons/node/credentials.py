# SPDX-License-Identifier: Apache-2.0
"""From a fetched credentials document to workers that authenticate by it."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

import structlog

from policies.contracts.errors import BundleRejected
from proxy_addons.clients.control_plane import Fetched
from proxy_addons.durable import write_durably
from proxy_addons.node.fleet import Fleet
from proxy_addons.node.messages import UseCredentials

_log: Final = structlog.get_logger()


class Verified(Protocol):
    """What the node needs to know of a verified credentials document."""

    @property
    def epoch(self) -> int: ...


class CredentialsActivation:
    """The Acceptor of the credentials feed. `verify(content)` raises BundleRejected.

    `credentials.jws` holds what is in force: an epoch below its own is a replay, which would give revoked keys back.
    """

    def __init__(self, path: Path, fleet: Fleet, *, verify: Callable[[bytes], Verified]) -> None:
        self.etag: str | None = None
        self.refused = False
        self._path = path
        self._fleet = fleet
        self._verify = verify
        self._epoch = -1

    async def resume(self) -> None:
        """Have workers authenticate by the last document, unless one is in force: the control plane may be away."""
        if self._epoch >= 0:
            return
        try:
            content = await asyncio.to_thread(self._path.read_bytes)
            verified = await asyncio.to_thread(self._verify, content)
        except FileNotFoundError:
            return
        except (OSError, BundleRejected) as exc:
            _log.error("credentials_not_resumed", problem=str(exc))  # the code says which check failed
            return
        await self._use(verified)

    async def accept(self, fetched: Fetched) -> None:
        self.refused = True
        try:
            verified = await asyncio.to_thread(self._verify, fetched.content)
        except BundleRejected as exc:
            _log.error("credentials_rejected", code=exc.code)  # as above
            self.etag = fetched.etag or None
            return
        if verified.epoch < self._epoch:
            _log.error("credentials_rejected", code="epoch-not-newer", epoch=verified.epoch, in_force=self._epoch)
            self.etag = fetched.etag or None
            return
        if verified.epoch > self._epoch:
            await asyncio.to_thread(write_durably, self._path, fetched.content)
            await self._use(verified)
        self.refused = False
        self.etag = fetched.etag or None

    async def _use(self, verified: Verified) -> None:
        self._epoch = verified.epoch
        if not await self._fleet.authenticate(UseCredentials(epoch=verified.epoch, path=str(self._path))):
            # A worker that hangs or restarts is told again by its greeting; the document is in force for the others.
            _log.warning("credentials_unacknowledged", epoch=verified.epoch)
            return
        _log.info("credentials_activated", epoch=verified.epoch)
