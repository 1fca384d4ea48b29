# SPDX-License-Identifier: Apache-2.0
"""Writes the decision record before the answer leaves, and withholds the answer where it cannot be written.

Theory: bytes leave only after the hook that wrote their record has returned. So an admission record is durable before
a stream's first byte, and a terminal record before the last byte of any answer. A record that cannot be written is
worse than a refused request: the answer becomes `record-unavailable`, a stream is cut. So no upstream is asked unless
a write has just succeeded or one is tried now: it would compute answers that nobody may have.

Where policy says `records: best-effort` an answer waits for no disk, and a record that cannot be written is counted.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

import structlog
from mitmproxy import http

from policies.contracts.decision import Reason, Verdict
from policies.contracts.reasons import REASONS
from policies.contracts.record import DecisionRecord, RecordKind, Source
from policies.contracts.recording import RecordsMode
from proxy_addons.addons.fail_closed import POLICY_UNAVAILABLE, fail_closed
from proxy_addons.addons.flows import CLIENT_LEFT, Hook, enforcer_of, exchange_of, refuse, stop
from proxy_addons.clients.spool import SpoolUnavailable
from proxy_addons.core.exchange import Exchange
from proxy_addons.core.record_builder import RecordScope, Told
from proxy_addons.core.record_writer import RecordWriter
from proxy_addons.core.recording_terms import terms_of

_log: Final = structlog.get_logger()
_UNAVAILABLE: Final = Reason(code="record-unavailable")


class RecordSink(Protocol):
    """Where records become durable."""

    @property
    def writable(self) -> bool:
        """False from a record that could not be written as usual until one can be."""

    @property
    def proved(self) -> bool:
        """Whether that was seen just now."""

    async def prove(self) -> bool:
        """Look, and return `writable`."""

    def next_source(self) -> Source:
        """Return the source of a record that is to be written here."""

    async def write(self, record: DecisionRecord, *, admitted: bool) -> None:
        """Return once `record` is durable. Raises SpoolUnavailable where it will not be.

        `admitted` says that its request was let in: room is kept for its end.
        """

    def post(self, record: DecisionRecord) -> "asyncio.Future[None] | None":
        """Have `record` written without waiting for it. Where that fails it is counted.

        Return what is done then; None where it has failed already.
        """


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
        exchange = exchange_of(flow)
        policy = exchange.policy
        # The body says which model is asked for, and with it how the request is to be recorded.
        if not self._sink.writable and (policy is None or not policy.snapshot.logging):
            self._refuse_what_cannot_be_recorded(flow, exchange)

    @fail_closed(Hook.REQUEST)
    def request(self, flow: http.HTTPFlow) -> Coroutine[Any, Any, None] | None:
        """Look once more: a body may take a minute to arrive, and another process may have filled the disk."""
        exchange = exchange_of(flow)
        if exchange.refusal is not None or _may_be_lost(exchange):
            return None
        if self._sink.writable and not self._sink.proved:
            return self._prove(flow, exchange)
        self._refuse_what_cannot_be_recorded(flow, exchange)
        return None

    async def _prove(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        await self._sink.prove()
        self._refuse_what_cannot_be_recorded(flow, exchange)

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
        if _may_be_lost(exchange):
            exchange.posted = self._sink.post(record)
        else:
            await self._sink.write(record, admitted=exchange.upstream_started_ns is not None)
        durable_ns = self._identity.monotonic_ns()
        exchange.record_ns += durable_ns - now_ns
        if kind is RecordKind.ADMISSION:
            exchange.admitted_ns = durable_ns

    def _refuse_what_cannot_be_recorded(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        if exchange.refusal is None and not self._sink.writable:
            refuse(flow, exchange, _UNAVAILABLE)

    def _withhold(self, flow: http.HTTPFlow, exchange: Exchange, hook: Hook) -> None:
        _log.error("record_unavailable", request_id=exchange.request_id, hook=hook.value)
        stop(flow, exchange, _UNAVAILABLE, hook)


def _may_be_lost(exchange: Exchange) -> bool:
    return terms_of(exchange).records is RecordsMode.BEST_EFFORT
