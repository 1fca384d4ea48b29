# SPDX-License-Identifier: Apache-2.0
"""The worker's end of the channel to its node: it does what the node says, and says what it does."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from policies.bundle.credentials import verify_credentials
from policies.bundle.environment import Candidate, CandidateMode
from policies.contracts.canaries import FAILED
from policies.contracts.errors import BundleRejected
from policies.evaluation.canaries import CanaryFailed
from proxy_addons.addons.snapshot_feed import SnapshotFeed
from proxy_addons.core.active import ActivePolicy
from proxy_addons.core.identity import KeyRing
from proxy_addons.core.issuer_keys import KeysInvalid, from_bytes
from proxy_addons.core.series import Series, to_json
from proxy_addons.core.trial import Trial
from proxy_addons.node.messages import (
    ActivateBundle,
    Authenticating,
    Drain,
    EndCandidate,
    Enforcing,
    Measure,
    Measured,
    Message,
    MissesKey,
    OfPolicy,
    Ready,
    Released,
    Serve,
    ShowsCertificate,
    ToWorker,
    TrustUntil,
    TryCandidate,
    Trying,
    UseCredentials,
    UseIssuerKeys,
    decode,
    encode,
)
from proxy_addons.policy_loading import load_policy
from proxy_addons.secret_files import read_hex_key
from proxy_addons.settings import NodeSettings

_log: Final = structlog.get_logger()

# How long a candidate that is tried no more is kept, in case it is what is put in force next.
_KEPT_S: Final = 5.0
# How long connections wait for a candidate at a worker's start. Then the policy in force decides until it is there.
_CANDIDATE_S: Final = 10.0


class _NotLoaded(Exception):
    """A bundle is not put to work here; the text is what the node is told."""


class Worker:
    """Does what the node says, and says what it does."""

    def __init__(self, settings: NodeSettings, slot: int, node: asyncio.StreamWriter) -> None:
        self.measure: Callable[[], list[Series]] = list
        self.claim: Callable[[], dict[str, str | int] | None] = lambda: None  # the last number of its records
        self.feed = SnapshotFeed(on_release=self._release, on_unknown_key=lambda of: self._say(MissesKey(issuer=of)))
        self.may_serve = asyncio.Event()
        self.stop = asyncio.Event()
        self.ready = asyncio.Event()
        self._settings = settings
        self._called = settings.source_id(slot)
        self._wanted: TryCandidate | None = None
        self._loading: asyncio.Task[None] | None = None
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
                case TryCandidate() as order:
                    self._try(order)
                case EndCandidate():
                    self._end_candidate()
                case Serve():
                    if self._loading is not None:  # so that whom it chooses meets it from the first request on
                        await asyncio.wait({self._loading}, timeout=_CANDIDATE_S)
                    self.may_serve.set()

    async def _activate(self, order: ActivateBundle) -> None:
        try:
            policy = await self._loaded(order)
        except _NotLoaded as exc:
            self._say(Enforcing(serial=order.serial, revision="", error=str(exc)))
            return
        self.feed.swap(policy)
        self._say(Enforcing(serial=policy.serial, revision=policy.snapshot.revision))
        self._say_trial()

    def _try(self, order: TryCandidate) -> None:
        """Try that candidate, loaded beside: a rollback does not wait for it, nor its end."""
        self._wanted = order
        task = asyncio.get_running_loop().create_task(self._bring(order))
        self._loading = task
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _bring(self, order: TryCandidate) -> None:
        try:
            policy = await self._loaded(order)
        except _NotLoaded as exc:
            if self._wanted is order:
                self._say(Trying(serial=order.serial, error=str(exc)))
            return
        terms = Candidate(
            serial=order.serial,
            etag=order.etag,
            mode=CandidateMode(order.mode),
            salt=order.salt,
            subjects_percent=order.subjects_percent,
            workers_percent=order.workers_percent,
        )
        wanted = self._wanted is order and self.feed.try_beside(Trial.of(policy, terms, worker=self._called))
        if not wanted and self.feed.loaded(order.etag) is not policy and self.feed.active is not policy:
            await policy.guard.close()  # nobody ever used it
        self._say_trial()

    def _end_candidate(self) -> None:
        self._wanted = None
        self.feed.end_trial()
        # Where it was promoted, that it is in force is told within milliseconds: it is not loaded twice.
        asyncio.get_running_loop().call_later(_KEPT_S, self._forget_ended)
        self._say_trial()

    def _forget_ended(self) -> None:
        if self._wanted is None:
            self.feed.forget_ended()

    def _say_trial(self) -> None:
        trial = self.feed.trial
        self._say(Trying(serial=None if trial is None else trial.policy.serial))

    async def _loaded(self, order: OfPolicy) -> ActivePolicy:
        """Return the policy of `order`, not loaded again where it was. Raises _NotLoaded with what the node is told."""
        known = self.feed.loaded(order.etag)
        if known is not None and known.serial == order.serial:
            return known
        try:
            return await asyncio.to_thread(load_policy, order, self._settings)
        except CanaryFailed as exc:
            _log.error("canary_failed", serial=order.serial, canary=str(exc))  # a trace tells nothing more
            raise _NotLoaded(f"{FAILED}: {exc}") from None
        except Exception as exc:  # whatever it is, the policy before stays and the node is told
            _log.exception("bundle_not_loaded", serial=order.serial)
            raise _NotLoaded(type(exc).__name__) from exc

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
