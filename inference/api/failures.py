# SPDX-License-Identifier: Apache-2.0
"""What becomes of a request that is not answered: one shape for every refusal, and a last resort for the unforeseen."""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from inference.api.errors import INTERNAL, Refusal, RequestRefused

log = structlog.get_logger()

# (status, code) of each refusal.
CountRefusal = Callable[[int, str], None]


def exception_handlers(count: CountRefusal) -> Mapping[Any, Callable[[Request, Exception], Awaitable[Response]]]:
    """For the application that answers clients: each refusal is logged by its code, and counted."""

    async def refused(_: Request, exc: Exception) -> Response:
        if not isinstance(exc, RequestRefused):
            raise exc
        return _told(exc.refusal, count)

    async def unrouted(_: Request, exc: Exception) -> Response:
        return _told(_route_refusal(exc), count)

    async def unforeseen(_: Request, __: Exception) -> Response:
        count(INTERNAL.status, INTERNAL.code)
        return INTERNAL.response()

    return {RequestRefused: refused, HTTPException: unrouted, Exception: unforeseen}


async def not_routed(_: Request, exc: Exception) -> Response:
    """For an application that nothing is counted of."""
    return _route_refusal(exc).response()


def last_resort(application: ASGIApp) -> ASGIApp:
    """Outside everything: Starlette answers an unforeseen exception and raises it again, up to here.

    Here it ends. uvicorn would log its text, which may quote what a client sent. Where an answer had already begun,
    uvicorn closes the connection short of the last chunk, so that the client sees that it is incomplete.
    """

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await application(scope, receive, send)
        except Exception as exc:  # noqa: BLE001 - the outermost layer
            log.error("request_failed", error=type(exc).__name__)  # noqa: TRY400 - a traceback may quote content

    return guarded


def _told(refusal: Refusal, count: CountRefusal) -> Response:
    log.info("request_refused", status=refusal.status, code=refusal.code)
    count(refusal.status, refusal.code)
    return refusal.response()


def _route_refusal(exc: Exception) -> Refusal:
    if not isinstance(exc, HTTPException):
        raise exc
    if exc.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = exc.headers or {}
        return Refusal(status=405, message="Not this method.", code="method_not_allowed", headers=allowed)
    return Refusal(status=404, message="There is no such path.", code="not_found")
