# SPDX-License-Identifier: Apache-2.0
"""Writes the decision record before the answer leaves, and withholds the answer where it cannot be written.

Theory: bytes leave only after the hook that wrote their record has returned. So an admission record is durable before
a stream's first byte, and a terminal record before the last byte of any answer. A record that cannot be written is
worse than a refused request: the answer becomes `record-unavailable`, a stream is cut. Once it is known that none can
be written, requests are refused before the upstream is asked: it would compute answers that nobody may have.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

import structlog
from mitmproxy import http

from policies.contracts.decision import Reason, Verdict
from policies.contracts.reasons import REASONS
from policies.contracts.record import DecisionRecord, RecordKind, Source
from proxy_addons.addons.fail_closed import POLICY_UNAVAILABLE, fail_closed
from proxy_addons.addons.flows import CLIENT_LEFT, Hook, enforcer_of, exchange_of, refuse, stop
from proxy_addons.clients.spool import SpoolUnavailable
from proxy_addons.core.exchange import Exchange
from proxy_addons.core.record_builder import RecordScope, Told
from proxy_addons.core.record_writer import RecordWriter

_log: Final = structlog.get_logger()
_UNAVAILABLE: Final = Reason(code="record-unavailable")


class RecordSink(Protocol):
    """Where records become durable."""

    @property
    def writable(self) -> bool:
        """False from a record that could not be written until one can be."""

    def next_source(self) -> Source:
        """Return the source of the next record. Its number is used up, whether the record is written or not."""

    async def write(self, record: DecisionRecord) -> None:
        """Return once `record` is durable. Raises SpoolUnavailable where it will not be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordIdentity:
    """Clocks and randomness of records, given so that a test can choose them."""

    clock: Callable[[], datetime]
    monotonic_ns: Callable[[], int]
    new_id: Callable[[], str]
    new_salt: Callable[[], str]


class RecordDecision:
    def __init__(self, sink: RecordSink, *, scope: RecordScope, identity: RecordIdentity) -> None:
        self._sink = sink
        self._writer = RecordWriter(scope)
        self._identity = identity

    @fail_closed(Hook.REQUESTHEADERS)
    def requestheaders(self, flow: http.HTTPFlow) -> None:
        self._refuse_what_cannot_be_recorded(flow)

    @fail_closed(Hook.REQUEST)
    def request(self, flow: http.HTTPFlow) -> None:
        """Look once more: a body may take a minute to arrive."""
        self._refuse_what_cannot_be_recorded(flow)

    @fail_closed(Hook.RESPONSEHEADERS)
    def responseheaders(self, flow: http.HTTPFlow) -> Coroutine[Any, Any, None] | None:
        """Only a stream has an admission to record, and waits for it."""
        exchange = exchange_of(flow)
        if exchange.refusal is not None or enforcer_of(flow) is None:
            return None
        return self._admit(flow, exchange)

    async def _admit(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        try:
            await self._write(flow, exchange, RecordKind.ADMISSION)
        except SpoolUnavailable:
            self._withhold(flow, exchange, Hook.RESPONSEHEADERS)
        else:
            exchange.admission_recorded = True

    @fail_closed(Hook.ERROR)
    async def error(self, flow: http.HTTPFlow) -> None:
        """Record an exchange whose client left; the hook `response`, which records every other, does not follow."""
        exchange = exchange_of(flow)
        if exchange.fault != CLIENT_LEFT:
            return
        if exchange.refusal is None:
            exchange.refusal = Reason(code=CLIENT_LEFT)
        if exchange.verdict is None:
            exchange.verdict = Verdict.BLOCKED
        if exchange.status is None:
            exchange.status = REASONS[CLIENT_LEFT].status
        await self._conclude(flow, exchange, Hook.ERROR)

    @fail_closed(Hook.RESPONSE)
    async def response(self, flow: http.HTTPFlow) -> None:
        exchange = exchange_of(flow)
        if exchange.verdict is None:
            # No addon examined this answer. It must not leave, and the record must not say that it did.
            _log.error(
                "enforcement_failed", request_id=exchange.request_id, hook=Hook.RESPONSE.value, error="no-verdict"
            )
            stop(flow, exchange, Reason(code=POLICY_UNAVAILABLE), Hook.RESPONSE)
        await self._conclude(flow, exchange, Hook.RESPONSE)

    async def _conclude(self, flow: http.HTTPFlow, exchange: Exchange, hook: Hook) -> None:
        if exchange.terminal_recorded:
            return
        try:
            await self._write(flow, exchange, RecordKind.TERMINAL)
        except SpoolUnavailable:
            self._withhold(flow, exchange, hook)
        else:
            exchange.terminal_recorded = True

    async def _write(self, flow: http.HTTPFlow, exchange: Exchange, kind: RecordKind) -> None:
        whole = flow.response is not None and enforcer_of(flow) is None and exchange.fault != CLIENT_LEFT
        now_ns = self._identity.monotonic_ns()
        record = self._writer.write(
            exchange,
            kind,
            told=Told(
                at=self._identity.clock(),
                now_ns=now_ns,
                method=flow.request.method,
                bytes_out=len(flow.response.raw_content or b"") if whole and flow.response else exchange.bytes_out,
            ),
            source=self._sink.next_source(),
            record_id=self._identity.new_id(),
            salt=self._identity.new_salt(),
        )
        await self._sink.write(record)
        durable_ns = self._identity.monotonic_ns()
        exchange.record_ns += durable_ns - now_ns
        if kind is RecordKind.ADMISSION:
            exchange.admitted_ns = durable_ns

    def _refuse_what_cannot_be_recorded(self, flow: http.HTTPFlow) -> None:
        exchange = exchange_of(flow)
        if exchange.refusal is None and not self._sink.writable:
            refuse(flow, exchange, _UNAVAILABLE)

    def _withhold(self, flow: http.HTTPFlow, exchange: Exchange, hook: Hook) -> None:
        _log.error("record_unavailable", request_id=exchange.request_id, hook=hook.value)
        stop(flow, exchange, _UNAVAILABLE, hook)
