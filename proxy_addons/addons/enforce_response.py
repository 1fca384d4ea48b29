# SPDX-License-Identifier: Apache-2.0
"""Answers that are not streamed: examined as a whole, written again from what was examined, headers and all."""

import functools
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any, Final

from mitmproxy import http

from policies.contracts.decision import Reason
from policies.contracts.errors import EvaluationFailed
from policies.contracts.snapshot import Dialect
from policies.contracts.tools import RefusedCall
from policies.evaluation.tool_calls import CallJudge
from proxy_addons.addons.aside import LONG_BYTES, Aside
from proxy_addons.addons.fail_closed import EVALUATION_FAILED, fail_closed
from proxy_addons.addons.flows import CLIENT_LEFT, Hook, enforcer_of, exchange_of, refuse, write_head
from proxy_addons.addons.judge_calls import verdicts_on
from proxy_addons.core.answers import AnswerInvalid, Held, RedactedAnswer, redact_answer
from proxy_addons.core.embeddings_answer import redact_embeddings
from proxy_addons.core.enforced import Allowed, allowed, applied, refused, verdict_of
from proxy_addons.core.exchange import Exchange
from proxy_addons.core.model_list import ModelListInvalid, permitted_models
from proxy_addons.core.responses_answer import redact_response
from proxy_addons.core.transcription_answer import redact_transcription
from proxy_addons.core.upstream_answer import JSON_TYPE, failure_of, media_type_of

_INVALID: Final = Reason(code="upstream-invalid")


class EnforceResponse:
    """`max_answer_bytes` bounds what is held in memory to be examined; a larger answer is refused.

    `aside` examines what is long.
    """

    def __init__(self, *, max_answer_bytes: int, aside: Aside) -> None:
        self._max_answer_bytes = max_answer_bytes
        self._aside = aside

    @fail_closed(Hook.ERROR)
    def error(self, flow: http.HTTPFlow) -> None:
        exchange = exchange_of(flow)
        if exchange.fault is None or exchange.fault == CLIENT_LEFT or enforcer_of(flow) is not None:
            return
        refuse(flow, exchange, Reason(code=exchange.fault))

    @fail_closed(Hook.RESPONSE)
    def response(self, flow: http.HTTPFlow) -> Coroutine[Any, Any, None] | None:
        """Only an answer that is long, or has tool calls that policy decides on, has something to wait for."""
        exchange, response = exchange_of(flow), flow.response
        if exchange.refusal is not None or response is None or enforcer_of(flow) is not None:
            return None
        headers = response.headers.fields
        if failed := failure_of(response.status_code, headers):
            refuse(
                flow,
                exchange,
                Reason(code=failed.code),
                status=failed.status,
                retry_after_s=failed.retry_after_s,
            )
        elif media_type_of(headers) != JSON_TYPE:
            refuse(flow, exchange, _INVALID)
        else:
            return self._examine(flow, exchange, response)
        return None

    def _examine(
        self, flow: http.HTTPFlow, exchange: Exchange, response: http.Response
    ) -> Coroutine[Any, Any, None] | None:
        owed = allowed(exchange)
        examine = functools.partial(self._redacted, response.raw_content or b"", owed)
        if len(response.raw_content or b"") >= LONG_BYTES and not owed.rules.idle:
            return self._examine_aside(flow, exchange, response, owed, examine)
        return self._conclude(flow, exchange, response, owed, examine)

    async def _examine_aside(
        self,
        flow: http.HTTPFlow,
        exchange: Exchange,
        response: http.Response,
        owed: Allowed,
        examine: Callable[[], RedactedAnswer],
    ) -> None:
        try:
            answer = await self._aside.run(examine)
        except AnswerInvalid:
            refuse(flow, exchange, _INVALID)
            return
        waits = self._conclude(flow, exchange, response, owed, lambda: answer)
        if waits is not None:
            await waits

    def _conclude(
        self,
        flow: http.HTTPFlow,
        exchange: Exchange,
        response: http.Response,
        owed: Allowed,
        examine: Callable[[], RedactedAnswer],
    ) -> Coroutine[Any, Any, None] | None:
        """Do with an answer what is to be done with what `examine` makes of it."""
        try:
            answer = examine()
            exchange.findings = applied(owed.shared.tally.findings)
            exchange.coverage = answer.coverage
            if blocked := answer.blocked:
                refuse(flow, exchange, Reason(code="answer-blocked", policy=blocked.policy, rule=blocked.rule))
                return None
            if answer.held is not None and owed.judge is not None:
                return self._decide(flow, exchange, response, held=answer.held, judge=owed.judge)
            content = answer.body
            if owed.route.dialect is Dialect.MODELS:
                content = permitted_models(content, asked=owed.evaluation, policy=owed.policy, scope=owed.scope)
        except (AnswerInvalid, ModelListInvalid):
            refuse(flow, exchange, _INVALID)
            return None
        _release(exchange, response, content)
        return None

    async def _decide(
        self, flow: http.HTTPFlow, exchange: Exchange, response: http.Response, *, held: Held, judge: CallJudge
    ) -> None:
        """Let what leaves of an answer leave once its tool calls are decided. Without a decision, nothing does."""
        try:
            left = held.decided(await verdicts_on(judge, held.undecided))
        except EvaluationFailed:
            refuse(flow, exchange, Reason(code=EVALUATION_FAILED))
            return
        exchange.refused_calls = held.told
        exchange.findings = (*exchange.findings, *refused(held.told))
        if isinstance(left, RefusedCall):
            status = None if left.message is None else HTTPStatus.FORBIDDEN
            refuse(flow, exchange, left.reason, message=left.message, status=status)
            return
        _release(exchange, response, left)

    def _redacted(self, body: bytes, owed: Allowed) -> RedactedAnswer:
        if owed.route.dialect is Dialect.EMBEDDINGS:
            return redact_embeddings(body, rules=owed.rules, max_bytes=self._max_answer_bytes, shared=owed.shared)
        if owed.route.dialect is Dialect.TRANSCRIPTIONS:
            return redact_transcription(body, rules=owed.rules, max_bytes=self._max_answer_bytes, shared=owed.shared)
        judged, strict = owed.judge is not None, owed.judge is not None and owed.judge.enforces
        examine = (
            redact_response
            if owed.route.dialect is Dialect.RESPONSES
            else functools.partial(redact_answer, dialect=owed.route.dialect)
        )
        return examine(
            body,
            rules=owed.rules,
            max_bytes=self._max_answer_bytes,
            shared=owed.shared,
            judged=judged,
            strict=strict,
        )


def _release(exchange: Exchange, response: http.Response, content: bytes) -> None:
    exchange.verdict = verdict_of(exchange.findings)
    # Past mitmproxy's setter, which would look for a coding in the upstream's head.
    response.data.content = content
    write_head(response, exchange, content_type=JSON_TYPE)
