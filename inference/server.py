# SPDX-License-Identifier: Apache-2.0
"""The server's life: bind, load, serve, stop."""

import asyncio
import signal
import socket
import time
from collections.abc import Callable
from typing import Final

import structlog
import uvicorn

from inference.engine import Engine
from inference.job import Finished, Job
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
    started_at = time.monotonic()
    # Imported here: torch takes a second, and a wrong command line should not wait for it.
    from inference.api.admission import ServedModel  # noqa: PLC0415
    from inference.api.app import InferenceApi  # noqa: PLC0415
    from inference.generation import generate  # noqa: PLC0415
    from inference.loading import load_model  # noqa: PLC0415

    loaded = load_model(settings.model_dir, max_context=settings.max_context)
    log.info(
        "model_loaded",
        names=settings.names,
        digest=loaded.digest,
        parameter_count=loaded.parameter_count,
        context_tokens=loaded.context_tokens,
        device=str(loaded.model.device),
        load_s=round(time.monotonic() - started_at, 2),
    )

    def run(job: Job, on_text: Callable[[str], None], is_cancelled: Callable[[], bool]) -> Finished:
        return generate(loaded, job, on_text=on_text, is_cancelled=is_cancelled)

    engine = Engine(run, queue_size=settings.queue_size)
    served = ServedModel(
        names=settings.names,
        prompts=loaded.prompts,
        context_tokens=loaded.context_tokens,
        digest=loaded.digest,
    )
    api = InferenceApi(engine=engine, served=served, clock=time.time)
    config = uvicorn.Config(
        api.application(),
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
    engine.start()
    log.info(
        "server_listening",
        host=settings.host,
        port=listener.getsockname()[1],
        tls=context is not None,
        client_certificates=bool(settings.tls and settings.tls.client_ca),
    )
    asyncio.run(_Server(config, engine).serve(sockets=[listener]))
    log.info("server_stopped")


class _Server(uvicorn.Server):
    """Stops the engine before it waits for connections: what they wait for is the engine."""

    def __init__(self, config: uvicorn.Config, engine: Engine) -> None:
        super().__init__(config)
        self._engine = engine

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._engine.stop(timeout_s=0)
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
