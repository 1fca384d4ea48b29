# SPDX-License-Identifier: Apache-2.0
"""The server's life: bind, give up privileges, load, serve, stop."""

import asyncio
import contextlib
import os
import resource
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Final, Protocol

import structlog
import uvicorn
from starlette.types import ASGIApp

from inference.cluster.settings import ClusterSettings
from inference.connections import BoundedConnection, Bounds
from inference.privileges import Account, become, find_account, require_own_code
from inference.settings import ServeSettings, ServingSettings, TcpListen, UnixListen
from inference.sockets import bind_tcp, bind_unix, remove_unix
from inference.tls import server_context

log = structlog.get_logger()

# Streams that run when the server is told to stop end at their next token; this is for slow readers of them.
GRACE_S: Final = 5
BACKLOG: Final = 512
# Both ends are near each other; a peer that takes longer holds a file descriptor for nothing.
HANDSHAKE_S: Final = 10.0
# The proxy's pool keeps its connections; to dial anew costs a handshake with certificates on both sides.
KEEP_ALIVE_S: Final = 75
# A scraper and a health check or two.
OPERATIONS: Final = Bounds(connections=32)


class Served(Protocol):
    """What answers behind the sockets: `inference.serving` in this process, `inference.cluster.serving` in others."""

    @property
    def application(self) -> ASGIApp: ...

    @property
    def operations(self) -> ASGIApp: ...

    def start(self) -> None: ...

    def stop(self, *, timeout_s: float) -> None:
        """The server is told to stop, and waits for its connections next."""

    def close(self) -> None:
        """No connection is left."""


def serve(settings: ServeSettings, *, cluster: ClusterSettings | None = None) -> None:
    """Serves until SIGTERM or SIGINT, from this process or from replicas on a cluster.

    Raises SettingsWrong or ModelRefused before it listens.
    """
    account = find_account(settings.user)
    with (
        _bound(settings, account) as (listener, context),
        bind_tcp(settings.metrics_host, settings.metrics_port, options="--metrics-host, --metrics-port") as operations,
    ):
        become(account)
        require_own_code(account)
        serving = _open(settings.serving, cluster)
        _allow_many_connections()
        # uvicorn raises the signal that stopped it again when it is done; a stop that was asked for is a success.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        serving.start()
        # Whoever reads that the server listens may connect at once, before the event loop has begun.
        for bound in (listener, operations):
            bound.listen(BACKLOG)
        _tell(settings, listener, operations)
        names = settings.listen.client_names if isinstance(settings.listen, TcpListen) else frozenset()
        main = Server(
            serving.application, context, bounds=Bounds(client_names=names), stop=lambda: serving.stop(timeout_s=0)
        )
        try:
            asyncio.run(_serve_both(main, listener, _Quiet(serving.operations, None, bounds=OPERATIONS), operations))
        finally:
            serving.close()
    log.info("server_stopped")


def _open(settings: ServingSettings, cluster: ClusterSettings | None) -> Served:
    # Imported here: torch takes a second, and a wrong command line should not wait for it.
    if cluster is not None:
        from inference.cluster.serving import ClusterServing  # noqa: PLC0415

        return ClusterServing(settings, cluster)
    from inference.serving import open_serving  # noqa: PLC0415

    return open_serving(settings)


class Server(uvicorn.Server):
    """One application on one bound socket. `stop` is called before connections are waited for: what they wait for."""

    def __init__(
        self,
        application: ASGIApp,
        context: ssl.SSLContext | None,
        *,
        bounds: Bounds,
        stop: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                application,
                # Named, so that the server is the same whatever else is installed beside it.
                http=BoundedConnection,
                loop="asyncio",
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=GRACE_S,
            )
        )
        self._context = context
        self._bounds = bounds
        self._stop = stop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, with bounds on connections and on the handshake, which it has no settings for."""
        loop = asyncio.get_running_loop()
        handshake_s = HANDSHAKE_S if self._context is not None else None
        self.servers = [
            await loop.create_server(
                self._connection, sock=each, ssl=self._context, ssl_handshake_timeout=handshake_s, backlog=BACKLOG
            )
            for each in sockets or []
        ]
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stop()
        await super().shutdown(sockets)

    def _connection(self) -> asyncio.Protocol:
        connection = BoundedConnection(config=self.config, server_state=self.server_state, app_state={})
        connection.bounds = self._bounds
        return connection


class _Quiet(Server):
    """A server beside the one that the signals are for."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve_both(main: Server, listener: socket.socket, beside: Server, operations: socket.socket) -> None:
    watched = asyncio.create_task(beside.serve(sockets=[operations]))
    try:
        await main.serve(sockets=[listener])
    finally:
        beside.should_exit = True
        await watched


@contextlib.contextmanager
def _bound(settings: ServeSettings, account: Account | None) -> Iterator[tuple[socket.socket, ssl.SSLContext | None]]:
    """The socket, bound while nobody can connect yet, with TLS where there is any."""
    listen = settings.listen
    if isinstance(listen, TcpListen):
        context = server_context(listen.tls) if listen.tls is not None else None
        with bind_tcp(listen.host, listen.port, options="--host and --port") as listener:
            yield listener, context
        return
    with bind_unix(listen.path, group=listen.group) as listener:
        if account is not None and os.geteuid() == 0:
            os.chown(listen.path, account.user_id, -1)
        try:
            yield listener, None
        finally:
            remove_unix(listen.path)


def _allow_many_connections() -> None:
    # The soft limit is 1,024 files on most systems: fewer than the connections that are allowed, with the model's own.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _tell(settings: ServeSettings, listener: socket.socket, operations: socket.socket) -> None:
    listen, metrics_port = settings.listen, operations.getsockname()[1]
    if isinstance(listen, UnixListen):
        log.info("server_listening", socket=str(listen.path), metrics_port=metrics_port)
        return
    required = listen.tls is not None and listen.tls.client_ca is not None
    if not required:
        log.warning("insecure_listener", fix="for development only: anybody on this machine can ask the models")
    log.info(
        "server_listening",
        host=listen.host,
        port=listener.getsockname()[1],
        tls=listen.tls is not None,
        client_certificates=required,
        metrics_port=metrics_port,
    )
