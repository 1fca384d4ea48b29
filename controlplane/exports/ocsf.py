# SPDX-License-Identifier: Apache-2.0
"""OCSF: an API Activity event (class 6003) a line, of schema 1.8.0.

Facts: 1.8.0 is the last release; 1.9 was a draft when this was written. `src_endpoint` is required and must name
something, and the log has no client addresses on purpose; `ai_model` must name a provider, and the proxy knows the name
of a model only. Both say so instead of guessing. What has no place in OCSF stands in `unmapped`, and the envelope in
`raw_data`, so that nothing is lost and the event can be proven against the log.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from controlplane.exports.columns import Content
from controlplane.exports.outcomes import ACTIONS, DISPOSITIONS, SEVERITIES, STATUSES, Told, told
from controlplane.exports.rows import EnvelopeReader, ExportRow, model_of, policies_of, reason_codes, rules_of
from controlplane.services.times import parse_time

SCHEMA_VERSION: Final = "1.8.0"
CLASS_UID: Final = 6003
CATEGORY_UID: Final = 6
PROFILES: Final = ("security_control", "ai_operation", "trace")
ACTIVITIES: Final = {"POST": (1, "Create"), "GET": (2, "Read"), "PUT": (3, "Update"), "DELETE": (4, "Delete")}

_UNKNOWN_ACTIVITY: Final = (0, "Unknown")
_USER_TYPES: Final = {"user": (1, "User"), "service": (4, "Service")}
_PRODUCT: Final = {"name": "Gatehouse", "vendor_name": "Gatehouse"}
_NOT_RECORDED: Final = "not recorded"
_MODIFIED_OR_DENIED: Final = frozenset({2, 4})
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SHA_256: Final = 3
_US_PER_MS: Final = 1000


def encode(rows: Iterable[ExportRow], *, include: Collection[Content] = ()) -> Iterator[bytes]:
    for row in rows:
        yield json.dumps(event_of(row, include), separators=(",", ":"), sort_keys=True).encode() + b"\n"


def event_of(row: ExportRow, include: Collection[Content] = ()) -> dict[str, Any]:
    """Return the event of a decision. A member that the schema has and the record has not is left out."""
    read, what = row.read, told(row)
    activity, activity_name = ACTIVITIES.get(read.text("http", "method") or "", _UNKNOWN_ACTIVITY)
    model, codes = model_of(row), reason_codes(row)
    event = {
        "activity_id": activity,
        "activity_name": activity_name,
        "category_uid": CATEGORY_UID,
        "category_name": "Application Activity",
        "class_uid": CLASS_UID,
        "class_name": "API Activity",
        "type_uid": CLASS_UID * 100 + activity,
        "type_name": f"API Activity: {activity_name}",
        "time": _milliseconds(_time_of(row)),
        "severity_id": what.severity,
        "severity": SEVERITIES[what.severity],
        "status_id": what.status,
        "status": STATUSES[what.status],
        "status_code": _as_text(read.number("http", "status")),
        "status_detail": " ".join(codes) or None,
        "duration": _in_ms(read.number("latency_us", "total")),
        "metadata": _metadata(row),
        "actor": {"user": _user(row, include)},
        "api": _api(row, codes),
        "http_request": _some(http_method=read.text("http", "method"), body_length=read.number("http", "bytes_in")),
        "http_response": _http_response(read),
        "src_endpoint": {"name": _NOT_RECORDED},
        "dst_endpoint": _some(
            name=read.text("source", "id"),
            instance_uid=read.text("source", "boot_id"),
            svc_name="gatehouse",
        ),
        "resources": None if model is None else [{"type": "model", "name": model}],
        "trace": _some(uid=read.text("trace_id")),
        "ai_model": None if model is None else {"name": model, "ai_provider": _NOT_RECORDED},
        "message_context": None if model is None else _message_context(),
        "raw_data": row.envelope.decode(),
        "raw_data_size": len(row.envelope),
        "raw_data_hash": {
            "algorithm_id": _SHA_256,
            "algorithm": "SHA-256",
            "value": hashlib.sha256(row.envelope).hexdigest(),
        },
        "unmapped": _unmapped(row, include),
        **_security_control(row, what),
    }
    return {name: value for name, value in event.items() if value is not None}


def _metadata(row: ExportRow) -> dict[str, Any]:
    read = row.read
    environment = read.text("environment")
    return _must(
        version=SCHEMA_VERSION,
        product=_PRODUCT,
        profiles=list(PROFILES),
        uid=read.text("record_id"),
        correlation_uid=read.text("request_id"),
        sequence=read.number("source", "seq"),
        tenant_uid=read.text("tenant"),
        log_name="decisions",
        event_code=read.text("outcome"),
        labels=None if environment is None else [f"environment:{environment}"],
        original_time=read.text("time"),
        logged_time=_milliseconds(row.received_at),
    )


def _user(row: ExportRow, include: Collection[Content]) -> dict[str, Any]:
    pseudonym = row.read.text("subject", "pseudonym")
    if pseudonym is None:
        return {"name": "not identified", "type_id": 0, "type": "Unknown"}
    type_id, type_name = _USER_TYPES.get(row.read.text("subject", "type") or "", (0, "Unknown"))
    return _must(
        uid=pseudonym,
        name=row.subject if Content.SUBJECT in include else None,
        credential_uid=row.read.text("subject", "key_id"),
        type_id=type_id,
        type=type_name,
    )


def _api(row: ExportRow, codes: list[str]) -> dict[str, Any]:
    return _must(
        operation=row.read.text("action") or "unknown",
        request=_some(uid=row.read.text("request_id")),
        response=_some(
            code=row.read.number("http", "status"),
            message=row.read.text("outcome"),
            error=codes[0] if codes else None,
        ),
        service={"name": "Gatehouse"},
    )


def _http_response(read: EnvelopeReader) -> dict[str, Any] | None:
    status = read.number("http", "status")
    if status is None:
        return None
    upstream = _in_ms(read.number("latency_us", "upstream"))
    return _some(code=status, body_length=read.number("http", "bytes_out"), latency=upstream)


def _message_context() -> dict[str, Any]:
    return {"ai_role_id": 2, "ai_role": "Assistant", "service": {"name": "Gatehouse"}}


def _security_control(row: ExportRow, what: Told) -> dict[str, Any]:
    deciding = next(iter([*row.read.each("reasons"), *row.read.each("findings")]), None)
    policy = None if deciding is None else deciding.text("policy") or None
    rule = None if deciding is None else deciding.text("rule") or None
    return {
        "action_id": what.action,
        "action": ACTIONS[what.action],
        "disposition_id": what.disposition,
        "disposition": DISPOSITIONS[what.disposition],
        "is_alert": what.action in _MODIFIED_OR_DENIED,
        "policy": None
        if policy is None
        else _some(uid=policy, name=policy, version=row.read.text("revision"), is_applied=True),
        "firewall_rule": None if rule is None else _some(uid=rule, name=rule),
    }


def _unmapped(row: ExportRow, include: Collection[Content]) -> dict[str, Any]:
    read = row.read
    return _must(
        log_index=row.log_index,
        first_index=row.first_index,
        kind=read.text("kind"),
        environment=read.text("environment"),
        verdict=read.text("verdict"),
        would_have=read.text("would_have"),
        revision=read.text("revision"),
        serial=read.number("serial"),
        policies=policies_of(row),
        rules=rules_of(row),
        payload_digest=read.text("payload_digest"),
        input=row.input if Content.INPUT in include else None,
    )


def _time_of(row: ExportRow) -> datetime:
    try:
        return parse_time(row.read.text("time") or "")
    except ValueError:
        return row.received_at


def _milliseconds(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(milliseconds=1)


def _in_ms(us: int | None) -> int | None:
    return None if us is None else us // _US_PER_MS


def _as_text(number: int | None) -> str | None:
    return None if number is None else str(number)


def _some(**members: Any) -> dict[str, Any] | None:
    """Return the members that are there; None where there are none."""
    return _must(**members) or None


def _must(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
