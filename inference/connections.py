# SPDX-License-Identifier: Apache-2.0
"""Connections that cannot be held for nothing: bounded in number, in time, and to the peers that are let in.

Facts
    uvicorn closes a connection that is idle between two requests. One that never sends a request, or sends it a byte
    at a time, it would keep for ever; and what it answers to bytes that are not HTTP is not our error's shape.
"""

import asyncio
import json
import ssl
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import h11
import structlog
from uvicorn.protocols.http.h11_impl import H11Protocol

from inference.api.errors import Refusal

log = structlog.get_logger()

NOT_HTTP: Final = Refusal(status=400, message="The bytes are not an HTTP request.", code="invalid_http")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """`client_names`: where there are any, a peer's certificate must be issued to one of them."""

    # A proxy's pool holds tens. Each open connection costs some 20 kB.
    connections: int = 1024
    # From a connection's begin, or a request's first byte, to the end of its head. The proxy sends it at once.
    head_s: float = 10.0
    client_names: frozenset[str] = frozenset()


class BoundedConnection(H11Protocol):
    """One connection. Made with `bounds` before it is given to the event loop."""

    bounds = Bounds()

    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        if len(self.connections) > self.bounds.connections:
            log.warning("connection_refused", reason="too_many")
            transport.abort()
        elif self.bounds.client_names and not self.bounds.client_names & peer_names(transport):
            log.warning("connection_refused", reason="unknown_client")
            transport.abort()
        else:
            self._await_head()

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return  # refused above: what arrives all the same is not looked at
        if self._is_between_requests():
            self._await_head()
        super().data_received(data)
        if not self._is_between_requests():
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # ours says it in its own shape
        # Behind an answer that has begun nothing can be said any more.
        if self.conn.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
            self.transport.abort()
            return
        body = json.dumps(NOT_HTTP.body(), separators=(",", ":")).encode("ascii")
        headers = [("content-type", "application/json"), ("content-length", str(len(body))), ("connection", "close")]
        head = h11.Response(status_code=NOT_HTTP.status, headers=headers, reason=HTTPStatus.BAD_REQUEST.phrase)
        for event in (head, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _is_between_requests(self) -> bool:
        # uvicorn sets the cycle when a head is whole; its type says that there always is one.
        cycle: Any = self.cycle
        return cycle is None or bool(cycle.response_complete)

    def _await_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.bounds.head_s, self._head_is_late)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        self._head_timer = None
        self.transport.abort()


def peer_names(transport: asyncio.BaseTransport) -> frozenset[str]:
    """The names in the peer's certificate: DNS names, URIs (SPIFFE), and the subject's common name."""
    tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
    certificate: Any = tls.getpeercert() if tls is not None else None
    if not certificate:
        return frozenset()
    names = {name for kind, name in certificate.get("subjectAltName", ()) if kind in {"DNS", "URI"}}
    common = {value for part in certificate.get("subject", ()) for kind, value in part if kind == "commonName"}
    return frozenset(names | common)
