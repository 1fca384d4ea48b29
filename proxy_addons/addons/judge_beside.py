# SPDX-License-Identifier: Apache-2.0
"""Has a candidate that only observes or warns judge the requests that the policy in force decides.

Theory: what a candidate would have said is what the very addon says that enforces requests, asked of a flow of its own
that goes nowhere. It is asked once the request is decided, while the upstream works, so that nobody waits for it but
the record, and, where clients are warned, the head of the answer; both for `_WITHIN_S` at most.

Rules: nothing that a candidate does or fails at changes what becomes of the request. It takes no tokens: a rate that
is used up is not among its reasons. Only requests are judged, neither answers nor what they cost.
"""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any, ClassVar, Final

import structlog
from mitmproxy import http

from policies.contracts.decision import Reason
from policies.evaluation.pipeline import TakeToken
from proxy_addons.addons.aside import Aside
from proxy_addons.addons.enforce_request import EnforceRequest
from proxy_addons.addons.fail_closed import EVALUATION_FAILED, fail_closed
from proxy_addons.addons.flows import CLIENT_LEFT, Hook, exchange_of
from proxy_addons.addons.identify import identified
from proxy_addons.addons.snapshot_feed import SnapshotFeed
from proxy_addons.core.beside import Beside, BesideEffect, JudgedBeside
from proxy_addons.core.exchange import EXCHANGE, Exchange
from proxy_addons.core.judged_texts import AskScreen
from proxy_addons.core.record_builder import FAILURES, RecordScope, reasons_of
from proxy_addons.core.refused import Refused
from proxy_addons.http1 import made

_log: Final = structlog.get_logger()

# A guard answers within a millisecond, or fails after a quarter of a second; a long prompt takes as long once more.
_WITHIN_S: Final = 0.5


class NoteBeside:
    """Before a request is enforced: keeps it as it came, where a candidate is to judge it."""

    def __init__(self, feed: SnapshotFeed) -> None:
        self._feed = feed

    @fail_closed(Hook.REQUEST)
    def request(self, flow: http.HTTPFlow) -> None:
        trial = self._feed.trial
        if trial is None or trial.decides:
            return
        exchange = exchange_of(flow)
        credential, policy = exchange.credential, exchange.policy
        if exchange.refusal is not None or exchange.fault is not None or credential is None or policy is None:
            return
        if policy is trial.policy or not trial.chooses(credential.subject):
            return
        self._feed.hold(trial.policy)
        exchange.beside = Beside(
            policy=trial.policy,
            warns=trial.warns,
            headers=tuple(flow.request.headers.fields),
            content=flow.request.raw_content,
        )


class JudgeBeside:
    """After a request was enforced: has the candidate judge it. `finish` gives it back."""

    NOT_HOOKS: ClassVar = frozenset({"finish"})

    def __init__(
        self,
        feed: SnapshotFeed,
        *,
        scope: RecordScope,
        aside: Aside,
        hosts: frozenset[str],
        ask_screen: AskScreen,
        clock: Callable[[], datetime],
    ) -> None:
        self._feed = feed
        self._clock = clock
        self._enforce = EnforceRequest(
            take_token=_there_is_one, scope=scope, hosts=hosts, aside=aside, ask_screen=ask_screen
        )

    @fail_closed(Hook.REQUEST)
    def request(self, flow: http.HTTPFlow) -> None:
        exchange = exchange_of(flow)
        beside = exchange.beside
        if beside is None or exchange.decision is None:  # nothing was decided: it could not even be read
            return
        beside.decided = _effect_of(exchange)
        judging = self._judge(flow, exchange, beside)
        beside.judging = asyncio.get_running_loop().create_task(judging)

    @fail_closed(Hook.RESPONSEHEADERS)
    def responseheaders(self, flow: http.HTTPFlow) -> Coroutine[Any, Any, None] | None:
        """Wait where the client is warned: the head of a stream leaves next."""
        beside = exchange_of(flow).beside
        return None if beside is None or not beside.warns else _waited(beside)

    @fail_closed(Hook.ERROR)
    def error(self, flow: http.HTTPFlow) -> Coroutine[Any, Any, None] | None:
        exchange = exchange_of(flow)
        return _waited(exchange.beside) if exchange.fault == CLIENT_LEFT and exchange.beside is not None else None

    @fail_closed(Hook.RESPONSE)
    def response(self, flow: http.HTTPFlow) -> Coroutine[Any, Any, None] | None:
        """Wait: the record is written next."""
        beside = exchange_of(flow).beside
        return None if beside is None else _waited(beside)

    def finish(self, exchange: Exchange) -> None:
        """Give the candidate back; a second time changes nothing."""
        beside = exchange.beside
        if beside is None or not beside.held:
            return
        beside.held, beside.content = False, None
        if beside.judging is not None:
            beside.judging.cancel()
        self._feed.let_go(beside.policy)

    async def _judge(self, flow: http.HTTPFlow, exchange: Exchange, beside: Beside) -> None:
        effect, reasons = BesideEffect.ERROR, [EVALUATION_FAILED]
        try:
            async with asyncio.timeout(_WITHIN_S):
                shadow = await self._enforced(flow, exchange, beside)
            effect = _effect_of(shadow)
            reasons = sorted({reason.code for reason in reasons_of(shadow)})
        except Exception as exc:  # noqa: BLE001  # what a candidate fails at is told of it, and changes nothing else
            _log.warning("candidate_failed", request_id=exchange.request_id, error=type(exc).__name__)
        beside.headers, beside.content = (), None  # a stream may go on for long
        beside.judged = JudgedBeside(
            serial=beside.policy.serial,
            revision=beside.policy.snapshot.revision,
            effect=effect,
            reasons=tuple(reasons),
            differs=effect is not beside.decided,
        )

    async def _enforced(self, flow: http.HTTPFlow, exchange: Exchange, beside: Beside) -> Exchange:
        """Return the exchange that would have been, as far as its request goes."""
        shadow = Exchange(
            # Its own, so that no line of the log is taken for one of the request itself.
            request_id=f"{exchange.request_id}/candidate",
            received_at=exchange.received_at,
            started_ns=exchange.started_ns,
            peer_certificate=exchange.peer_certificate,
            bytes_in=exchange.bytes_in,
            policy=beside.policy,
        )
        asked = _flow_of(flow, beside)
        asked.metadata[EXCHANGE] = shadow
        target = asked.request.data.path
        try:
            shadow.credential = identified(self._feed, shadow, beside.headers, target, now=self._clock())
        except Refused as refused:
            shadow.refusal = Reason(code=refused.code)
            return shadow
        self._enforce.requestheaders(asked)
        asked.request.data.content = beside.content
        waits = self._enforce.request(asked)
        if waits is not None:
            await waits
        if shadow.tally is not None:
            shadow.tally.forget()
        return shadow


def _flow_of(flow: http.HTTPFlow, beside: Beside) -> http.HTTPFlow:
    """Return a flow that goes nowhere, of the request as it came."""
    came, at_s = flow.request.data, flow.request.data.timestamp_start
    asked = made.ReverseFlow(flow.client_conn, flow.server_conn, request_id=flow.id, created_s=at_s)
    asked.request = made.request(
        host=came.host,
        port=came.port,
        scheme=came.scheme,
        method=came.method,
        path=came.path,
        version=came.http_version,
        fields=beside.headers,
        at_s=at_s,
    )
    return asked


def _effect_of(exchange: Exchange) -> BesideEffect:
    if exchange.refusal is None:
        return BesideEffect.ALLOW
    return BesideEffect.ERROR if exchange.refusal.code in FAILURES else BesideEffect.DENY


async def _waited(beside: Beside) -> None:
    if beside.judging is not None and not beside.judging.done():
        await asyncio.wait({beside.judging})


async def _there_is_one(_token: TakeToken) -> float:
    return 0.0
