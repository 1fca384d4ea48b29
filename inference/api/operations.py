# SPDX-License-Identifier: Apache-2.0
"""What the operator asks, on a port of its own: metrics and health. No model is reached from here."""

from collections.abc import Callable

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from inference.api.errors import STOPPING
from inference.api.failures import last_resort, not_routed


def operations_application(*, is_ready: Callable[[], bool], page: Callable[[], bytes]) -> ASGIApp:
    """`/metrics`, `/healthz` and `/readyz`."""

    async def metrics(_: Request) -> Response:
        # The driver may take milliseconds over a GPU's figures: not on the loop that carries the streams.
        return Response(await run_in_threadpool(page), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def readyz(_: Request) -> Response:
        return answer_readiness(is_ready=is_ready)

    application = Starlette(
        routes=[
            Route("/metrics", metrics, methods=["GET"]),
            Route("/healthz", answer_health, methods=["GET"]),
            Route("/readyz", readyz, methods=["GET"]),
        ],
        exception_handlers={HTTPException: not_routed},
    )
    application.router.redirect_slashes = False
    return last_resort(application)


async def answer_health(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


def answer_readiness(*, is_ready: Callable[[], bool]) -> Response:
    return JSONResponse({"status": "ready"}) if is_ready() else STOPPING.response()
