# SPDX-License-Identifier: Apache-2.0
"""A port of its own for `/metrics`: it has no authentication, so it is never that of the API.

It has a thread and a loop of its own too, so that an API under load or a hanging database still shows its numbers.
"""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from controlplane.metrics import CONTENT_TYPE
from controlplane.settings import SettingInvalid

# One Prometheus asks once in a while; more than this is somebody who keeps connections for their own sake.
_CONNECTIONS: Final = 64
_KEEP_ALIVE_S: Final = 75
_DRAIN_S: Final = 1
# A page that waits for a database which hangs must not hold the end of the process.
_STOP_WITHIN_S: Final = 3.0

_log = structlog.get_logger("gatehouse.metrics")


@contextmanager
def metrics_port(host: str, port: int, *, page: Callable[[], bytes]) -> Iterator[None]:
    """Answer `/metrics` at `host`:`port` while the context is open. Raises SettingInvalid where that cannot be had."""
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as exc:
        raise SettingInvalid(
            f"GATEHOUSE_METRICS_HOST and GATEHOUSE_METRICS_PORT name no address to listen on ({exc.strerror}): "
            "set them to a free port of this machine"
        ) from exc
    config = uvicorn.Config(
        _application(page),
        http="h11",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_CONNECTIONS,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_DRAIN_S,
    )
    server = uvicorn.Server(config)
    # A daemon: where a page hangs, the process ends without it.
    thread = threading.Thread(target=server.run, args=([listener],), name="metrics", daemon=True)
    thread.start()
    _log.info("metrics_started", host=host, port=port)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(_STOP_WITHIN_S)
        listener.close()


def _application(page: Callable[[], bytes]) -> Starlette:
    # One page at a time: each asks the database, and a caller in a hurry must not make it work more than once.
    making = asyncio.Lock()

    async def metrics(_: Request) -> Response:
        async with making:
            text = await asyncio.to_thread(page)
        return Response(text, headers={"Content-Type": CONTENT_TYPE})

    return Starlette(routes=[Route("/metrics", metrics)])
