# SPDX-License-Identifier: Apache-2.0
"""The worker's end of the channel to its node: it does what the node says, and says what it does."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from policies.bundle.credentials import verify_credentials
from policies.contracts.canaries import FAILED
from policies.contracts.errors import BundleRejected
from policies.evaluation.canaries import CanaryFailed
from proxy_addons.addons.snapshot_feed import SnapshotFeed
from proxy_addons.core.active import ActivePolicy
from proxy_addons.core.identity import KeyRing
from proxy_addons.core.issuer_keys import KeysInvalid, from_bytes
from proxy_addons.core.series import Series, to_json
from proxy_addons.node.messages import (
    ActivateBundle,
    Authenticating,
    Drain,
    Enforcing,
    Measure,
    Measured,
    Message,
    MissesKey,
    Ready,
    Released,
    Serve,
    ShowsCertificate,
    ToWorker,
    TrustUntil,
    UseCredentials,
    UseIssuerKeys,
    decode,
    encode,
)
from proxy_addons.policy_loading import load_policy
from proxy_addons.secret_files import read_hex_key
from proxy_addons.settings import NodeSettings

_log: Final = structlog.get_logger()


class Worker:
    """Does what the node says, and says what it does."""

    def __init__(self, settings: NodeSettings, node: asyncio.StreamWriter) -> None:
        self.measure: Callable[[], list[Series]] = list
        self.claim: Callable[[], dict[str, str | int] | None] = lambda: None  # the last number of its records
        self.feed = SnapshotFeed(on_release=self._release, on_unknown_key=lambda of: self._say(MissesKey(issuer=of)))
        self.may_serve = asyncio.Event()
        self.stop = asyncio.Event()
        self.ready = asyncio.Event()
        self._settings = settings
        self._pepper = read_hex_key(settings.key_pepper_file)
        self._keys = {settings.bundle_key_id: settings.bundle_key_file.read_bytes()}
        self._node = node
        self._closing: set[asyncio.Task[None]] = set()

    async def say_ready(self) -> None:
        await self.ready.wait()
        self._say(Ready())

    def say_certificate(self, expires_at: str, problem: str) -> None:
        self._say(ShowsCertificate(expires_at=expires_at, problem=problem))

    async def obey(self, reader: asyncio.StreamReader) -> None:
        """Follow the node's messages until it is gone; orders one after the other, and questions at once.

        Also while this worker drains: a revocation counts for the requests that it still takes.
        """
        orders: asyncio.Queue[ToWorker] = asyncio.Queue()
        carrying_out = asyncio.create_task(self._carry_out(orders))
        try:
            while line := await reader.readline():
                message = decode(line)
                if isinstance(message, Measure):
                    self.say_counts()
                elif isinstance(message, TrustUntil):
                    self.feed.trust_until(message.monotonic_ns)
                elif isinstance(message, Drain):
                    self._drain()
                elif isinstance(message, ToWorker):
                    orders.put_nowait(message)
                else:
                    raise ValueError(f"the node does not send {message.type}")  # noqa: TRY004  # of what was read, not of an argument
                if carrying_out.done():
                    carrying_out.result()
            self._drain()
        finally:
            carrying_out.cancel()

    def say_counts(self) -> None:
        self._say(Measured(series=to_json(self.measure()), source=self.claim()))

    def _drain(self) -> None:
        self.stop.set()
        self.may_serve.set()

    async def _carry_out(self, orders: "asyncio.Queue[ToWorker]") -> None:
        while True:
            match await orders.get():
                case ActivateBundle() as order:
                    await self._activate(order)
                case UseCredentials() as order:
                    await self._use_credentials(order)
                case UseIssuerKeys() as order:
                    await self._use_issuer_keys(order)
                case Serve():
                    self.may_serve.set()

    async def _activate(self, order: ActivateBundle) -> None:
        try:
            policy = await asyncio.to_thread(load_policy, order, self._settings)
        except CanaryFailed as exc:
            _log.error("canary_failed", serial=order.serial, canary=str(exc))  # a trace tells nothing more
            self._say(Enforcing(serial=order.serial, revision="", error=f"{FAILED}: {exc}"))
            return
        except Exception as exc:  # noqa: BLE001  # whatever it is, the policy before stays and the node is told
            _log.exception("bundle_not_loaded", serial=order.serial)
            self._say(Enforcing(serial=order.serial, revision="", error=type(exc).__name__))
            return
        self.feed.swap(policy)
        self._say(Enforcing(serial=policy.serial, revision=policy.snapshot.revision))

    async def _use_credentials(self, order: UseCredentials) -> None:
        try:
            key_ring = await asyncio.to_thread(self._load_credentials, Path(order.path))
        except (BundleRejected, OSError):
            _log.exception("credentials_not_loaded", epoch=order.epoch)
            return
        self.feed.use_credentials(key_ring)
        self._say(Authenticating(epoch=key_ring.epoch))

    async def _use_issuer_keys(self, order: UseIssuerKeys) -> None:
        try:
            self.feed.use_issuer_keys(await asyncio.to_thread(lambda: from_bytes(Path(order.path).read_bytes())))
        except (KeysInvalid, OSError):
            _log.exception("issuer_keys_not_loaded", generation=order.generation)  # those of before stay

    def _load_credentials(self, path: Path) -> KeyRing:
        document = verify_credentials(
            path.read_bytes(), keys=self._keys, tenant=self._settings.tenant, environment=self._settings.environment
        )
        return KeyRing.of(document, pepper=self._pepper)

    def _release(self, policy: ActivePolicy) -> None:
        task = asyncio.get_running_loop().create_task(self._close(policy))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _close(self, policy: ActivePolicy) -> None:
        await policy.guard.close()
        self._say(Released(serial=policy.serial))

    def _say(self, message: Message) -> None:
        self._node.write(encode(message))
