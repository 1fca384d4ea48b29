# SPDX-License-Identifier: Apache-2.0
"""The firewall and the decision: what is wrong with a request is found on its head where it can be, else on its body.

The order is that of `policies.contracts.reasons`: host, path, route, scope, declared size, encoding, media type, body,
policy, limits.
"""

import functools
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TypeVar

from mitmproxy import http

from policies.contracts.decision import Decision, Effect, Reason
from policies.contracts.reasons import REASONS
from policies.contracts.record import span_hash
from policies.contracts.request import EvaluationRequest, RequestFacts, Resource
from policies.contracts.screening import SCREENED
from policies.contracts.snapshot import LogProbabilities, Route
from policies.contracts.upstreams import DEFAULT
from policies.evaluation.limits import body_limit
from policies.evaluation.pipeline import TakeToken, decide
from policies.evaluation.upstreams import upstream_for
from policies.redaction.engine import AnswerBlocked
from policies.redaction.findings import Tally
from proxy_addons.addons.aside import LONG_BYTES, Aside
from proxy_addons.addons.fail_closed import EVALUATION_FAILED, POLICY_UNAVAILABLE, fail_closed
from proxy_addons.addons.flows import Hook, exchange_of, headers_of, message_for, refuse
from proxy_addons.core.active import ActivePolicy
from proxy_addons.core.content_coding import decoded
from proxy_addons.core.enforced import allowed, applied, rules_for_request
from proxy_addons.core.exchange import Exchange
from proxy_addons.core.firewall import (
    check_declared_size,
    check_encoding,
    check_host,
    check_no_body,
    check_path,
    forwarded_headers,
    match_route,
)
from proxy_addons.core.judged_texts import AskScreen, JudgedTexts
from proxy_addons.core.log_probabilities import parameter_asking
from proxy_addons.core.openai_request import ReadRequest
from proxy_addons.core.record_builder import RecordScope
from proxy_addons.core.refused import Refused
from proxy_addons.core.request_fields import NOT_PERMITTED
from proxy_addons.core.request_reader import check_content_type, read_body, takes_body
from proxy_addons.core.request_redaction import BLOCKED, UNREAD, redact_request
from proxy_addons.core.restoring import Restoring
from proxy_addons.core.system_texts import with_prompt

_T = TypeVar("_T")


class EnforceRequest:
    """`aside` examines what is long, `ask_screen` asks the prompt screen.

    `hosts` are the names of this gateway that `Host` may have; empty: any.

    `scope` has the key under which the hashes of what was found stand in records.
    """

    def __init__(
        self,
        *,
        take_token: Callable[[TakeToken], Awaitable[float]],
        scope: RecordScope,
        aside: Aside,
        ask_screen: AskScreen,
        hosts: frozenset[str] = frozenset(),
    ) -> None:
        self._ask_screen = ask_screen
        self._take_token = take_token
        self._scope = scope
        self._hosts = hosts
        self._aside = aside

    def _hashed(self, span: str) -> str:
        return span_hash(self._scope.pseudonym_key, tenant=self._scope.tenant, span=span)

    @fail_closed(Hook.REQUESTHEADERS)
    def requestheaders(self, flow: http.HTTPFlow) -> None:
        exchange = exchange_of(flow)
        if exchange.refusal is not None:
            return
        try:
            check_host(flow.request.headers.fields, self._hosts)
            _examine_head(flow.request, exchange)
            exchange.examined_ns = time.monotonic_ns()
        except Refused as refused:
            refuse(flow, exchange, Reason(code=refused.code))

    @fail_closed(Hook.REQUEST)
    async def request(self, flow: http.HTTPFlow) -> None:
        exchange = exchange_of(flow)
        if exchange.refusal is not None:
            return
        if exchange.fault is not None:
            refuse(flow, exchange, Reason(code=exchange.fault))
            return
        policy = _policy_of(exchange)
        try:
            route, evaluation, read = _examine_body(flow.request, exchange, policy)
        except Refused as refused:
            refuse(flow, exchange, Reason(code=refused.code), message=message_for(refused.code, refused.param))
            return
        exchange.resource, exchange.evaluation = evaluation.resource, evaluation
        began_ns = time.perf_counter_ns()
        texts = JudgedTexts(policy, evaluation, read, route.dialect, run=self._examined, ask_screen=self._ask_screen)
        decision = await decide(
            evaluation,
            snapshot=policy.snapshot,
            access=policy.access,
            guard=policy.guard,
            take_token=self._take_token,
            texts=texts.judge,
        )
        exchange.decide_us = (time.perf_counter_ns() - began_ns) // 1000
        exchange.decision, exchange.screened, exchange.screen = decision, texts.screened, texts.screen
        if decision.effect is not Effect.ALLOW:
            _refuse_by(decision, flow, exchange, policy)
            return
        exchange.system_prompt = texts.prompt
        if policy.snapshot.upstreams:
            name = upstream_for(policy.snapshot, operation=route.operation, model=None if read is None else read.model)
            exchange.upstream = None if name == DEFAULT else name
        exchange.tally = Tally(hashed=self._hashed)
        if (parameter := _refused_parameter(exchange, read)) is not None:
            refuse(flow, exchange, Reason(code=NOT_PERMITTED), message=message_for(NOT_PERMITTED, parameter))
            return
        try:
            redacted = await self._redacted(exchange, read, exchange.tally)
            _forward(flow.request, exchange, _prompted(redacted, exchange))
        except AnswerBlocked as blocked:
            # The rule's id is the author's word; what it found is not told to anybody.
            refuse(
                flow,
                exchange,
                Reason(code=BLOCKED, policy=blocked.policy, rule=blocked.rule),
                message=f"{REASONS[BLOCKED].message} Rule: {blocked.rule}.",
            )

    async def _examined(self, size_bytes: int, examine: Callable[[], _T]) -> _T:
        """Return what `examine` does, beside the event loop where it is about many bytes."""
        return examine() if size_bytes < LONG_BYTES else await self._aside.run(examine)

    async def _redacted(self, exchange: Exchange, read: ReadRequest | None, tally: Tally) -> ReadRequest | None:
        """Return what may be forwarded of a request that was allowed. Raises AnswerBlocked where a rule refuses it."""
        if read is None or exchange.route is None:
            return read
        rules = rules_for_request(exchange)
        if rules.idle:
            exchange.request_coverage = UNREAD
            return read
        redact = functools.partial(redact_request, read, dialect=exchange.route.dialect, rules=rules, tally=tally)
        redacted = await self._examined(len(read.body), redact)
        exchange.request_coverage = redacted.coverage
        exchange.inputs_redacted = redacted.told
        exchange.findings = applied(tally.findings)
        if tally.pseudonyms:
            exchange.restoring = Restoring(tally.pseudonyms, json_content=read.wants_json)
        if redacted.blocked is not None:
            raise redacted.blocked
        return redacted.read


def _policy_of(exchange: Exchange) -> ActivePolicy:
    if exchange.policy is None:
        raise Refused(POLICY_UNAVAILABLE)
    return exchange.policy


def _examine_head(request: http.Request, exchange: Exchange) -> None:
    headers = request.headers.fields
    path = check_path(request.data.path)
    policy = _policy_of(exchange)
    exchange.route = route = match_route(policy.routes, request.method, path)
    if exchange.credential is None:
        raise LookupError("the request was not identified")
    if not exchange.credential.scope.permits_operation(route.operation):
        raise Refused("credential-scope-exceeded")
    if not takes_body(route.dialect):
        check_no_body(headers)
        return
    exchange.max_body_bytes = body_limit(policy.snapshot, exchange.credential.subject)
    check_declared_size(headers, exchange.max_body_bytes)
    exchange.encoding = check_encoding(headers, route.encodings)
    check_content_type(headers, route.dialect)


def _examine_body(
    request: http.Request,
    exchange: Exchange,
    policy: ActivePolicy,
) -> tuple[Route, EvaluationRequest, ReadRequest | None]:
    """Return the route, the question to the decision point, and what to forward. Raises Refused."""
    route, credential = exchange.route, exchange.credential
    if route is None or credential is None:
        raise LookupError("the head was not examined")
    content = request.raw_content or b""
    if takes_body(route.dialect):
        if len(content) > exchange.max_body_bytes:
            raise Refused("body-too-large")
        if exchange.encoding is not None:
            content = decoded(content, exchange.encoding, max_bytes=exchange.max_body_bytes)
        read = read_body(content, route, request.headers.fields)
        exchange.stripped_fields, exchange.uncovered = read.stripped, read.uncovered
        resource, facts, forwarded = Resource(type="model", id=read.model), read.facts, read
        exchange.resource = resource
        if not credential.scope.permits_model(read.model):
            raise Refused("credential-scope-exceeded")
    else:
        if content:
            raise Refused("body-not-permitted")
        resource, facts, forwarded = Resource(type="route", id=route.operation), RequestFacts(), None
    evaluation = EvaluationRequest(
        request_id=exchange.request_id,
        tenant=policy.snapshot.tenant,
        environment=policy.snapshot.environment,
        subject=credential.subject,
        action=route.operation,
        resource=resource,
        facts=facts,
        at=exchange.received_at,
    )
    return route, evaluation, forwarded


def _refused_parameter(exchange: Exchange, read: ReadRequest | None) -> str | None:
    """Return the parameter that asks for log probabilities where policy has it refused, or None."""
    parameter = None if read is None else parameter_asking(read.value)
    if parameter is None:
        return None
    rules = allowed(exchange).rules
    return parameter if rules.enforcing and rules.terms.log_probabilities is LogProbabilities.REFUSE else None


def _prompted(read: ReadRequest | None, exchange: Exchange) -> ReadRequest | None:
    """Return the request with the system prompt that policy puts in: after redaction, since it is no client's."""
    owed = exchange.system_prompt
    if owed is None or not owed.inserted or read is None or exchange.route is None:
        return read
    return with_prompt(read, exchange.route.dialect, owed.prompt.text)


def _forward(request: http.Request, exchange: Exchange, read: ReadRequest | None) -> None:
    """Let through what was examined, and nothing beside it."""
    media_type = None if read is None else read.media_type
    fields = forwarded_headers(request.headers.fields, request_id=exchange.request_id, media_type=media_type)
    # Past mitmproxy's setters: they would look for codings of a content and a head that are written here.
    request.data.headers = headers_of(fields)
    request.data.content = b"" if read is None else read.body
    request.data.trailers = None


def _refuse_by(decision: Decision, flow: http.HTTPFlow, exchange: Exchange, policy: ActivePolicy) -> None:
    """Tell the first reason; the record has them all. A guard's own code has the guard's own message."""
    reason = next(iter(decision.reasons), Reason(code=EVALUATION_FAILED))
    # A guard may give `prompt-injection` too, and says so in its own words.
    guards = (guard for guard in policy.snapshot.guards if guard.id == reason.policy)
    said = {guard.id: guard.reasons[reason.code] for guard in guards if reason.code in guard.reasons}
    if reason.code in REASONS and not said:
        refuse(flow, exchange, reason, retry_after_s=decision.retry_after_s)
        return
    # A screening rule has a code of its own, and no message of its own.
    message = said.get(reason.policy, REASONS[SCREENED].message)
    refuse(flow, exchange, reason, message=message, status=HTTPStatus.FORBIDDEN)
