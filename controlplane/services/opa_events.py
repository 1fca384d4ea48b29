# SPDX-License-Identifier: Apache-2.0
"""Read what a stock OPA says of a decision (its decision log plugin) into an entry of the log.

Rules: the envelope holds identifiers, revisions, the outcome and counts. Input, result and whatever else may be
personal stand in the payload, under its salted digest. An event that cannot be read is put aside, never refused: OPA
would send it again for ever.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from controlplane.services.records import EntryKind, ReceivedRecord
from controlplane.services.times import format_time, parse_time
from policies.contracts.codec import JSON, canonical_bytes
from policies.contracts.record import MAX_ENVELOPE_BYTES, RecordOutcome

SCHEMA: Final = "gatehouse.opa/1"
_MAX_PAYLOAD_BYTES: Final = 1024 * 1024
_MOST_LISTED: Final = 16
_LONGEST: Final = 256
_EXACT: Final = 2**53 - 1
_MANIFEST_REVISION: Final = re.compile(r"(\d{1,15})\+(sha256:[0-9a-f]{64})", re.ASCII)


class UnreadableEvent(Exception):
    """The event can never become an entry. `reason` is a kebab-case code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def read_event(
    event: Any, *, tenant: str, environment: str, new_id: Callable[[], str], salt: str
) -> tuple[tuple[str, str], ReceivedRecord]:
    """Return who made the decision (OPA's label `id`, the decision's id), and the entry. Raises UnreadableEvent."""
    if not isinstance(event, dict):
        raise UnreadableEvent("event-not-object")
    labels = event.get("labels")
    instance = _name(labels.get("id")) if isinstance(labels, dict) else None
    decision_id = _name(event.get("decision_id"))
    if instance is None or decision_id is None or not isinstance(labels, dict):
        raise UnreadableEvent("event-without-id")
    try:
        at = parse_time(event["timestamp"])
    except (KeyError, TypeError, ValueError) as exc:
        raise UnreadableEvent("event-without-time") from exc
    payload, whole = _payload(event, salt)
    outcome = _outcome(event)
    record_id = new_id()
    bundles = _bundles(event)
    serial, revision = _ours(bundles)
    envelope: dict[str, JSON] = {
        "schema": SCHEMA,
        "kind": EntryKind.OPA.value,
        "record_id": record_id,
        "tenant": tenant,
        "environment": environment,
        "source": None,
        "time": format_time(at),
        "opa": {"id": instance, "version": _word(labels.get("version"))},
        "decision_id": decision_id,
        "path": _word(event.get("path")),
        "trace_id": _word(event.get("trace_id")),
        "span_id": _word(event.get("span_id")),
        "request_number": _number(event.get("req_id")),
        "bundles": bundles,
        # What a decision of a proxy has, so that both are read alike.
        "request_id": None,
        "subject": None,
        "action": None,
        "resource": None,
        "http": None,
        "revision": revision,
        "serial": serial,
        "engines": [],
        "outcome": outcome,
        "verdict": None,
        "reasons": [],
        "would_have": None,
        "obligations": [],
        "findings": [],
        "error": _word(event["error"].get("code")) if isinstance(event.get("error"), dict) else None,
        "erased": _pointers(event.get("erased")),
        "masked": _pointers(event.get("masked")),
        "evaluation_ns": _evaluation_ns(event.get("metrics")),
        "payload_whole": whole,
        "payload_digest": "sha256:" + hashlib.sha256(payload).hexdigest(),
    }
    content = canonical_bytes(envelope)
    if len(content) > MAX_ENVELOPE_BYTES:
        raise UnreadableEvent("envelope-too-large")
    return (instance, decision_id), _received(envelope, content, payload, at)


def _received(envelope: Mapping[str, Any], content: bytes, payload: bytes, at: datetime) -> ReceivedRecord:
    return ReceivedRecord(
        tenant=envelope["tenant"],
        environment=envelope["environment"],
        source_id=None,
        boot_id=None,
        seq=None,
        record_id=envelope["record_id"],
        request_id=None,
        kind=EntryKind.OPA,
        time=at,
        envelope=content,
        leaf_hash=hashlib.sha256(b"\0" + content).digest(),
        payload=payload,
        members=envelope,
    )


def _payload(event: Mapping[str, Any], salt: str) -> tuple[bytes, bool]:
    """Return the erasable part, and whether it is all that OPA sent: what is too large is kept without its content."""
    names = (
        "input",
        "result",
        "mapped_result",
        "query",
        "nd_builtin_cache",
        "requested_by",
        "request_context",
        "labels",
    )
    held = {name: event[name] for name in names if name in event}
    try:
        content = _encoded({"subject": None, **held, "salt": salt})
    except (ValueError, RecursionError) as exc:
        raise UnreadableEvent("event-not-json") from exc
    if len(content) <= _MAX_PAYLOAD_BYTES:
        return content, True
    digest = hashlib.sha256(content).hexdigest()
    return _encoded({"subject": None, "input": None, "left_out_digest": f"sha256:{digest}", "salt": salt}), False


def _encoded(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False).encode()


def _outcome(event: Mapping[str, Any]) -> str | None:
    """Return what the decision came to, None where its result does not say so by itself."""
    if event.get("error"):
        return RecordOutcome.ERROR_DENY.value
    if "result" not in event:
        return RecordOutcome.DENY.value  # undefined: nothing allowed it
    match event["result"]:
        case bool() as allowed:
            pass
        case {"allow": bool() as allowed}:
            pass
        case {"decision": bool() as allowed}:
            pass
        case _:
            return None
    return (RecordOutcome.ALLOW if allowed else RecordOutcome.DENY).value


def _bundles(event: Mapping[str, Any]) -> list[dict[str, str | None]]:
    """Return every bundle that was loaded, by name with its revision; the member of OPA before 0.11 counts as one."""
    found = event.get("bundles")
    named = found.items() if isinstance(found, dict) else ()
    listed = [
        {"name": _word(name), "revision": _word(bundle.get("revision"))}
        for name, bundle in sorted(named)
        if isinstance(bundle, dict)
    ]
    if not listed and event.get("revision"):
        listed = [{"name": None, "revision": _word(event["revision"])}]
    return listed[:_MOST_LISTED]


def _ours(bundles: Sequence[Mapping[str, str | None]]) -> tuple[int | None, str | None]:
    """Return serial and revision of the one bundle of ours that was loaded (`docs/spec/bundle.md`), if there is one."""
    found = [named for bundle in bundles if (named := _MANIFEST_REVISION.fullmatch(bundle["revision"] or ""))]
    return (int(found[0][1]), found[0][2]) if len(found) == 1 else (None, None)


def _evaluation_ns(metrics: Any) -> int | None:
    return _number(metrics.get("timer_rego_query_eval_ns")) if isinstance(metrics, dict) else None


def _pointers(given: Any) -> list[JSON]:
    return [_word(pointer) for pointer in given[:_MOST_LISTED]] if isinstance(given, list) else []


def _name(value: Any) -> str | None:
    is_name = isinstance(value, str) and 0 < len(value) <= _LONGEST and value.isascii() and value.isprintable()
    return value if is_name else None


def _word(value: Any) -> str | None:
    """Return a text as the envelope may have it: bounded, and without what has no canonical form."""
    if not isinstance(value, str):
        return None
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in value[:_LONGEST])


def _number(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value <= _EXACT else None
