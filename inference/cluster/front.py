# SPDX-License-Identifier: Apache-2.0
"""The entrance: an ASGI application that answers by asking a replica.

It runs under the same uvicorn, with the same TLS and the same client certificates, as the application itself does on
one machine. Ray's own HTTP proxy is not started: it would be a second entrance, in clear text.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from inference.api.body import read_json_body
from inference.api.errors import INTERNAL, STOPPING, RequestRefused, overloaded
from inference.api.operations import answer_readiness
from inference.cluster.exchange import Ask, Asked, Overloaded, ReplicaLost

log = structlog.get_logger()

# Every replica is full and so is the queue before them: sooner there is hardly room.
RETRY_AFTER_S: Final = 2


class Front:
    """Reads a request, bounded, hands it to a replica and its answer to the client, until either of them is gone."""

    def __init__(self, ask: Ask, *, is_ready: Callable[[], bool]) -> None:
        self._ask = ask
        self._is_ready = is_ready

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        own = self._own_answer(scope)
        if own is not None:
            await own(scope, receive, send)
            return
        try:
            # Only a POST's body means something to the application; any other is left unread.
            body = await read_json_body(Request(scope, receive)) if scope["method"] == "POST" else b""
        except RequestRefused as exc:
            log.info("request_refused", status=exc.refusal.status, code=exc.refusal.code)
            await exc.refusal.response()(scope, receive, send)
            return
        asked = Asked(
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"],
            headers=tuple(scope["headers"]),
            body=body,
        )
        await self._relay(asked, scope, receive, send)

    def _own_answer(self, scope: Scope) -> Response | None:
        """Whether this process lives, and whether a replica can answer, is known here."""
        if scope["method"] != "GET":
            return None
        if scope["path"] == "/healthz":
            return JSONResponse({"status": "ok"})
        if scope["path"] == "/readyz":
            return answer_readiness(is_ready=self._is_ready)
        return None

    async def _relay(self, asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False
        refusal = None
        try:
            answering = self._ask(asked)
            watch = asyncio.create_task(_cancel_when_gone(receive, answering.cancel))
            try:
                async for messages in answering:
                    for message in messages:
                        begun = True
                        await send(message)
            except asyncio.CancelledError:
                # The client left, which ended the answer; or the server stops, and then everything here ends.
                if not watch.done():
                    raise
                return
            finally:
                answering.cancel()
                watch.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await watch
        except Overloaded:
            refusal = overloaded(RETRY_AFTER_S)
        except ReplicaLost:
            log.warning("replica_lost", answer_begun=begun)
            refusal = STOPPING
        except Exception as exc:  # noqa: BLE001 - the outermost layer; a traceback may quote content
            log.error("request_failed", error=type(exc).__name__)  # noqa: TRY400
            refusal = INTERNAL
        # Of an answer that had begun nothing more is sent: uvicorn closes the connection short of its end.
        if refusal is not None and not begun:
            await refusal.response()(scope, receive, send)


async def _cancel_when_gone(receive: Receive, cancel: Callable[[], None]) -> None:
    # The body was read to its end, so the next message can only be that the client has left.
    while (await receive())["type"] != "http.disconnect":
        pass
    cancel()
