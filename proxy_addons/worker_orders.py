# SPDX-License-Identifier: Apache-2.0
"""The worker's end of the channel to its node: it does what the node says, and says what it does."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import structlog

from policies.bundle.environment import Candidate, CandidateMode
from policies.contracts.canaries import FAILED
from policies.contracts.errors import BundleRejected
from policies.evaluation.canaries import CanaryFailed
from proxy_addons.addons.snapshot_feed import SnapshotFeed
from proxy_addons.core.active import ActivePolicy
from proxy_addons.core.exchange import Exchange
from proxy_addons.core.identity import KeyRing
from proxy_addons.core.issuer_keys import KeysInvalid, from_bytes
from proxy_addons.core.revocations import Revocations
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
    Order,
    Ready,
    Released,
    Revoking,
    Serve,
    ShowsCertificate,
    TrustUntil,
    TryCandidate,
    Trying,
    UseCredentials,
    UseIssuerKeys,
    UseRevocations,
    decode,
    encode,
)
from proxy_addons.node.verifier import Verifier
from proxy_addons.policy_loading import load_policy
from proxy_addons.secret_files import read_hex_key
from proxy_addons.settings import NodeSettings
from proxy_addons.worker import Cut

_log: Final = structlog.get_logger()

# How long a candidate that is tried no more is kept, in case it is what is put in force next.
_KEPT_S: Final = 5.0
# How long connections wait for a candidate at a worker's start. Then the policy in force decides until it is there.
_CANDIDATE_S: Final = 10.0


class _NotLoaded(Exception):
    """A bundle is not put to work here; the text is what the node is told."""


async def _nothing_open(_is_over: Callable[[Exchange], bool]) -> None:
    """End no answer: the worker has not come to take connections."""


class Worker:
    """Does what the node says, and says what it does. `cut` ends the open answers that it is told are over."""

    def __init__(self, settings: NodeSettings, slot: int, node: asyncio.StreamWriter) -> None:
        self.measure: Callable[[], list[Series]] = list
        self.claim: Callable[[], dict[str, str | int] | None] = lambda: None  # the last number of its records
        self.feed = SnapshotFeed(on_release=self._release, on_unknown_key=lambda of: self._say(MissesKey(issuer=of)))
        self.cut: Cut = _nothing_open
        self.may_serve = asyncio.Event()
        self.stop = asyncio.Event()
        self.ready = asyncio.Event()
        self._settings = settings
        self._called = settings.source_id(slot)
        self._wanted: TryCandidate | None = None
        self._loading: asyncio.Task[None] | None = None
        self._pepper = read_hex_key(settings.key_pepper_file)
        self._verifier = Verifier(settings)
        self._node = node
        self._closing: set[asyncio.Task[None]] = set()
        # Beside the orders: a bundle takes a second to load, and a revocation must not wait for it.
        self._revocations: asyncio.Queue[UseRevocations] = asyncio.Queue()
        self._revocations_missing = False

    async def say_ready(self) -> None:
        await self.ready.wait()
        self._say(Ready())

    def say_certificate(self, expires_at: str, problem: str) -> None:
        self._say(ShowsCertificate(expires_at=expires_at, problem=problem))

    def cut_by(self, cut: Cut) -> None:
        self.cut = cut

    async def obey(self, reader: asyncio.StreamReader) -> None:
        """Follow the node's messages until it is gone; orders one after the other, and questions at once.

        Also while this worker drains: a revocation counts for the requests that it still takes.
        """
        orders: asyncio.Queue[Order] = asyncio.Queue()
        tasks = (asyncio.create_task(self._carry_out(orders)), asyncio.create_task(self._revoke()))
        try:
            while line := await reader.readline():
                message = decode(line)
                if isinstance(message, Measure):
                    self.say_counts()
                elif isinstance(message, TrustUntil):
                    self.feed.trust_until(message.monotonic_ns)
                elif isinstance(message, UseRevocations):
                    self._revocations.put_nowait(message)
                elif isinstance(message, Drain):
                    self._drain()
                elif isinstance(message, Order):
                    orders.put_nowait(message)
                else:
                    raise ValueError(f"the node does not send {message.type}")  # noqa: TRY004  # of what was read, not of an argument
                for task in tasks:
                    if task.done():
                        task.result()
            self._drain()
        finally:
            for task in tasks:
                task.cancel()

    def say_counts(self) -> None:
        self._say(Measured(series=to_json(self.measure()), source=self.claim()))

    def _drain(self) -> None:
        self.stop.set()
        self.may_serve.set()

    async def _carry_out(self, orders: "asyncio.Queue[Order]") -> None:
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

    async def _revoke(self) -> None:
        while True:
            order = await self._revocations.get()
            try:
                await self._use_revocations(order)
            finally:
                self._revocations.task_done()

    async def _use_revocations(self, order: UseRevocations) -> None:
        try:
            revocations = await asyncio.to_thread(self._load_revocations, Path(order.path))
        except (BundleRejected, OSError):
            _log.exception("revocations_not_loaded", epoch=order.epoch)
            self._revocations_missing = self.feed.revocations.epoch == 0
            return
        self._revocations_missing = False
        self.feed.use_revocations(revocations)
        self._say(Revoking(epoch=revocations.epoch))
        self._cut_revoked()

    def _cut_revoked(self) -> None:
        self._keep(self.cut(self.feed.ends))

    async def _use_credentials(self, order: UseCredentials) -> None:
        await self._revocations.join()
        if self._revocations_missing:
            return  # what they revoke would be let in; without credentials nobody is
        try:
            key_ring = await asyncio.to_thread(self._load_credentials, Path(order.path))
        except (BundleRejected, OSError):
            _log.exception("credentials_not_loaded", epoch=order.epoch)
            return
        self.feed.use_credentials(key_ring)
        self._say(Authenticating(epoch=key_ring.epoch))
        self._cut_revoked()

    async def _use_issuer_keys(self, order: UseIssuerKeys) -> None:
        try:
            self.feed.use_issuer_keys(await asyncio.to_thread(lambda: from_bytes(Path(order.path).read_bytes())))
        except (KeysInvalid, OSError):
            _log.exception("issuer_keys_not_loaded", generation=order.generation)  # those of before stay

    def _load_credentials(self, path: Path) -> KeyRing:
        return KeyRing.of(self._verifier.credentials(path.read_bytes()), pepper=self._pepper)

    def _load_revocations(self, path: Path) -> Revocations:
        return Revocations.of(self._verifier.revocations(path.read_bytes()))

    def _release(self, policy: ActivePolicy) -> None:
        self._keep(self._close(policy))

    def _keep(self, doing: Awaitable[None]) -> None:
        """Have it done beside everything else; the loop alone would not keep its task alive."""
        task = asyncio.ensure_future(doing)
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _close(self, policy: ActivePolicy) -> None:
        await policy.guard.close()
        self._say(Released(serial=policy.serial))

    def _say(self, message: Message) -> None:
        self._node.write(encode(message))
