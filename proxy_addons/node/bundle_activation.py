# SPDX-License-Identifier: Apache-2.0
"""From fetched bytes to a policy that every worker enforces, and away again once the last request has left it.

Order, and why: verify (nothing unverified is ever written) → file, durable (OPA loads from it), and beside it what the
workers load → the patterns that it looks for are compiled (a worker does nothing that takes seconds), and the guard's
own server answers for it (a worker must never decide by half a policy) → workers enforce → the serial is remembered
(a restart begins here) → older files go when no request is decided by them.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, Protocol

import structlog

from policies.contracts.canaries import FAILED
from policies.contracts.errors import BundleRejected
from policies.contracts.snapshot import PolicySnapshot
from proxy_addons.clients.control_plane import Fetched
from proxy_addons.node.bundle_store import Activated, BundleStore, etag_of
from proxy_addons.node.fleet import Fleet
from proxy_addons.node.follow import NotAccepted
from proxy_addons.node.guard_socket import GuardUnavailable
from proxy_addons.node.known_upstreams import UpstreamUnknown
from proxy_addons.node.messages import ActivateBundle
from proxy_addons.node.patterns import PatternsNotCompiled
from proxy_addons.node.status import RejectedBundle
from proxy_addons.prepared_policy import prepare

_log: Final = structlog.get_logger()

# A stream may be decided by a bundle for as long as it runs; it needs neither file nor guard any more.
_HELD_S: Final = 60.0
_LOOK_EVERY_S: Final = 1.0


class Verified(Protocol):
    """What activation needs to know of a verified bundle."""

    @property
    def serial(self) -> int: ...

    @property
    def manifest_revision(self) -> str: ...

    @property
    def snapshot(self) -> PolicySnapshot: ...


class BundleActivation:
    """The Acceptor of the bundle feed.

    `verify(content, newer_than)` raises BundleRejected. `guard(serial, manifest_revision)` gives the address of the
    guard's server, empty where the guard is embedded, and raises GuardUnavailable. `patterns(snapshot)` gives the
    folder of what the snapshot looks for, compiled, and raises PatternsNotCompiled, or UpstreamUnknown for a snapshot
    that this node cannot serve. `in_force(snapshot)` is told what workers enforce from now on. `also_kept()` gives
    serials whose files are not this one's to delete.
    """

    def __init__(
        self,
        store: BundleStore,
        fleet: Fleet,
        *,
        verify: Callable[[bytes, int], Verified],
        guard: Callable[[int, str], Awaitable[str]],
        patterns: Callable[[PolicySnapshot], Awaitable[str]],
        in_force: Callable[[PolicySnapshot], None] = lambda _snapshot: None,
        also_kept: Callable[[], set[int]] = set,
    ) -> None:
        self.rejected: RejectedBundle | None = None
        self._store = store
        self._fleet = fleet
        self._verify = verify
        self._guard = guard
        self._patterns = patterns
        self._tell = in_force
        self._also_kept = also_kept
        self._activated = store.activated()
        self._in_force: Activated | None = None
        self._under_way: int | None = None

    @property
    def etag(self) -> str | None:
        if self.rejected is not None and self.rejected.final:
            return self.rejected.etag or None  # asking for anything but this one, until there is something else
        return self._in_force.etag or None if self._in_force else None

    @property
    def refused(self) -> bool:
        return self.rejected is not None

    @property
    def activated_serial(self) -> int:
        """The highest serial ever put to work here, 0 where none was."""
        return self._activated.serial if self._activated else 0

    async def resume(self) -> None:
        """Put the last known good bundle to work, unless one is in force: the control plane may be away."""
        last = self._activated
        if last is None or self._in_force is not None:
            return
        try:
            content = await asyncio.to_thread(self._store.path(last.serial).read_bytes)
            # A file that went bad here says nothing against the control plane's copy: not final.
            await self._accept(Fetched(etag=last.etag, content=content), final=False)
        except (NotAccepted, OSError) as exc:
            _log.warning("bundle_not_resumed", serial=last.serial, problem=str(exc))

    async def accept(self, fetched: Fetched) -> None:
        await self._accept(fetched, final=True)

    async def _accept(self, fetched: Fetched, *, final: bool) -> None:
        # What is in force must be exceeded. With nothing in force (after a start) the last activated may come again.
        newer_than = self._in_force.serial if self._in_force else self.activated_serial - 1
        try:
            verified = await asyncio.to_thread(self._verify, fetched.content, newer_than)
        except BundleRejected as exc:
            self._reject(exc.code, fetched, final=final)
            _log.error("bundle_rejected", code=exc.code)  # the code says which check, a trace no more
            return
        self._under_way = verified.serial
        try:
            await self._put_to_work(verified, fetched)
        finally:
            self._under_way = None

    async def _put_to_work(self, verified: Verified, fetched: Fetched) -> None:
        serial = verified.serial
        path = self._store.path(serial)
        if not await asyncio.to_thread(_holds, path, fetched.content):
            await asyncio.to_thread(self._store.keep, serial, fetched.content)
        # The guard's server starts meanwhile, as it does while patterns are compiled.
        await asyncio.to_thread(prepare, path, verified)
        order = ActivateBundle(
            serial=serial,
            path=str(path),
            patterns=await self._compiled(verified.snapshot, fetched),
            guard_socket=await self._guarded(verified, fetched),
            etag=await asyncio.to_thread(etag_of, fetched.content),
        )
        if not await self._fleet.activate(order):
            self._reject(self._why_not(serial), fetched, final=False)
            raise NotAccepted(f"no worker enforces bundle {serial}")
        activated = Activated(serial=serial, etag=fetched.etag)
        if activated != self._activated:
            await asyncio.to_thread(self._store.remember, activated)
        self._activated = self._in_force = activated
        self.rejected = None
        self._tell(verified.snapshot)
        _log.info("bundle_activated", serial=serial, revision=verified.manifest_revision)
        self._fleet.changed.notify()

    async def _compiled(self, snapshot: PolicySnapshot, fetched: Fetched) -> str:
        try:
            return await self._patterns(snapshot)
        except UpstreamUnknown as exc:
            self._reject("upstream-unknown", fetched, final=False)
            raise NotAccepted(str(exc)) from exc
        except PatternsNotCompiled as exc:
            self._reject("patterns-not-compiled", fetched, final=False)
            raise NotAccepted(str(exc)) from exc

    async def _guarded(self, verified: Verified, fetched: Fetched) -> str:
        try:
            return await self._guard(verified.serial, verified.manifest_revision)
        except GuardUnavailable as exc:
            self._reject("guard-unavailable", fetched, final=False)
            raise NotAccepted(str(exc)) from exc

    def _why_not(self, serial: int) -> str:
        errors = [state.error for state in self._fleet.states if state.failed_serial == serial]
        return FAILED if any(error.startswith(FAILED) for error in errors) else "activation-failed"

    def _reject(self, code: str, fetched: Fetched, *, final: bool) -> None:
        self.rejected = RejectedBundle(code=code, etag=fetched.etag, final=final)
        self._fleet.changed.notify()

    async def retire(self) -> None:
        """Delete bundle files that nothing decides by any more, for as long as the node lives."""
        now = asyncio.get_running_loop().time
        unused_since: dict[int, float] = {}
        while True:
            await self._fleet.changed.wait(_LOOK_EVERY_S)
            held = {serial for state in self._fleet.states for serial in state.held}
            unused = self._store.serials() - self._wanted()
            unused_since = {serial: unused_since.get(serial, now()) for serial in unused}
            for serial, since in unused_since.items():
                if serial not in held or now() - since > _HELD_S:
                    try:
                        await asyncio.to_thread(self._store.delete, serial)
                    except OSError as exc:
                        _log.warning(
                            "bundle_not_deleted", serial=serial, problem=exc.strerror
                        )  # the next look tries again

    def _wanted(self) -> set[int]:
        """Return the serials that decide new requests somewhere, or will."""
        enforced = {state.serial for state in self._fleet.states if state.serial is not None}
        told = {self._fleet.bundle.serial} if self._fleet.bundle else set()
        under_way = {self._under_way} if self._under_way is not None else set()
        return enforced | told | under_way | {self.activated_serial} | self._also_kept()


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() == content
    except OSError:
        return False
