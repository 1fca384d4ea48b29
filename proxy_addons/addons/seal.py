# SPDX-License-Identifier: Apache-2.0
"""The last addon: what the others should have done is checked once more, stage by stage, and its lack is a refusal.

It catches what `fail_closed` cannot: an addon that was left out, a hook whose name is misspelt, an early return.
"""

from collections.abc import Callable
from typing import Final

import structlog
from mitmproxy import http

from policies.contracts.decision import Effect, Reason, Verdict
from proxy_addons.addons.fail_closed import POLICY_UNAVAILABLE, fail_closed
from proxy_addons.addons.flows import CLIENT_LEFT, Hook, enforcer_of, exchange_of, stop
from proxy_addons.core.exchange import Exchange

_log: Final = structlog.get_logger()
_UNRECORDED: Final = Reason(code="record-unavailable")
# Tuples: a member of an enumeration is hashed in Python, and found by identity at once.
_ENFORCED: Final = (Verdict.FORWARDED, Verdict.REDACTED)
_STOPPED: Final = (Verdict.BLOCKED, Verdict.CUT)


class Seal:
    """`on_end` is called with each exchange when its last hook has come this far."""

    def __init__(self, *, on_end: Callable[[Exchange], None]) -> None:
        self._on_end = on_end

    @fail_closed(Hook.REQUESTHEADERS)
    def requestheaders(self, flow: http.HTTPFlow) -> None:
        exchange = exchange_of(flow)
        complete = exchange.credential is not None and exchange.route is not None and exchange.policy is not None
        _require(flow, exchange, Hook.REQUESTHEADERS, complete=complete)

    @fail_closed(Hook.REQUEST)
    def request(self, flow: http.HTTPFlow) -> None:
        exchange = exchange_of(flow)
        decision = exchange.decision
        complete = (
            exchange.evaluation is not None
            and exchange.resource is not None
            and decision is not None
            and decision.effect is Effect.ALLOW
        )
        _require(flow, exchange, Hook.REQUEST, complete=complete)

    @fail_closed(Hook.RESPONSEHEADERS)
    def responseheaders(self, flow: http.HTTPFlow) -> None:
        exchange, response = exchange_of(flow), flow.response
        whole = response is not None and not response.stream
        streamed = enforcer_of(flow) is not None and exchange.admission_recorded
        _require(flow, exchange, Hook.RESPONSEHEADERS, complete=whole or streamed)

    @fail_closed(Hook.ERROR)
    def error(self, flow: http.HTTPFlow) -> None:
        exchange = exchange_of(flow)
        if exchange.fault == CLIENT_LEFT:
            self._on_end(exchange)

    @fail_closed(Hook.RESPONSE)
    def response(self, flow: http.HTTPFlow) -> None:
        exchange = exchange_of(flow)
        try:
            if not exchange.terminal_recorded and exchange.refusal != _UNRECORDED:
                stop(flow, exchange, _UNRECORDED, Hook.RESPONSE)
            _require(flow, exchange, Hook.RESPONSE, complete=exchange.verdict in _ENFORCED)
        finally:
            self._on_end(exchange)


def _require(flow: http.HTTPFlow, exchange: Exchange, hook: Hook, *, complete: bool) -> None:
    """Refuse an exchange that is neither complete at `hook` nor refused already with an answer that says so."""
    if exchange.refusal is None:
        if complete:
            return
    elif exchange.verdict in _STOPPED and flow.response is not None:
        return
    _log.error("enforcement_failed", request_id=exchange.request_id, hook=hook.value, error="incomplete")
    stop(flow, exchange, Reason(code=POLICY_UNAVAILABLE), hook)
