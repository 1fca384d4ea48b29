# SPDX-License-Identifier: Apache-2.0
"""The server's life: bind, load, serve, stop."""

import asyncio
import signal
import socket
from collections.abc import Callable
from typing import Final

import structlog
import uvicorn

from inference.settings import ServeSettings, SettingsWrong
from inference.tls import server_context

log = structlog.get_logger()

# Streams that run when the server is told to stop end at their next token; this is for slow readers of them.
GRACE_S: Final = 5
BACKLOG: Final = 512


def serve(settings: ServeSettings) -> None:
    """Serves until SIGTERM or SIGINT. Raises SettingsWrong or ModelRefused before it listens."""
    context = server_context(settings.tls) if settings.tls else None
    # Bound first, so that a taken port is found before seconds are spent on the model. Nobody can connect yet.
    listener = _bind(settings.host, settings.port)
    # Imported here: torch takes a second, and a wrong command line should not wait for it.
    from inference.serving import open_serving  # noqa: PLC0415

    serving = open_serving(settings.serving)
    config = uvicorn.Config(
        serving.application,
        # Named, so that the server is the same whatever else is installed beside it.
        http="h11",
        loop="asyncio",
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=GRACE_S,
        ssl_context_factory=(lambda _config, _default: context) if context else None,
    )
    # uvicorn raises the signal that stopped it again when it is done; a stop that was asked for is a success.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    serving.start()
    log.info(
        "server_listening",
        host=settings.host,
        port=listener.getsockname()[1],
        tls=context is not None,
        client_certificates=bool(settings.tls and settings.tls.client_ca),
    )
    asyncio.run(_Server(config, serving.stop).serve(sockets=[listener]))
    log.info("server_stopped")


class _Server(uvicorn.Server):
    """Stops the engines before it waits for connections: what they wait for are the engines."""

    def __init__(self, config: uvicorn.Config, stop: Callable[..., None]) -> None:
        super().__init__(config)
        self._stop = stop

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stop(timeout_s=0)
        await super().shutdown(sockets)


def _bind(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as exc:
        raise SettingsWrong(f"--host {host} --port {port} cannot be bound: {exc.strerror}") from exc
    return listener
