# SPDX-License-Identifier: Apache-2.0
"""An entry of the log as a message for a sink: what every protocol wants to know of it, and its text."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any, Final

import orjson

from controlplane.services.records import LogEntry
from controlplane.services.times import parse_time

_ATTRIBUTES: Final = ("record_id", "request_id", "environment", "outcome", "verdict", "revision")
_UNKNOWN_TIME: Final = "1970-01-01T00:00:00Z"


class Severity(IntEnum):
    """Syslog's severities (RFC 5424, table 2), as far as entries have them."""

    ERROR = 3
    WARNING = 4
    NOTICE = 5
    INFO = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One entry on its way. `text` is ASCII JSON of one line; `attributes` are identifiers and codes, never content."""

    log_index: int
    kind: str
    at: datetime
    received_at: datetime
    severity: Severity
    attributes: Mapping[str, str]
    trace_id: str | None
    text: bytes


def read_envelope(envelope: bytes) -> dict[str, Any]:
    """Return an envelope as a value."""
    return dict(orjson.loads(envelope))


def message_of(entry: LogEntry, envelope: Mapping[str, Any], text: bytes) -> Message:
    """Return the message of `entry`, whose envelope was read as `envelope` and is to be sent as `text`."""
    named = {name: envelope.get(name) for name in _ATTRIBUTES}
    attributes = {name: value for name, value in named.items() if isinstance(value, str) and value}
    reasons = [reason.get("code") for reason in envelope.get("reasons") or () if isinstance(reason, dict)]
    if reasons:
        attributes["reasons"] = ",".join(str(code) for code in reasons)
    trace_id = envelope.get("trace_id")
    at = parse_time(str(envelope.get("time") or _UNKNOWN_TIME))
    kind = entry.kind or "unknown"
    return Message(
        log_index=entry.log_index,
        kind=kind,
        at=at,
        received_at=entry.received_at or at,
        severity=_severity(kind, envelope),
        attributes=attributes,
        trace_id=trace_id if isinstance(trace_id, str) else None,
        text=text,
    )


def _severity(kind: str, envelope: Mapping[str, Any]) -> Severity:
    if kind in {"gap", "loss"} or envelope.get("outcome") == "error_deny":
        return Severity.ERROR
    if envelope.get("outcome") == "deny":
        return Severity.WARNING
    return Severity.NOTICE if kind == "admin" or envelope.get("would_have") else Severity.INFO
