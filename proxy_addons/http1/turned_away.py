# SPDX-License-Identifier: Apache-2.0
"""A connection beyond those a worker takes: it is told so, and not a byte of it is looked at.

It is accepted, since one left in the kernel's queue would wait unanswered behind a full worker while another is idle;
told at once, its client can come back and be given to that one. No request was read, so there is none to record.
"""

import asyncio
from collections.abc import Callable
from typing import cast

from proxy_addons.http1.refusal import refusal_response
from proxy_addons.http1.wire import whole_answer


class TurnedAway(asyncio.Protocol):
    """`count` is called with 1 when the connection is there (over TLS: shaken hands), with -1 when it is gone."""

    def __init__(self, request_id: str, *, stay_s: float, count: Callable[[int], None]) -> None:
        self._request_id = request_id
        self._stay_s = stay_s
        self._count = count

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have asyncio's methods but not its classes, so their type cannot be asked.
        self._transport = cast("asyncio.Transport", transport)
        self._count(1)
        refusal = refusal_response("overloaded", self._request_id)
        self._transport.write(
            whole_answer(refusal, request_id=self._request_id, keep_alive=False, to_head_request=False)
        )
        if transport.get_extra_info("ssl_object") is None:
            self._transport.write_eof()
        # Were it closed at once, unread bytes of the client would have the kernel reset it, and destroy the refusal.
        self._timer = asyncio.get_running_loop().call_later(self._stay_s, self._transport.abort)

    def data_received(self, data: bytes) -> None:
        pass

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's signature
        self._timer.cancel()
        self._count(-1)


class Refused(asyncio.Protocol):
    """One too many even for that: closed without a word."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).abort()
