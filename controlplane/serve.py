# SPDX-License-Identifier: Apache-2.0
"""Run the control plane under uvicorn until it is told to stop."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

import structlog
import uvicorn

from controlplane.app import create_app
from controlplane.bootstrap import ControlPlane
from controlplane.edge import Watch, create_edge
from controlplane.settings import ServerSettings

# Requests in flight at SIGTERM may finish; a batch of records takes well under a second.
_DRAIN_S: Final = 10
_KEEP_ALIVE_S: Final = 75
_BACKLOG: Final = 2048

_log = structlog.get_logger("gatehouse.api")


class _Server(uvicorn.Server):
    """Lets parked feeds go at the first signal: each would hold the shutdown for up to its whole wait."""

    def __init__(self, config: uvicorn.Config, watch: Watch) -> None:
        super().__init__(config)
        self._watch = watch

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take SIGTERM and SIGINT as a wish to end. uvicorn's own raises them again, and the store stays open."""
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._watch.close()
        super().handle_exit(sig, frame)


def serve(plane: ControlPlane, settings: ServerSettings) -> None:
    """Serve `plane` until SIGTERM or SIGINT."""
    watch = Watch(plane)
    config = uvicorn.Config(
        create_edge(plane, create_app(plane, url=settings.url), watch),
        host=settings.host,
        port=settings.port,
        http="h11",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_DRAIN_S,
    )
    _log.info("api_started", host=settings.host, port=settings.port)
    _Server(config, watch).run()
    _log.info("api_stopped")
