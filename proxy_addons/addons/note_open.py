# SPDX-License-Identifier: Apache-2.0
"""Notes each request where it outlives the worker, from before anything is done for it until its record is durable.

Two addons: the first of the chain begins a request, so that whatever the others die of leaves a trace of it; the last
but one adds what the others found out, and ends it.
"""

from typing import Final, Protocol

import structlog
from mitmproxy import http

from policies.contracts.decision import Reason
from proxy_addons.addons.fail_closed import fail_closed
from proxy_addons.addons.flows import CLIENT_LEFT, Hook, exchange_of, refuse
from proxy_addons.core.exchange import Exchange
from proxy_addons.core.lost_request import Noting

_log: Final = structlog.get_logger()
_UNAVAILABLE: Final = Reason(code="record-unavailable")


class OpenTable(Protocol):
    """Where open requests are noted (`proxy_addons.clients.open_requests`)."""

    def begin(self, request_id: str, content: bytes) -> None: ...
    def asked(self, request_id: str, content: bytes) -> None: ...
    def decided(self, request_id: str, content: bytes) -> None: ...
    def admitted(self, request_id: str) -> None: ...
    def end(self, request_id: str) -> None: ...


class BeginOpen:
    def __init__(self, table: OpenTable, noting: Noting) -> None:
        self._table = table
        self._noting = noting

    @fail_closed(Hook.REQUESTHEADERS)
    def requestheaders(self, flow: http.HTTPFlow) -> None:
        exchange = exchange_of(flow)
        try:
            self._table.begin(exchange.request_id, self._noting.begun(exchange, flow.request.method))
        except OSError as exc:
            # It could end without a record, and nobody would know.
            _log.error("open_request_not_noted", request_id=exchange.request_id, problem=exc.strerror)
            refuse(flow, exchange, _UNAVAILABLE)


class EndOpen:
    def __init__(self, table: OpenTable, noting: Noting) -> None:
        self._table = table
        self._noting = noting

    @fail_closed(Hook.REQUESTHEADERS)
    def requestheaders(self, flow: http.HTTPFlow) -> None:
        exchange = exchange_of(flow)
        if exchange.refusal is None:  # else its record follows at once
            self._table.asked(exchange.request_id, self._noting.asked(exchange))

    @fail_closed(Hook.REQUEST)
    def request(self, flow: http.HTTPFlow) -> None:
        exchange = exchange_of(flow)
        if exchange.refusal is None:
            self._table.decided(exchange.request_id, self._noting.decided(exchange))

    @fail_closed(Hook.RESPONSEHEADERS)
    def responseheaders(self, flow: http.HTTPFlow) -> None:
        exchange = exchange_of(flow)
        if exchange.admission_recorded:
            self._table.admitted(exchange.request_id)

    @fail_closed(Hook.ERROR)
    def error(self, flow: http.HTTPFlow) -> None:
        exchange = exchange_of(flow)
        if exchange.fault == CLIENT_LEFT:  # else the hook `response` follows
            self._end(exchange)

    @fail_closed(Hook.RESPONSE)
    def response(self, flow: http.HTTPFlow) -> None:
        """A record that could not be written was counted as lost by the spool: that too is an end."""
        self._end(exchange_of(flow))

    def _end(self, exchange: Exchange) -> None:
        request_id = exchange.request_id
        if exchange.posted is None:
            self._table.end(request_id)
        else:
            exchange.posted.add_done_callback(lambda _: self._table.end(request_id))
