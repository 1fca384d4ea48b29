# SPDX-License-Identifier: Apache-2.0
"""The node's health, on a loopback port of its own: `/healthz` (it lives), `/readyz` (every worker enforces)."""

import asyncio
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from aiohttp import web

from policies.contracts.codec import JSON
from proxy_addons.clients.segments import size_of
from proxy_addons.clients.spool import HIGH_WATER_BYTES
from proxy_addons.node.status import NodeStatus, serving
from proxy_addons.node.worker_process import WorkerState

_OK: Final = 200
_UNAVAILABLE: Final = 503


async def serve_health(
    port: int,
    *,
    status: Callable[[], NodeStatus],
    spool_dir: Path,
    issuers: Callable[[], Sequence[JSON]] = tuple,
) -> web.AppRunner:
    """Start answering on 127.0.0.1:`port`, and return what `cleanup()` stops. Raises OSError if the port is taken.

    An issuer without usable keys does not make the node unready: other credentials are taken as before.
    """

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def readyz(_: web.Request) -> web.Response:
        now = status()
        enforcing, writable = serving(now.workers) and not now.stale, await asyncio.to_thread(_writable, spool_dir)
        ready = enforcing and writable
        body: dict[str, JSON] = {
            "status": "ready" if ready else "not-ready",
            "enforcing": enforcing,
            "stale": now.stale,
            "spool_writable": writable,
            "certificate": certificate_state(now.workers),
            "issuers": list(issuers()),
            **now.to_json(),
        }
        return web.json_response(body, status=_OK if ready else _UNAVAILABLE)

    application = web.Application()
    application.router.add_get("/healthz", healthz)
    application.router.add_get("/readyz", readyz)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
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


def _writable(spool_dir: Path) -> bool:
    """Whether a record would be taken now: there is room below the mark, and disk takes a block."""
    probe = spool_dir / "probe"
    try:
        if any(size_of(path) >= HIGH_WATER_BYTES for path in spool_dir.glob("w*") if path.is_dir()):
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
