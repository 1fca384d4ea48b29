# SPDX-License-Identifier: Apache-2.0
"""Streamed answers: an enforcer that examines event by event is put between upstream and client before the first byte.

Only an answer that was asked for as a stream, and that the upstream sends as one, is streamed. An upstream that answers
a stream request with plain JSON is examined as a whole; one that streams unasked gave an answer nobody can place.
"""

import functools
from typing import Final

from mitmproxy import http

from policies.contracts.decision import Reason
from policies.contracts.snapshot import Dialect
from proxy_addons.addons.fail_closed import fail_closed
from proxy_addons.addons.flows import CLIENT_LEFT, Hook, cut, enforcer_of, exchange_of, refuse, write_head
from proxy_addons.addons.judge_calls import JudgedStream
from proxy_addons.addons.keep_content import KeptStream
from proxy_addons.core.enforced import Allowed, allowed, applied, refused, verdict_of
from proxy_addons.core.exchange import Exchange
from proxy_addons.core.responses_stream import ResponsesEnforcer
from proxy_addons.core.sse import SseEnforcer
from proxy_addons.core.streaming import StreamEnforcer
from proxy_addons.core.upstream_answer import STREAM_TYPE, failure_of, media_type_of

_INVALID: Final = Reason(code="upstream-invalid")


class EnforceStream:
    """`max_event_bytes` bounds what is held of one event; a larger one ends the stream."""

    def __init__(self, *, max_event_bytes: int) -> None:
        self._max_event_bytes = max_event_bytes

    @fail_closed(Hook.RESPONSEHEADERS)
    def responseheaders(self, flow: http.HTTPFlow) -> None:
        exchange, response = exchange_of(flow), flow.response
        if exchange.refusal is not None or response is None:
            return
        headers = response.headers.fields
        if failure_of(response.status_code, headers) or media_type_of(headers) != STREAM_TYPE:
            return  # examined as a whole, in the hook `response`
        owed = allowed(exchange)
        if not owed.evaluation.facts.stream:
            refuse(flow, exchange, _INVALID)
            return
        stream = self._stream(owed, exchange.request_id)
        # mitmproxy's type knows only callables here; our layer takes a StreamEnforcer.
        response.stream = stream  # type: ignore[assignment]  # mitmproxy knows no StreamEnforcer; our layer does
        write_head(response, exchange, content_type=STREAM_TYPE)

    def _stream(self, owed: Allowed, request_id: str) -> StreamEnforcer:
        examine = (
            ResponsesEnforcer
            if owed.route.dialect is Dialect.RESPONSES
            else functools.partial(SseEnforcer, dialect=owed.route.dialect)
        )
        enforcer: SseEnforcer | ResponsesEnforcer = examine(
            rules=owed.rules,
            request_id=request_id,
            max_event_bytes=self._max_event_bytes,
            shared=owed.shared,
            judged=owed.judge is not None,
            strict=owed.judge is not None and owed.judge.enforces,
        )
        return enforcer if owed.judge is None else JudgedStream(enforcer, owed.judge)

    @fail_closed(Hook.ERROR)
    def error(self, flow: http.HTTPFlow) -> None:
        """Say what became of a stream that nobody is left to read; the hook `response` does not follow."""
        exchange = exchange_of(flow)
        if exchange.fault == CLIENT_LEFT:
            self._conclude(flow, exchange)

    @fail_closed(Hook.RESPONSE)
    def response(self, flow: http.HTTPFlow) -> None:
        self._conclude(flow, exchange_of(flow))

    def _conclude(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        enforcer = enforcer_of(flow)
        while isinstance(enforcer, JudgedStream | KeptStream):
            enforcer = enforcer.enforcer
        if not isinstance(enforcer, SseEnforcer | ResponsesEnforcer):
            return
        exchange.refused_calls = enforcer.refused_calls
        exchange.findings = (*applied(enforcer.findings), *refused(exchange.refused_calls))
        exchange.coverage = enforcer.coverage
        if exchange.refusal is not None:
            return
        if enforcer.cut is not None:
            cut(exchange, enforcer.cut)
        elif exchange.fault is not None:
            cut(exchange, Reason(code=exchange.fault))
        elif not enforcer.done:
            cut(exchange, _INVALID)
        else:
            exchange.verdict = verdict_of(exchange.findings)
