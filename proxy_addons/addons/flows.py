# SPDX-License-Identifier: Apache-2.0
"""How addons touch a flow: find its exchange, refuse it, cut its stream. Nothing else sets an answer."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

import structlog
from mitmproxy import http

from policies.contracts.decision import Reason, Verdict
from policies.contracts.reasons import REASONS
from proxy_addons.core.exchange import EXCHANGE, Exchange
from proxy_addons.core.firewall import CLIENT_REQUEST_ID
from proxy_addons.core.streaming import StreamEnforcer, is_stream_enforcer
from proxy_addons.http1.refusal import refusal_response

_log: Final = structlog.get_logger()


class Hook(StrEnum):
    """The hooks of one exchange, by their mitmproxy names."""

    REQUESTHEADERS = "requestheaders"
    REQUEST = "request"
    RESPONSEHEADERS = "responseheaders"
    ERROR = "error"
    RESPONSE = "response"


CLIENT_LEFT: Final = "client-disconnected"


def exchange_of(flow: http.HTTPFlow) -> Exchange:
    """Return the exchange of `flow`. Raises LookupError where the layer made none: the flow must not go on."""
    exchange = flow.metadata.get(EXCHANGE)
    if not isinstance(exchange, Exchange):
        raise LookupError("the flow has no exchange")  # noqa: TRY004  # the layer forgot it; no caller passed a wrong type
    return exchange


def enforcer_of(flow: http.HTTPFlow) -> StreamEnforcer | None:
    """Return what examines the streamed answer of `flow`, or None where the answer is not streamed."""
    enforcer: object = None if flow.response is None else flow.response.stream
    return enforcer if enforcer and is_stream_enforcer(enforcer) else None


def refuse(
    flow: http.HTTPFlow,
    exchange: Exchange,
    reason: Reason,
    *,
    message: str | None = None,
    status: int | None = None,
    retry_after_s: int | None = None,
) -> None:
    """Answer `flow` with `reason` in place of whatever answer it has. No byte of an answer may have left."""
    flow.response = refusal_response(
        reason.code, exchange.request_id, message=message, status=status, retry_after_s=retry_after_s
    )
    flow.response.headers = http.Headers([*flow.response.headers.fields, *_client_request_id(exchange)])
    exchange.refusal = reason
    exchange.verdict = Verdict.BLOCKED
    exchange.status = flow.response.status_code
    _log.info("request_refused", request_id=exchange.request_id, code=reason.code, status=exchange.status)


def cut(exchange: Exchange, reason: Reason) -> None:
    """End a stream that has begun: the layer tells `reason` as its last event in place of what was held back."""
    exchange.refusal = reason
    exchange.verdict = Verdict.CUT
    _log.info("stream_cut", request_id=exchange.request_id, code=reason.code)


def stop(flow: http.HTTPFlow, exchange: Exchange, reason: Reason, hook: Hook) -> None:
    """Refuse, or cut where `hook` comes after bytes of a stream may have left."""
    if (hook is Hook.RESPONSE or hook is Hook.ERROR) and enforcer_of(flow) is not None:
        cut(exchange, reason)
    else:
        refuse(flow, exchange, reason)


def message_for(code: str, param: str | None) -> str | None:
    """Return the message that also names the field, in the words of our allow-lists."""
    return None if param is None else f"{REASONS[code].message} Field: {param}."


def _client_request_id(exchange: Exchange) -> list[tuple[bytes, bytes]]:
    given = exchange.client_request_id
    return [] if given is None else [(CLIENT_REQUEST_ID, given.encode("ascii"))]


def headers_of(fields: Iterable[tuple[bytes, bytes]]) -> http.Headers:
    """Return `fields`, which we wrote, as mitmproxy's type. Its constructor checks what a client may have written."""
    headers = http.Headers.__new__(http.Headers)
    headers.fields = tuple(fields)
    return headers


def write_head(response: http.Response, exchange: Exchange, *, content_type: bytes) -> None:
    """Write the answer's head from scratch: no field of the upstream is passed on."""
    fields = [(b"Content-Type", content_type), *_client_request_id(exchange)]
    if exchange.decision is not None:
        codes = dict.fromkeys(reason.code for reason in exchange.decision.warnings)
        if (beside := exchange.beside) is not None and beside.warns and beside.judged is not None:
            codes |= dict.fromkeys(beside.judged.reasons)
        fields += [(b"Gatehouse-Warning", code.encode("ascii")) for code in codes]
    if exchange.inputs_redacted:
        fields.append((b"Gatehouse-Redacted", b"%d" % exchange.inputs_redacted))
    response.data.headers = headers_of(fields)
    response.data.trailers = None
    response.data.reason = b""
    exchange.status = response.status_code
