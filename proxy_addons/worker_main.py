# SPDX-License-Identifier: Apache-2.0
"""`python -m proxy_addons.worker_main`: the process of one worker slot. The node starts it; nobody else does.

It wires settings, spool, rate counter, engines and addons, serves the inherited listener, and does what the node says
over the inherited channel. A bundle is built in a thread, and swapped in by one assignment on the event loop.
"""

# First of all: rego-cpp must be loaded before RE2 and any other C++ library.
import policies.engines.rego_library  # noqa: F401  # isort: skip
import argparse
import asyncio
import gc
import os
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

from policies.bundle.credentials import verify_credentials
from policies.contracts.errors import BundleRejected
from policies.evaluation.pipeline import TakeToken
from proxy_addons.addons import AddonPorts, build_addons
from proxy_addons.addons.record_decision import RecordIdentity
from proxy_addons.addons.snapshot_feed import SnapshotFeed
from proxy_addons.clients.rates import RateCounter, SharedRates
from proxy_addons.clients.redis_rates import RedisRates
from proxy_addons.clients.spool import Spool, SpoolUnavailable
from proxy_addons.core.active import ActivePolicy
from proxy_addons.core.identity import KeyRing
from proxy_addons.core.issuer_keys import KeysInvalid, from_bytes
from proxy_addons.core.record_builder import RecordScope
from proxy_addons.core.request_id import new_salt, new_ulid
from proxy_addons.logs import log_to_stderr
from proxy_addons.node.messages import (
    ActivateBundle,
    Authenticating,
    Drain,
    Enforcing,
    Message,
    MissesKey,
    Ready,
    Released,
    Serve,
    ShowsCertificate,
    TrustUntil,
    UseCredentials,
    UseIssuerKeys,
    decode,
    encode,
)
from proxy_addons.operator_limits import allow_open_files, bounds_of
from proxy_addons.parent_death import die_with_parent
from proxy_addons.policy_loading import load_policy
from proxy_addons.settings import NodeSettings, SettingInvalid, read_hex_key
from proxy_addons.worker import new_event_loop, serve

_log: Final = structlog.get_logger()

_EXIT_CONFIGURATION: Final = 78
# A predecessor that was killed gives its spool back when the kernel has torn it down.
_SPOOL_WAIT_S: Final = 5.0
_SPOOL_RETRY_S: Final = 0.05
# A request makes a few hundred containers; most are gone with it, without the collector.
_CONTAINERS_A_ROUND: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Inherited:
    """What the node gave this process on its command line."""

    slot: int
    listener_fd: int
    node_fd: int
    node_pid: int
    drain_s: float

    @classmethod
    def parse(cls, arguments: Sequence[str]) -> "Inherited":
        parser = argparse.ArgumentParser(prog="proxy_addons.worker_main")
        for name in ("slot", "listener-fd", "node-fd", "node-pid"):
            parser.add_argument(f"--{name}", type=int, required=True)
        parser.add_argument("--drain-s", type=float, required=True)
        return cls(**vars(parser.parse_args(arguments)))


class Worker:
    """Does what the node says, and says what it does."""

    def __init__(self, settings: NodeSettings, node: asyncio.StreamWriter) -> None:
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
        """Follow the node's messages, in order, until it says drain or is gone."""
        while not self.stop.is_set():
            line = await reader.readline()
            match decode(line) if line else Drain(deadline_s=0):
                case ActivateBundle() as order:
                    await self._activate(order)
                case UseCredentials() as order:
                    await self._use_credentials(order)
                case TrustUntil(monotonic_ns=until_ns):
                    self.feed.trust_until(until_ns)
                case UseIssuerKeys() as order:
                    await self._use_issuer_keys(order)
                case Serve():
                    self.may_serve.set()
                case Drain():
                    self.stop.set()
                    self.may_serve.set()
                case unexpected:
                    raise ValueError(f"the node does not send {unexpected.type}")

    async def _activate(self, order: ActivateBundle) -> None:
        try:
            policy = await asyncio.to_thread(load_policy, order, self._settings)
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


async def _work(settings: NodeSettings, inherited: Inherited) -> None:
    listener = socket.socket(fileno=inherited.listener_fd)
    listener.setblocking(False)  # noqa: FBT003  # its one parameter has no name
    reader, writer = await asyncio.open_connection(sock=socket.socket(fileno=inherited.node_fd))
    worker = Worker(settings, writer)
    rates = _rate_counter(settings)
    spool = await _open_spool(settings, inherited.slot)
    try:
        async with asyncio.TaskGroup() as group:
            obeying = group.create_task(worker.obey(reader))
            saying = group.create_task(worker.say_ready())
            # Before that a connection would only be told that there is no policy; it waits in the kernel's queue.
            await worker.may_serve.wait()
            _set_start_up_aside()
            await serve(
                sock=listener,
                addons=build_addons(worker.feed, _ports(settings, spool, rates)),
                upstream=settings.upstream,
                tls=settings.proxy_tls,
                on_certificate=worker.say_certificate,
                stop=worker.stop,
                limits=bounds_of(settings.limits, inherited.drain_s),
                ready=worker.ready,
            )
            obeying.cancel()
            saying.cancel()
    finally:
        await asyncio.to_thread(spool.close)
        await rates.close()
        writer.close()


def _set_start_up_aside() -> None:
    """Have the garbage collector look at what requests leave, not at the 125,000 objects that were here before them.

    A full round over those stops every request for a tenth of a second.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_CONTAINERS_A_ROUND)


def _ports(settings: NodeSettings, spool: Spool, rates: RateCounter) -> AddonPorts:
    async def take_token(asked: TakeToken) -> float:
        return await rates.take(asked.policy, str(asked.subject), asked.rate)

    return AddonPorts(
        sink=spool,
        take_token=take_token,
        scope=RecordScope(
            tenant=settings.tenant,
            environment=settings.environment,
            pseudonym_key=read_hex_key(settings.pseudonym_key_file),
        ),
        identity=RecordIdentity(
            clock=lambda: datetime.now(UTC),
            monotonic_ns=time.monotonic_ns,
            new_id=lambda: new_ulid(time.time_ns() // 1_000_000),
            new_salt=new_salt,
        ),
        hosts=settings.proxy_hosts,
    )


def _rate_counter(settings: NodeSettings) -> RateCounter:
    scope = f"{settings.tenant}/{settings.environment}"
    if settings.redis_url is not None:
        return RedisRates(settings.redis_url, scope=scope)
    return SharedRates(settings.counters_file, scope=scope)


async def _open_spool(settings: NodeSettings, slot: int) -> Spool:
    deadline = time.monotonic() + _SPOOL_WAIT_S
    while True:
        try:
            return Spool.open(settings.spool_dir(slot), source_id=f"{settings.node_id}/w{slot}")
        except SpoolUnavailable:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(_SPOOL_RETRY_S)


def main() -> int:
    inherited = Inherited.parse(sys.argv[1:])
    die_with_parent(inherited.node_pid)
    try:
        settings = NodeSettings.read(os.environ)
        log_to_stderr(node=settings.node_id, slot=inherited.slot)
        allow_open_files(settings.limits)
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(_work(settings, inherited))
    except SettingInvalid as exc:
        sys.stderr.write(f"gatehouse worker: {exc}\n")
        return _EXIT_CONFIGURATION
    return 0


if __name__ == "__main__":
    sys.exit(main())
