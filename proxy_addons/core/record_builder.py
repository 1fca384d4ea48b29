# SPDX-License-Identifier: Apache-2.0
"""The decision record of an exchange, as `docs/spec/decision-record.md` has it. Pure: clock, ids and salt are given.

Rules: the envelope holds codes, ids of policy, counts and sizes. Of the client's own text it holds nothing: a method
that is not one of HTTP's stands as null, a path only as the route's id.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from policies.contracts.codec import JSON
from policies.contracts.decision import Effect, EngineAnswer, Outcome, Reason, Verdict
from policies.contracts.reasons import REASONS
from policies.contracts.record import (
    DecisionRecord,
    RecordKind,
    RecordOutcome,
    Source,
    pseudonym,
    seal,
)
from policies.contracts.request import Subject
from proxy_addons.core.exchange import Exchange
from proxy_addons.core.record_findings import (
    MAX_COVERED,
    called,
    covered,
    findings_of,
    judged_beside,
    prompted,
    reached,
    remarked,
    screened,
)

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
# What an abridged envelope keeps of each list, so that it stays below MAX_ENVELOPE_BYTES however many policies answer.
_ABRIDGED: Final = 8

_BLOCKED: Final = frozenset({"answer-blocked", "request-blocked"})

# Refused because something failed or could not be read. Every other refusal is a decision: no.
FAILURES: Final = frozenset(
    {
        "malformed-request",
        "ambiguous-framing",
        "protocol-not-permitted",
        "headers-too-large",
        "expectation-failed",
        "request-timeout",
        "body-not-decodable",
        "body-not-form",
        "body-not-json",
        "evaluation-failed",
        "policy-unavailable",
        "issuer-unavailable",
        "screen-unavailable",
        "record-unavailable",
        "draining",
        "overloaded",
        "upstream-unavailable",
        "upstream-invalid",
        "upstream-error",
        "upstream-refused",
        "upstream-timeout",
        "client-disconnected",
        "worker-lost",
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordScope:
    """Whose records these are, and the key under which subjects stand in them."""

    tenant: str
    environment: str
    pseudonym_key: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the client is told, and when: what the exchange itself does not know.

    `bytes_out` are the body bytes of the answer, those included that leave only once the record is durable.
    """

    at: datetime
    now_ns: int
    method: str
    bytes_out: int


def build_record(
    exchange: Exchange,
    kind: RecordKind,
    *,
    scope: RecordScope,
    told: Told,
    source: Source,
    record_id: str,
    salt: str,
) -> DecisionRecord:
    """Return the record of `exchange` as it stands. Lists are abridged where the envelope would become too large."""
    payload = payload_of(exchange, kind, record_id=record_id, at=told.at)
    named: dict[str, JSON] = {
        "record_id": record_id,
        "source": {"id": source.id, "boot_id": source.boot_id, "seq": source.seq},
    }
    for most in (None, _ABRIDGED):
        envelope = _envelope(exchange, kind, scope=scope, told=told, most=most)
        with suppress(ValueError):
            return seal(envelope | named, payload, salt=salt)
    return seal(_envelope(exchange, kind, scope=scope, told=told, most=0) | named, payload, salt=salt)


def outcome_of(exchange: Exchange) -> RecordOutcome:
    """Return what the exchange came to. A client that left what policy allowed was allowed it."""
    allowed = exchange.decision is not None and exchange.decision.effect is Effect.ALLOW
    code = None if exchange.refusal is None else exchange.refusal.code
    if code is None:
        return RecordOutcome.ALLOW if allowed else RecordOutcome.ERROR_DENY
    if code == "client-disconnected" and allowed:
        return RecordOutcome.ALLOW
    return RecordOutcome.ERROR_DENY if code in FAILURES else RecordOutcome.DENY


def payload_of(exchange: Exchange, kind: RecordKind, *, record_id: str, at: datetime) -> dict[str, JSON]:
    """Return the erasable part of the record, without its salt; `content` only where policy wants some kept."""
    subject = None if exchange.credential is None else exchange.credential.subject
    payload: dict[str, JSON] = {
        "subject": None if subject is None else payload_subject(subject),
        "input": exchange.input_for_replay(),
        "client_request_id": exchange.client_request_id,
    }
    if exchange.content is None or kind is RecordKind.ADMISSION:
        return payload
    kept = exchange.content.to_json(record_id=record_id, day=at.astimezone(UTC).date().isoformat())
    return payload | {"content": kept} if kept else payload


def content_of(exchange: Exchange, kind: RecordKind) -> dict[str, JSON]:
    """Return the member `content` of the envelope, where there is one: the hashes by which texts are found."""
    hashes = {} if exchange.content is None or kind is RecordKind.ADMISSION else exchange.content.hashes()
    return {"content": hashes} if hashes else {}


def payload_subject(subject: Subject) -> dict[str, JSON]:
    """Return the subject as the payload has it; `groups` only where a token named some."""
    plain: dict[str, JSON] = {"type": subject.type, "id": subject.id}
    return plain | {"groups": subject.groups} if subject.groups else plain


def _envelope(
    exchange: Exchange,
    kind: RecordKind,
    *,
    scope: RecordScope,
    told: Told,
    most: int | None,
) -> dict[str, JSON]:
    policy, decision, asked = exchange.policy, exchange.decision, exchange.evaluation
    route = exchange.route
    return {
        "kind": kind.value,
        "tenant": scope.tenant,
        "environment": scope.environment,
        "time": told.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "request_id": exchange.request_id,
        "trace_id": exchange.trace_id,
        "subject": subject_of(exchange, scope),
        "action": None if route is None else route.operation,
        "resource": None if exchange.resource is None else {"type": exchange.resource.type, "id": exchange.resource.id},
        "http": {
            "method": told.method if told.method in METHODS else None,
            "route": None if route is None else route.id,
            "status": status_of(exchange),
            "bytes_in": exchange.bytes_in,
            "bytes_out": told.bytes_out,
            "stream": asked is not None and asked.facts.stream,
        },
        "revision": None if decision is None else decision.revision,
        "serial": None if policy is None or decision is None else policy.serial,
        "engines": [] if decision is None else [_engine(answer, most) for answer in decision.engines],
        "outcome": outcome_of(exchange).value,
        "verdict": None if kind is RecordKind.ADMISSION or exchange.verdict is None else exchange.verdict.value,
        "reasons": [_reason(reason) for reason in reasons_of(exchange)[: None if most is None else max(most, 1)]],
        "would_have": None if decision is None or decision.would_have is None else decision.would_have.value,
        "obligations": [
            {"type": "redact", "policy": owed.policy, "status": obligation_status(exchange, kind)}
            for owed in (() if decision is None else decision.obligations)
        ],
        "findings": [
            {
                "detector": found.detector,
                "policy": found.policy,
                "rule": found.rule,
                "action": found.action,
                "count": found.count,
            }
            for found in findings_of(exchange)[:most]
        ],
        **remarked(exchange, most),
        **prompted(exchange),
        **screened(exchange, most),
        **reached(exchange),
        "coverage": covered(exchange, MAX_COVERED if most is None else most),
        "latency_us": _latency(exchange, told.now_ns),
        **called(exchange, MAX_COVERED if most is None else most),
        **judged_beside(exchange, kind, most),
        **content_of(exchange, kind),
    }


def subject_of(exchange: Exchange, scope: RecordScope) -> JSON:
    """Return whose request it was, as the envelope has it: under a pseudonym."""
    credential = exchange.credential
    if credential is None:
        return None
    return {
        "pseudonym": pseudonym(scope.pseudonym_key, tenant=scope.tenant, subject=str(credential.subject)),
        "type": credential.subject.type,
        "credential": credential.kind.value,
        "key_id": credential.key_id,
    }


def status_of(exchange: Exchange) -> int | None:
    """Return what the client is told, also where nobody has said so yet."""
    if exchange.status is not None or exchange.refusal is None:
        return exchange.status
    spec = REASONS.get(exchange.refusal.code)
    return None if spec is None else spec.status


def _engine(answer: EngineAnswer, most: int | None) -> dict[str, JSON]:
    """Return what one engine said. Abridged, it keeps what decided before what was neutral; `omitted` counts others."""
    answers = answer.answers
    if most is not None:
        answers = tuple(sorted(answers, key=lambda given: given.outcome is Outcome.NOT_APPLICABLE)[:most])
    return {
        "engine": answer.engine,
        "provenance": answer.provenance or None,
        "answers": [
            {
                "policy": given.policy,
                "mode": given.mode.value,
                "outcome": given.outcome.value,
                "reasons": [_reason(reason) for reason in given.reasons[:most]],
            }
            for given in answers
        ],
        "omitted": answer.neutral + len(answer.answers) - len(answers),
        "duration_us": answer.duration_us,
        "reused": answer.reused,
    }


def _reason(reason: Reason) -> dict[str, JSON]:
    return {"code": reason.code, "policy": reason.policy, "rule": reason.rule}


def reasons_of(exchange: Exchange) -> Sequence[Reason]:
    """Return why it was refused or cut: every reason of a decision that denied, else the one refusal."""
    if exchange.refusal is None:
        return ()
    decided = () if exchange.decision is None else exchange.decision.reasons
    return decided if exchange.refusal in decided else (exchange.refusal,)


def obligation_status(exchange: Exchange, kind: RecordKind) -> str:
    """`pending` before the answer, `done` where all of it was examined, `partial` where it was cut, else `skipped`."""
    code = None if exchange.refusal is None else exchange.refusal.code
    blocked_by_rule = code in _BLOCKED or (code is not None and bool(exchange.refused_calls))
    if kind is RecordKind.ADMISSION:
        return "pending"
    if exchange.verdict is Verdict.CUT:
        return "partial"
    if blocked_by_rule or exchange.verdict is Verdict.FORWARDED or exchange.verdict is Verdict.REDACTED:
        return "done"
    return "skipped"


def _latency(exchange: Exchange, now_ns: int) -> Mapping[str, JSON]:
    upstream: int | None = None
    if exchange.upstream_started_ns is not None and exchange.upstream_first_byte_ns is not None:
        upstream = (exchange.upstream_first_byte_ns - exchange.upstream_started_ns) // 1000
    return {
        "total": (now_ns - exchange.started_ns) // 1000,
        "decide": exchange.decide_us if exchange.decision is not None else None,
        "upstream": upstream,
    }
