# SPDX-License-Identifier: Apache-2.0
"""ECS: a document of the Elastic Common Schema 9.4 a line, ready for a data stream.

The envelope stands in `event.original`, so that the document can be proven against the log.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator
from typing import Any, Final

from controlplane.exports.columns import Content
from controlplane.exports.outcomes import told
from controlplane.exports.rows import ExportRow, model_of, policies_of, reason_codes
from controlplane.services.times import format_time
from policies.contracts.record import RecordOutcome

ECS_VERSION: Final = "9.4.0"
_NS_PER_US: Final = 1000
# What an allowed and a refused request are, in the words that ECS expects of the categories `api` and `web`.
_TYPES: Final = {
    RecordOutcome.ALLOW.value: ["access", "allowed"],
    RecordOutcome.DENY.value: ["access", "denied"],
    RecordOutcome.ERROR_DENY.value: ["access", "denied", "error"],
}


def encode(rows: Iterable[ExportRow], *, include: Collection[Content] = ()) -> Iterator[bytes]:
    for row in rows:
        yield json.dumps(document_of(row, include), separators=(",", ":"), sort_keys=True).encode() + b"\n"


def document_of(row: ExportRow, include: Collection[Content] = ()) -> dict[str, Any]:
    """Return the document of a decision. A field that has nothing to say is left out."""
    read = row.read
    pseudonym, total_us = read.text("subject", "pseudonym"), read.number("latency_us", "total")
    subject = row.subject if Content.SUBJECT in include else None
    reasons = list(read.each("reasons")) or list(read.each("findings"))
    deciding = reasons[0] if reasons else None
    codes = reason_codes(row)
    document = {
        "@timestamp": read.text("time") or format_time(row.received_at),
        "ecs": {"version": ECS_VERSION},
        "message": " ".join(filter(None, [read.text("outcome"), read.text("action"), model_of(row), *codes])),
        "event": {
            "kind": "event",
            "category": ["api", "web"],
            "type": _TYPES.get(read.text("outcome") or "", ["access", "denied", "error"]),
            "outcome": told(row).ecs_outcome,
            "action": read.text("action"),
            "code": codes[0] if codes else None,
            "reason": " ".join(codes) or None,
            "id": read.text("record_id"),
            "module": "gatehouse",
            "dataset": "gatehouse.decisions",
            "provider": "gatehouse",
            "sequence": row.log_index,
            "created": format_time(row.received_at),
            "duration": None if total_us is None else total_us * _NS_PER_US,
            "hash": hashlib.sha256(row.envelope).hexdigest(),
            "original": row.envelope.decode(),
        },
        "user": {"id": pseudonym, "name": subject},
        "related": {"user": [name for name in (pseudonym, subject) if name]},
        "http": {
            "request": {
                "id": read.text("request_id"),
                "method": read.text("http", "method"),
                "body": {"bytes": read.number("http", "bytes_in")},
            },
            "response": {
                "status_code": read.number("http", "status"),
                "body": {"bytes": read.number("http", "bytes_out")},
            },
        },
        "gen_ai": {"operation": {"name": read.text("action")}, "request": {"model": model_of(row)}},
        "rule": {
            "id": deciding and deciding.text("rule"),
            "name": deciding and deciding.text("rule"),
            "ruleset": deciding and deciding.text("policy"),
            "version": deciding and read.text("revision"),
        },
        "trace": {"id": read.text("trace_id")},
        "organization": {"id": read.text("tenant")},
        "service": {
            "name": "gatehouse",
            "type": "gatehouse",
            "environment": read.text("environment"),
            "ephemeral_id": read.text("source", "boot_id"),
            "node": {"name": read.text("source", "id")},
        },
        "labels": {
            "outcome": read.text("outcome"),
            "verdict": read.text("verdict"),
            "would_have": read.text("would_have"),
            "kind": read.text("kind"),
            "policies": " ".join(policies_of(row)),
            "revision": read.text("revision"),
            "serial": read.number("serial"),
            "first_index": row.first_index,
            "input": row.input if Content.INPUT in include else None,
        },
    }
    return _without_nothing(document)


def _without_nothing(members: dict[str, Any]) -> dict[str, Any]:
    kept = {name: _without_nothing(value) if isinstance(value, dict) else value for name, value in members.items()}
    return {name: value for name, value in kept.items() if value not in (None, "", [], {})}
