# SPDX-License-Identifier: Apache-2.0
"""One turn of a connection: a request and its answer, as mitmproxy's flow and our exchange, and how far they are."""

from asyncio import Task
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from mitmproxy import http
from mitmproxy.connection import Client, Server
from mitmproxy.flow import Error

from policies.contracts.decision import Effect
from proxy_addons.core.exchange import EXCHANGE, Exchange
from proxy_addons.core.framing import Fields, RequestHead
from proxy_addons.core.request_id import new_request_id
from proxy_addons.core.streaming import StreamEnforcer
from proxy_addons.http1 import made
from proxy_addons.http1.admission import Admission
from proxy_addons.http1.bounds import Bounds
from proxy_addons.http1.messages import CallUpstream
from proxy_addons.http1.origin import UpstreamOrigin
from proxy_addons.http1.refusal import refusal_response

# Asking again costs the upstream nothing (RFC 9110, 9.2.1). A POST that was sent may be computing already: sent again,
# it would be paid twice, so that it is tried again only where nothing of it was sent.
_SAFE_METHODS = frozenset({b"GET", b"HEAD"})
_EVENT_STREAM = b"text/event-stream"


class Hooks(Protocol):
    """Runs the addons' methods of a hook: whether it failed, or, where a method waits, the task that will say so."""

    def start(self, name: str, subject: http.HTTPFlow, /) -> "bool | Task[bool]": ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a layer works by: limits, the default upstream and the others by name, clocks.

    `admission` says whether one more request is taken, `parting` that each answer is the last of its connection,
    `draining` that no further request may be taken.
    """

    bounds: Bounds
    admission: Admission
    hooks: Hooks
    origin: UpstreamOrigin
    utc_now: Callable[[], datetime]
    monotonic_ns: Callable[[], int]
    parting: Callable[[], bool]
    draining: Callable[[], bool]
    others: Mapping[str, UpstreamOrigin] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Turn:
    """`upstream_response` is what the layer made of the upstream's head: another at `flow.response` is an addon's."""

    flow: http.HTTPFlow
    exchange: Exchange
    modern: bool
    keep_alive: bool
    to_head_request: bool
    body: list[bytes] = field(default_factory=list)
    body_until_ns: int = 0
    call: CallUpstream | None = None
    upstream_response: http.Response | None = None
    answer: list[bytes] = field(default_factory=list)
    answer_bytes: int = 0
    enforcer: StreamEnforcer | None = None
    timed: bool = False  # a deadline runs for what the enforcer holds
    answer_started: bool = False
    error_told: bool = False
    response_told: bool = False
    admitted: bool = False

    def refuse(self, code: str) -> None:
        """Put the refusal for `code` in the place of any answer."""
        self.flow.response = refusal_response(code, self.exchange.request_id)

    def fail(self, code: str) -> None:
        """Note what the layer could not do, where addons and ours look for it."""
        self.exchange.fault = code
        self.flow.error = Error(code)

    @property
    def allowed(self) -> bool:
        decision = self.exchange.decision
        return decision is not None and decision.effect is Effect.ALLOW and self.exchange.refusal is None

    @property
    def resendable(self) -> bool:
        return self.flow.request.data.method in _SAFE_METHODS


def begin(head: RequestHead | None, client: Client, server: Server, *, terms: Terms, started_ns: int) -> Turn:
    """Return the turn of a request whose head has arrived, or, without a head, of one that could not be read."""
    now = terms.utc_now()
    unix_s = now.timestamp()
    request_id = new_request_id(int(unix_s * 1000))
    exchange = Exchange(request_id=request_id, received_at=now, started_ns=started_ns)
    flow = made.ReverseFlow(client, server, request_id=request_id, created_s=unix_s)
    flow.metadata[EXCHANGE] = exchange
    origin = terms.origin
    flow.request = made.request(
        host=origin.host,
        port=origin.port,
        scheme=origin.scheme_bytes,
        method=head.method if head else b"",
        path=head.target if head else b"",
        version=head.version if head else b"HTTP/1.1",
        fields=head.fields if head else (),
        at_s=unix_s,
    )
    return Turn(
        flow=flow,
        exchange=exchange,
        modern=head is None or head.version == b"HTTP/1.1",
        keep_alive=head is not None and head.keep_alive,
        to_head_request=head is not None and head.method == b"HEAD",
    )


def upstream_response(status: int, fields: Fields, *, unix_s: float) -> http.Response:
    """Return the upstream's head as addons see it: status and media type, and nothing else that the upstream says."""
    media_types = tuple((b"Content-Type", value) for name, value in fields if name == b"content-type")
    return made.response(status, media_types, at_s=unix_s)


def examinable(fields: Fields) -> bool:
    """The answer's content stands there as it is: not compressed in spite of `Accept-Encoding: identity`."""
    codings = [value.lower() for name, value in fields if name == b"content-encoding"]
    return codings in ([], [b"identity"]) and sum(name == b"content-type" for name, _ in fields) <= 1


def is_event_stream(response: http.Response) -> bool:
    return any(
        value.strip().lower().startswith(_EVENT_STREAM)
        for name, value in response.headers.fields
        if name.lower() == b"content-type"
    )
