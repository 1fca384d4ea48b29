# SPDX-License-Identifier: Apache-2.0
"""The node's own port, never the data port: `/healthz` (it lives), `/readyz` (every worker enforces), `/metrics`."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from aiohttp import web

from policies.contracts.codec import JSON
from proxy_addons.clients.segments import size_of
from proxy_addons.node.metrics import CONTENT_TYPE
from proxy_addons.node.status import NodeStatus, serving
from proxy_addons.node.worker_process import WorkerState

_OK: Final = 200
_UNAVAILABLE: Final = 503


async def serve_health(
    host: str,
    port: int,
    *,
    status: Callable[[], NodeStatus],
    metrics: Callable[[], Awaitable[bytes]],
    spool_dir: Path,
    spool_max_bytes: int,
    issuers: Callable[[], Sequence[JSON]] = tuple,
) -> web.AppRunner:
    """Start answering on `host`:`port`, and return what `cleanup()` stops. Raises OSError if the port is taken.

    An issuer without usable keys does not make the node unready: other credentials are taken as before.
    """
    # One scrape at a time: each asks every worker, and a caller in a hurry must not make it work more than once.
    scraping = asyncio.Lock()

    async def metrics_page(_: web.Request) -> web.Response:
        async with scraping:
            page = await metrics()
        return web.Response(body=page, headers={"Content-Type": CONTENT_TYPE})

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def readyz(_: web.Request) -> web.Response:
        now = status()
        enforcing, writable = (
            serving(now.workers) and not now.refusing,
            await asyncio.to_thread(_writable, spool_dir, spool_max_bytes),
        )
        ready = enforcing and writable
        body: dict[str, JSON] = {
            "status": "ready" if ready else "not-ready",
            "enforcing": enforcing,
            "stale": now.stale,
            "environment_rejected": now.environment_rejected,
            "spool_writable": writable,
            "certificate": certificate_state(now.workers),
            "issuers": list(issuers()),
            **now.to_json(),
        }
        return web.json_response(body, status=_OK if ready else _UNAVAILABLE)

    application = web.Application()
    application.router.add_get("/healthz", healthz)
    application.router.add_get("/readyz", readyz)
    application.router.add_get("/metrics", metrics_page)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return runner


def certificate_state(workers: Iterable[WorkerState]) -> JSON:
    """Return when the first of the workers' certificates expires, and why newer files are not in use; None without TLS.

    A problem does not make the node unready: it goes on with the certificate it has.
    """
    shown = [worker for worker in workers if worker.certificate_expires_at or worker.certificate_problem]
    if not shown:
        return None
    return {
        "expires_at": min(
            (worker.certificate_expires_at for worker in shown if worker.certificate_expires_at), default=None
        ),
        "problem": next((worker.certificate_problem for worker in shown if worker.certificate_problem), None),
    }


def _writable(spool_dir: Path, spool_max_bytes: int) -> bool:
    """Whether a record would be taken now: there is room below the mark, and disk takes a block."""
    probe = spool_dir / "probe"
    try:
        if any(size_of(path) >= spool_max_bytes for path in spool_dir.glob("w*") if path.is_dir()):
            return False
        with probe.open("wb") as file:
            file.write(bytes(4096))
            file.flush()
            os.fdatasync(file.fileno())
    except OSError:
        return False
    finally:
        with suppress(OSError):
            probe.unlink(missing_ok=True)
    return True
