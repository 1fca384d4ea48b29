# SPDX-License-Identifier: Apache-2.0
"""Makes one span of each exchange, from its first byte to its terminal record, and names it to the upstream.

Rules: it decides nothing, and no request fails because of it. Whatever goes wrong here costs a span and is logged once.
"""

import time
from collections.abc import Callable
from types import TracebackType
from typing import ClassVar, Final

import structlog
from mitmproxy import http

from proxy_addons.addons.fail_closed import fail_closed
from proxy_addons.addons.flows import Hook, exchange_of, headers_of
from proxy_addons.core.exchange import Exchange
from proxy_addons.core.span_facts import failed, span_attributes, span_name
from proxy_addons.core.trace_context import BeginSpan, parent_of, upstream_fields

_log: Final = structlog.get_logger()


class Trace:
    """Stands after the addon that matches the route, which names the span. `scheme` is that of the data port."""

    NOT_HOOKS: ClassVar = frozenset({"finish"})

    def __init__(self, begin: BeginSpan, *, scheme: str, monotonic_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._begin = begin
        self._scheme = scheme
        self._monotonic_ns = monotonic_ns
        self._harmless = _Harmless()

    @fail_closed(Hook.REQUESTHEADERS)
    def requestheaders(self, flow: http.HTTPFlow) -> None:
        exchange = exchange_of(flow)
        with self._harmless:
            parent = parent_of(flow.request.headers.fields)
            span = self._begin(span_name(flow.request.method, exchange.route), parent, exchange.started_ns)
            if span is not None:
                exchange.span, exchange.method = span, flow.request.method
                exchange.trace_id = span.trace_id  # also where the client named no trace: the record leads to the span
                exchange.trace_state = b"" if parent is None else parent.state

    @fail_closed(Hook.REQUEST)
    def request(self, flow: http.HTTPFlow) -> None:
        """Put our span in the place of the client's, in the head that was written for the upstream."""
        exchange = exchange_of(flow)
        if exchange.span is None or exchange.refusal is not None:
            return
        with self._harmless:
            kept = [field for field in flow.request.data.headers.fields if field[0] != b"traceparent"]
            flow.request.data.headers = headers_of([*kept, *upstream_fields(exchange.span, exchange.trace_state)])

    def finish(self, exchange: Exchange) -> None:
        """End the span of `exchange`; a second time changes nothing."""
        span, exchange.span = exchange.span, None
        if span is None:
            return
        with self._harmless:
            now_ns = self._monotonic_ns()
            facts = span_attributes(exchange, method=exchange.method, scheme=self._scheme, now_ns=now_ns)
            span.end(facts, now_ns=now_ns, failed=failed(exchange))


class _Harmless:
    """Keeps what goes wrong within it from the exchange, and logs the first time."""

    def __init__(self) -> None:
        self._told = False

    def __enter__(self) -> None:
        return

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, at: TracebackType | None
    ) -> bool:
        if kind is None or not issubclass(kind, Exception):
            return False
        if not self._told:
            self._told = True
            _log.error("tracing_failed", error=kind.__name__)
        return True
