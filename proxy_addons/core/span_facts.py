# SPDX-License-Identifier: Apache-2.0
"""What a span says of an exchange: codes, ids of ours, words of policy, counts, sizes and durations.

Rules: nothing of the client's own text or of an answer, nobody's identity or address, and no model's name.
`docs/reference/traces.md` lists every attribute; a test holds both together.
"""

from http import HTTPStatus
from typing import Final

from policies.contracts.snapshot import Route
from proxy_addons.core.exchange import Exchange
from proxy_addons.core.record_builder import METHODS, outcome_of, status_of
from proxy_addons.core.tally import GUARDS
from proxy_addons.core.trace_context import Attributes

_UNMATCHED: Final = "HTTP"


def span_name(method: str, route: Route | None) -> str:
    """Return `POST /v1/chat/completions`; without a route that policy lists, nothing that the client wrote."""
    return _UNMATCHED if route is None else f"{method} {route.path}"


def span_attributes(exchange: Exchange, *, method: str, scheme: str, now_ns: int) -> Attributes:
    """Return the attributes of `exchange`, which has ended at `now_ns`."""
    route, decision, refusal = exchange.route, exchange.decision, exchange.refusal
    started_ns = exchange.started_ns
    facts: dict[str, str | int | bool] = {
        "url.scheme": scheme,
        "http.request.body.size": exchange.bytes_in,
        "http.response.body.size": exchange.bytes_out,
        "gatehouse.request_id": exchange.request_id,
        "gatehouse.outcome": outcome_of(exchange).value,
        "gatehouse.first_byte_us": ((exchange.admitted_ns or now_ns) - started_ns) // 1000,
        "gatehouse.total_us": (now_ns - started_ns) // 1000,
    }
    if method in METHODS:
        facts["http.request.method"] = method
    if route is not None:
        facts["http.route"] = route.path
        facts["gatehouse.operation"] = route.operation
    status = status_of(exchange)
    if status is not None:
        facts["http.response.status_code"] = int(status)
    if exchange.verdict is not None:
        facts["gatehouse.verdict"] = exchange.verdict.value
    if refusal is not None:
        facts["gatehouse.reason"] = refusal.code
        if failed(exchange):
            facts["error.type"] = refusal.code
    if exchange.upstream_first_byte_ns is not None and exchange.upstream_started_ns is not None:
        facts["gatehouse.upstream_us"] = (exchange.upstream_first_byte_ns - exchange.upstream_started_ns) // 1000
    if decision is not None:
        facts["gatehouse.revision"] = decision.revision
        facts["gatehouse.decide_us"] = exchange.decide_us
        asked = [answer for answer in decision.engines if answer.engine in GUARDS]
        if asked:
            facts["gatehouse.guard"] = "reused" if all(answer.reused for answer in asked) else "asked"
    return facts


def failed(exchange: Exchange) -> bool:
    """Whether the span has the status of an error: the client was told 5xx."""
    status = status_of(exchange)
    return status is not None and status >= HTTPStatus.INTERNAL_SERVER_ERROR
