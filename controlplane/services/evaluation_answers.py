# SPDX-License-Identifier: Apache-2.0
"""What is told of a decision: to the enforcement point that asked (AuthZEN 1.0), and to the log.

Rules: reason codes and their texts are public. Policies and rules are named to those only who may read policies. The
log's envelope names no person: the subject is a pseudonym there, and what another enforcement point calls its actions
and resources stands in the payload alone, unless it is an operation, a model or a route.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from controlplane.services.evaluation_questions import Question, Unreadable
from controlplane.services.gap_entries import own_entry
from controlplane.services.model import Principal
from controlplane.services.records import EntryKind, ReceivedRecord
from controlplane.services.times import format_time
from policies.contracts.codec import JSON, canonical_bytes
from policies.contracts.decision import Decision, Effect, EngineAnswer, Outcome, Reason
from policies.contracts.reasons import REASONS
from policies.contracts.record import MAX_ENVELOPE_BYTES, RecordOutcome, pseudonym
from policies.engines.combine import EVALUATION_FAILED

SCHEMA: Final = "gatehouse.evaluation/1"
_MAX_INPUT_BYTES: Final = 64 * 1024
_OPERATION: Final = re.compile(r"[a-z]+(\.[a-z]+)*", re.ASCII)
_OURS: Final = frozenset({"model", "route"})
# Of long lists, as many as stay within an envelope: first generously, then what fits in any case.
_KEPT: Final = (16, 4, 0)
_BAD_REQUEST: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A question with its decision. `text` is what people are told of a refusal; `input` is what guards saw.

    `not_judged` are the kinds of policies that would have looked at the texts of such a request.
    """

    id: str
    question: Question
    decision: Decision
    serial: int
    text: str
    input: Mapping[str, Any]
    not_judged: tuple[str, ...]
    at: datetime
    decide_us: int
    total_us: int

    @property
    def is_allowed(self) -> bool:
        return self.decision.effect is Effect.ALLOW


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedBy:
    """Who asked, in which request, and what that was called at the other side."""

    principal: Principal
    request_id: str
    client_request_id: str | None


def answer_of(answered: Decided | Unreadable, *, tells_rules: bool) -> dict[str, Any]:
    """Return the answer as AuthZEN has it. `tells_rules`: the caller may know which policies there are."""
    if isinstance(answered, Unreadable):
        return {"decision": False, "context": {"error": {"status": _BAD_REQUEST, "message": answered.message}}}
    decision = answered.decision
    context: dict[str, Any] = {
        "decision_id": answered.id,
        "policy_revision": decision.revision,
        "serial": answered.serial,
        "obligations": [
            {"id": f"redact:{owed.policy}", "type": "redact", "properties": {"policy": owed.policy}}
            for owed in decision.obligations
        ],
    }
    if answered.not_judged:
        context["not_judged"] = list(answered.not_judged)
    if not answered.is_allowed:
        context["reasons"] = sorted({reason.code for reason in decision.reasons})
        context["reason_user"] = {"403": answered.text}
        if tells_rules:
            context["reason_admin"] = {"403": "; ".join(map(_by, decision.reasons))}
    return {"decision": answered.is_allowed, "context": context}


def _by(reason: Reason) -> str:
    place = "/".join(filter(None, (reason.policy, reason.rule)))
    return f"{reason.code} by {place}" if place else reason.code


def text_of(decision: Decision, texts: Mapping[str, str]) -> str:
    """Return what people are told of a refusal; `texts` are those of the guards' own codes."""
    code = next((reason.code for reason in decision.reasons), "")
    spec = REASONS.get(code)
    return spec.message if spec is not None else texts.get(code, "A policy denies this request.")


def entry_of(
    decided: Decided, by: AskedBy, *, index: int, environment: str, pseudonym_key: bytes, salt: str
) -> ReceivedRecord:
    """Return the entry that says what was decided, for question `index` of a request."""
    question, decision, tenant = decided.question, decided.decision, by.principal.tenant
    payload = _payload(decided, by, salt=salt)
    resource: dict[str, JSON] = {
        "type": question.resource.type,
        "id": question.resource.id if question.resource.type in _OURS else None,
    }
    members: dict[str, JSON] = {
        "schema": SCHEMA,
        "kind": EntryKind.EVALUATION.value,
        "record_id": decided.id,
        "tenant": tenant,
        "environment": environment,
        "source": None,
        "time": format_time(decided.at),
        "asked_by": {"principal": by.principal.id, "role": by.principal.role.value},
        "asked_in": {"request": by.request_id, "index": index},
        "request_id": None,
        "trace_id": None,
        "subject": {
            "pseudonym": pseudonym(pseudonym_key, tenant=tenant, subject=str(question.subject)),
            "type": question.subject.type,
            "credential": None,
            "key_id": None,
        },
        "action": question.action if _OPERATION.fullmatch(question.action) else None,
        "resource": resource,
        "http": None,
        "revision": decision.revision,
        "serial": decided.serial,
        "outcome": _outcome(decision).value,
        "verdict": None,
        "would_have": None if decision.would_have is None else decision.would_have.value,
        "findings": [],
        "latency_us": {"total": decided.total_us, "decide": decided.decide_us},
        "payload_digest": "sha256:" + hashlib.sha256(payload).hexdigest(),
    }
    return own_entry(members, _fitted(members, decision), payload=payload, at=decided.at)


def _fitted(members: dict[str, JSON], decision: Decision) -> bytes:
    """Put what policies said into `members`, as much as an envelope takes, and return the envelope."""
    for most in _KEPT:
        members["engines"] = [_engine(answer, most) for answer in decision.engines]
        members["reasons"] = list(map(_reason, decision.reasons[: most or 1]))
        members["obligations"] = [
            {"type": "redact", "policy": owed.policy, "status": "told"} for owed in decision.obligations[: most or 1]
        ]
        envelope = canonical_bytes(members)
        if len(envelope) <= MAX_ENVELOPE_BYTES:
            break
    return envelope


def _engine(answer: EngineAnswer, most: int) -> dict[str, JSON]:
    """Return what one engine said, what decided before what was neutral; `omitted` counts what is left out."""
    told = sorted(answer.answers, key=lambda given: given.outcome is Outcome.NOT_APPLICABLE)[:most]
    return {
        "engine": answer.engine,
        "provenance": answer.provenance or None,
        "answers": [
            {
                "policy": given.policy,
                "mode": given.mode.value,
                "outcome": given.outcome.value,
                "reasons": list(map(_reason, given.reasons[:most])),
            }
            for given in told
        ],
        "omitted": len(answer.answers) - len(told),
        "duration_us": answer.duration_us,
        "reused": answer.reused,
    }


def _reason(reason: Reason) -> dict[str, JSON]:
    return {"code": reason.code, "policy": reason.policy, "rule": reason.rule}


def _outcome(decision: Decision) -> RecordOutcome:
    if any(reason.code == EVALUATION_FAILED for reason in decision.reasons):
        return RecordOutcome.ERROR_DENY
    return RecordOutcome.ALLOW if decision.effect is Effect.ALLOW else RecordOutcome.DENY


def _payload(decided: Decided, by: AskedBy, *, salt: str) -> bytes:
    question = decided.question
    held: dict[str, Any] = {
        "subject": {"type": question.subject.type, "id": question.subject.id},
        "action": question.action,
        "resource": {"type": question.resource.type, "id": question.resource.id},
        "client_request_id": by.client_request_id,
        "salt": salt,
    }
    seen = _encoded(decided.input)
    if len(seen) > _MAX_INPUT_BYTES:
        return _encoded({**held, "input": None, "input_digest": "sha256:" + hashlib.sha256(seen).hexdigest()})
    return _encoded({**held, "input": decided.input})


def _encoded(value: Mapping[str, Any]) -> bytes:
    # Not canonical bytes: numbers of others may have fractions, and the digest is of these very bytes.
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False).encode()
