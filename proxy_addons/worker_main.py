# SPDX-License-Identifier: Apache-2.0
"""`python -m proxy_addons.worker_main`: the process of one worker slot. The node starts it; nobody else does.

It wires settings, spool, rate counter, engines, counters and addons, serves the inherited listener, and does what the
node says over the inherited channel. A bundle is built in a thread, and swapped in by one assignment on the event loop.
"""

# First of all: rego-cpp must be loaded before any other C++ library.
import policies.engines.rego_library  # noqa: F401  # isort: skip
import argparse
import asyncio
import contextlib
import gc
import os
import secrets
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Final

import structlog

from policies.evaluation.pipeline import TakeToken
from proxy_addons.addons import AddonPorts, build_addons
from proxy_addons.addons.record_decision import RecordIdentity
from proxy_addons.addons.trace import Trace
from proxy_addons.clients.open_requests import OpenRequests, tables_left
from proxy_addons.clients.rates import RateCounter, SharedRates
from proxy_addons.clients.screen_client import NoScreen, ScreenClient
from proxy_addons.clients.source_records import SourceScope
from proxy_addons.clients.spool import Spool, SpoolBounds, SpoolUnavailable
from proxy_addons.core.record_builder import RecordScope
from proxy_addons.core.request_id import new_salt, new_ulid
from proxy_addons.core.series import Series
from proxy_addons.core.tally import Tally
from proxy_addons.logs import log_to_stderr
from proxy_addons.operator_limits import allow_open_files, bounds_of
from proxy_addons.parent_death import die_with_parent
from proxy_addons.secret_files import read_hex_key
from proxy_addons.settings import NodeSettings, SettingInvalid
from proxy_addons.worker import new_event_loop, serve
from proxy_addons.worker_orders import Worker
from proxy_addons.worker_screen import open_screen
from proxy_addons.worker_traces import open_traces

_log: Final = structlog.get_logger()

_EXIT_CONFIGURATION: Final = 78
# A predecessor that was killed gives its spool back when the kernel has torn it down.
_SPOOL_WAIT_S: Final = 5.0
_SPOOL_RETRY_S: Final = 0.05
# A request makes a few hundred containers; most are gone with it, without the collector.
_CONTAINERS_A_ROUND: Final = 10_000
_LONGEST_TURN_S: Final = 0.0005


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


async def _work(settings: NodeSettings, inherited: Inherited) -> None:
    listener = socket.socket(fileno=inherited.listener_fd)
    listener.setblocking(False)  # noqa: FBT003  # its one parameter has no name
    reader, writer = await asyncio.open_connection(sock=socket.socket(fileno=inherited.node_fd))
    worker = Worker(settings, inherited.slot, writer)
    rates = _rate_counter(settings)
    spool, table = await _open_spool(settings, inherited.slot)
    tally = Tally()
    traces = open_traces(settings, inherited.slot)
    screen = open_screen(settings.screen)
    live: list[Callable[[], list[Series]]] = [tally.read, screen.read, lambda: _spool_series(spool)]
    worker.measure = lambda: [series for read in live for series in read()]
    worker.claim = spool.claim
    try:
        async with asyncio.TaskGroup() as group:
            obeying = group.create_task(worker.obey(reader))
            saying = group.create_task(worker.say_ready())
            # Before that a connection would only be told that there is no policy; it waits in the kernel's queue.
            await worker.may_serve.wait()
            set_start_up_aside()
            await serve(
                sock=listener,
                addons=build_addons(
                    worker.feed, _ports(settings, (spool, table), (rates, screen), tally, traces.addon)
                ),
                upstream=settings.upstream,
                upstreams=settings.upstreams,
                tls=settings.proxy_tls,
                on_certificate=worker.say_certificate,
                on_gauges=live.append,
                on_cut=worker.cut_by,
                stop=worker.stop,
                limits=bounds_of(settings.limits, inherited.drain_s),
                ready=worker.ready,
            )
            worker.say_counts()  # the last word: what follows has no requests
            obeying.cancel()
            saying.cancel()
    finally:
        await asyncio.to_thread(spool.close)
        table.close()
        await rates.close()
        await screen.close()
        await traces.close()
        writer.close()


def set_start_up_aside() -> None:
    """Have the garbage collector look at what requests leave, not at the 125,000 objects that were here before them.

    A full round over those stops every request for a tenth of a second.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_CONTAINERS_A_ROUND)
    # The thread that loads a policy is made to let the loop go on ten times as often as Python would: each time that a
    # request needs the processor it would otherwise wait for 5 ms.
    sys.setswitchinterval(_LONGEST_TURN_S)


def _spool_series(spool: Spool) -> list[Series]:
    return [
        ("gatehouse_spool_flush_seconds", (), spool.flushes.read()),
        ("gatehouse_records_lost_total", (), spool.losses.total),
        ("gatehouse_spool_scarce", (), int(not spool.writable)),
    ]


def _ports(
    settings: NodeSettings,
    kept: tuple[Spool, OpenRequests],
    asked: tuple[RateCounter, NoScreen | ScreenClient],
    tally: Tally,
    trace: Trace | None,
) -> AddonPorts:
    (spool, table), (rates, screen) = kept, asked

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
            clock=_now,
            monotonic_ns=time.monotonic_ns,
            new_id=_new_record_id,
            new_salt=new_salt,
        ),
        ask_screen=screen.ask,
        hosts=settings.proxy_hosts,
        on_end=lambda exchange: tally.count(exchange, time.monotonic_ns()),
        trace=trace,
        open_requests=table,
    )


def _now() -> datetime:
    return datetime.now(UTC)


def _new_record_id() -> str:
    return new_ulid(time.time_ns() // 1_000_000)


def _rate_counter(settings: NodeSettings) -> RateCounter:
    scope = f"{settings.tenant}/{settings.environment}"
    if settings.redis_url is not None:
        from proxy_addons.clients.redis_rates import RedisRates  # noqa: PLC0415  # redis brings OpenTelemetry's SDK

        return RedisRates(settings.redis_url, scope=scope)
    return SharedRates(settings.counters_file, scope=scope)


async def _open_spool(settings: NodeSettings, slot: int) -> tuple[Spool, OpenRequests]:
    """Return the first spool of the slot that no other process writes to, and a table of open requests beside it.

    A predecessor may still be at its own. One that a dead process left requests in belongs to the node until it has
    recorded them; it is taken only where nothing else is left.
    """
    scope = SourceScope(
        id=settings.source_id(slot),
        tenant=settings.tenant,
        environment=settings.environment,
        version=version("gatehouse"),
        clock=_now,
        new_id=_new_record_id,
    )
    bounds = SpoolBounds(high_water_bytes=settings.spool_max_bytes, reserve_bytes=settings.spool_reserve_bytes)
    deadline = time.monotonic() + _SPOOL_WAIT_S
    while True:
        late = time.monotonic() > deadline
        for directory in settings.spool_dirs(slot):
            if directory.is_dir() and tables_left(directory) and not late:
                continue
            with contextlib.suppress(SpoolUnavailable):
                spool = Spool.open(directory, scope, bounds)
                table = OpenRequests.create(directory, boot=secrets.token_hex(8))
                spool.before_next_segment(table.sync)
                return spool, table
        if late:
            raise SpoolUnavailable(f"every spool of slot {slot} is in use")
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
