# SPDX-License-Identifier: Apache-2.0
"""From a fetched revocations document to workers that refuse by it.

Rules: what is on file is put to work before anybody is known, and is never followed by an older one. A node that does
not know yet whether there are revocations knows nobody: `known` is set by the first document, by an answer that there
is none, or by a start that finds credentials on file and no revocations beside them, as the release before left them.
No worker is waited for: one that hangs must not keep the next revocation from the others.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, Protocol

import structlog

from policies.contracts.errors import BundleRejected
from proxy_addons.clients.control_plane import Fetched, NothingPublished
from proxy_addons.durable import write_durably
from proxy_addons.node.fleet import Fleet
from proxy_addons.node.messages import UseRevocations

_log: Final = structlog.get_logger()

# A control plane that has none yet, or of the release before: the first revocation is in force within a second.
_NOTHING_YET_S: Final = 0.3


class Verified(Protocol):
    """What the node needs to know of a verified revocations document."""

    @property
    def epoch(self) -> int: ...


class RevocationsActivation:
    """The Acceptor of the revocations feed. `verify(content)` raises BundleRejected."""

    def __init__(
        self, path: Path, fleet: Fleet, *, credentials_path: Path, verify: Callable[[bytes], Verified]
    ) -> None:
        self.etag: str | None = None
        self.refused = False
        self.known = asyncio.Event()
        self._path = path
        self._fleet = fleet
        self._credentials_path = credentials_path
        self._verify = verify
        self._epoch = 0

    async def resume(self) -> None:
        """Have workers refuse by the last document, unless one is in force: the control plane may be away."""
        if self._epoch > 0:
            return
        try:
            content = await asyncio.to_thread(self._path.read_bytes)
            verified = await asyncio.to_thread(self._verify, content)
        except FileNotFoundError:
            if await asyncio.to_thread(self._credentials_path.exists):
                self.known.set()
            return
        except (OSError, BundleRejected) as exc:
            # Nobody is let in by what would follow: the feed has to say first what is revoked.
            _log.error("revocations_not_resumed", problem=str(exc))  # the code says which check failed
            return
        self._use(verified)

    def following(
        self, fetch: Callable[[str | None], Awaitable[Fetched | None]]
    ) -> Callable[[str | None], Awaitable[Fetched | None]]:
        """Return `fetch` as one for which 404 is an answer too: there is nothing newer than what is in force."""

        async def fetched(etag: str | None) -> Fetched | None:
            try:
                return await fetch(etag)
            except NothingPublished:
                if self._epoch == 0 and not await asyncio.to_thread(self._path.exists):
                    self.known.set()
                await asyncio.sleep(_NOTHING_YET_S)
                return None

        return fetched

    async def accept(self, fetched: Fetched) -> None:
        self.refused = True
        try:
            verified = await asyncio.to_thread(self._verify, fetched.content)
        except BundleRejected as exc:
            _log.error("revocations_rejected", code=exc.code)  # as above
            self.etag = fetched.etag or None
            return
        if verified.epoch < self._epoch:
            _log.error("revocations_rejected", code="epoch-not-newer", epoch=verified.epoch, in_force=self._epoch)
            self.etag = fetched.etag or None
            return
        if verified.epoch > self._epoch:
            await asyncio.to_thread(write_durably, self._path, fetched.content)
            self._use(verified)
        self.refused = False
        self.etag = fetched.etag or None

    def _use(self, verified: Verified) -> None:
        self._epoch = verified.epoch
        self._fleet.revoke(UseRevocations(epoch=verified.epoch, path=str(self._path)))
        self.known.set()
        _log.info("revocations_handed_over", epoch=verified.epoch)
