# SPDX-License-Identifier: Apache-2.0
"""One worker: serves an inherited listening socket with our layer and the given addons until it is told to stop."""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

import structlog
import uvloop

from proxy_addons.core.exchange import Exchange
from proxy_addons.core.request_id import new_request_id
from proxy_addons.core.series import Series
from proxy_addons.http1.admission import Admission
from proxy_addons.http1.bounds import Bounds
from proxy_addons.http1.connection import ClientConnection
from proxy_addons.http1.hooks import HookTable
from proxy_addons.http1.messages import Revoked
from proxy_addons.http1.origin import UpstreamOrigin
from proxy_addons.http1.pool import UpstreamPool
from proxy_addons.http1.pools import UpstreamPools
from proxy_addons.http1.surroundings import Surroundings
from proxy_addons.http1.turn import Terms
from proxy_addons.http1.turned_away import Refused, TurnedAway
from proxy_addons.lean_master import GatehouseMode, LeanMaster
from proxy_addons.listener import Listener
from proxy_addons.settings import DataPortTls
from proxy_addons.upstreams_file import UpstreamSettings

_log: Final = structlog.get_logger()

# How long addons may take to record the exchanges that the drain deadline cut.
_LAST_HOOKS_S: Final = 2.0

# To end a stream and write its record takes a few tenths of a millisecond: of so long a slice nobody notices anything,
# and 500 streams are over within half a second.
_SLICE_S: Final = 0.002

Cut: TypeAlias = Callable[[Callable[[Exchange], bool]], Awaitable[None]]
"""Ends every answer under way of which it is told that it is over."""

new_event_loop: Final = uvloop.new_event_loop
"""The loop a worker's process runs `serve` on: `asyncio.Runner(loop_factory=new_event_loop)`."""


async def serve(
    *,
    sock: socket.socket,
    addons: Sequence[object],
    upstream: UpstreamSettings,
    upstreams: Mapping[str, UpstreamSettings] | None = None,
    stop: asyncio.Event,
    limits: Bounds | None = None,
    tls: DataPortTls | None = None,
    on_certificate: Callable[[str, str], None] | None = None,
    on_gauges: Callable[[Callable[[], list[Series]]], None] | None = None,
    on_cut: Callable[[Cut], None] | None = None,
    options: Mapping[str, Any] | None = None,
    ready: asyncio.Event | None = None,
) -> None:
    """Serve `sock` until `stop` is set; then part from the open connections within `limits.drain_s`.

    `ready` is set once connections are accepted. `on_certificate` is told until when the certificate shown is valid,
    and what is wrong with newer files; `on_gauges` is given what reads the numbers of connections, `on_cut` what ends
    answers. Raises UnsafeOption, MisspeltHook, ValueError or OSError, each before the first connection is accepted.
    """
    bounds = limits or Bounds()
    hooks = HookTable(addons)
    origin = UpstreamOrigin.from_settings(upstream)
    others = {name: UpstreamOrigin.from_settings(each) for name, each in (upstreams or {}).items()}
    master = LeanMaster(addons, options or {})
    await master.running()
    connections = Connections(bounds)
    around = Surroundings(
        hooks=hooks,
        pool=UpstreamPools(
            UpstreamPool(origin, bounds), {name: UpstreamPool(each, bounds) for name, each in others.items()}
        ),
        terms=Terms(
            bounds=bounds,
            admission=Admission(bounds.requests),
            hooks=hooks,
            origin=origin,
            others=others,
            utc_now=lambda: datetime.now(UTC),
            monotonic_ns=time.monotonic_ns,
            parting=stop.is_set,
            draining=lambda: connections.draining,
        ),
        options=master.options,
        mode=GatehouseMode.parse("gatehouse"),
        registry=connections,
    )
    if on_gauges is not None:
        on_gauges(lambda: [*connections.gauges(), *around.pool.gauges()])
    if on_cut is not None:
        on_cut(connections.cut)
    listener = Listener(sock, lambda: connections.protocol(around), bounds=bounds, tls=tls, report=on_certificate)
    try:
        await _opened_or_stopped(listener, stop)
        if ready is not None and not stop.is_set():
            ready.set()
        await stop.wait()
        listener.close()
        await connections.drain(bounds)
    finally:
        listener.close()
        around.pool.close()
        await master.done()
    _log.info("worker_stopped")


async def _opened_or_stopped(listener: Listener, stop: asyncio.Event) -> None:
    """Return when connections are taken, or when the worker must end before its certificate became usable."""
    loop = asyncio.get_running_loop()
    opening, stopping = loop.create_task(listener.open()), loop.create_task(stop.wait())
    done, _ = await asyncio.wait({opening, stopping}, return_when=asyncio.FIRST_COMPLETED)
    for task in (opening, stopping):
        task.cancel()
    if opening in done:
        opening.result()
        _log.info("worker_serving")


class Connections:
    """The open connections of a worker."""

    def __init__(self, bounds: Bounds) -> None:
        self.draining = False
        self._bounds = bounds
        self._open: set[ClientConnection] = set()
        self._turned_away = 0
        self._refused_count = 0
        self._none_left = asyncio.Event()

    def protocol(self, around: Surroundings) -> asyncio.Protocol:
        """Return what a new connection is met by."""
        if len(self._open) < self._bounds.connections:
            return ClientConnection(around)
        self._refused_count += 1
        if self._turned_away >= self._bounds.turned_away:
            return Refused()
        if not self._turned_away:  # the first of many: a line for each would fill the log at the pace of an attack
            _log.warning("connections_turned_away", open_count=len(self._open))
        now = around.terms.utc_now()
        return TurnedAway(
            new_request_id(int(now.timestamp() * 1000)), stay_s=self._bounds.turn_away_s, count=self._count_turned_away
        )

    def _count_turned_away(self, change: int) -> None:
        self._turned_away += change

    def gauges(self) -> list[Series]:
        busy = sum(not connection.idle for connection in self._open)
        return [
            ("gatehouse_connections", (), len(self._open)),
            ("gatehouse_requests_in_flight", (), busy),
            ("gatehouse_connections_refused_total", (), self._refused_count),
        ]

    def opened(self, connection: ClientConnection) -> None:
        self._open.add(connection)
        self._none_left.clear()

    def closed(self, connection: ClientConnection) -> None:
        self._open.discard(connection)
        if not self._open:
            self._none_left.set()

    async def cut(self, is_over: Callable[[Exchange], bool]) -> None:
        """End every answer under way of which `is_over` says so, and let everybody else have the loop in between."""
        slice_ends_s = time.monotonic() + _SLICE_S
        for connection in tuple(self._open):
            if connection.idle:
                continue
            connection.tell(Revoked(is_over))
            if time.monotonic() >= slice_ends_s:
                await asyncio.sleep(_SLICE_S)
                slice_ends_s = time.monotonic() + _SLICE_S

    async def drain(self, bounds: Bounds) -> None:
        """Wait for a last request, close idle connections, wait for the others, cut what is left at the deadline."""
        if await self._emptied(bounds.parting_s):
            return
        self.draining = True
        for connection in tuple(self._open):
            connection.close_if_idle()
        if await self._emptied(bounds.drain_s - bounds.parting_s):
            return
        _log.warning("exchanges_cut", count=len(self._open))
        for connection in tuple(self._open):
            connection.abort()
        await self._emptied(_LAST_HOOKS_S)

    async def _emptied(self, within_s: float) -> bool:
        if not self._open:
            return True
        try:
            await asyncio.wait_for(self._none_left.wait(), within_s)
        except TimeoutError:
            return False
        return True
