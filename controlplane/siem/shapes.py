# SPDX-License-Identifier: Apache-2.0
"""The text of an entry for a sink: one line of ASCII JSON, as the log has it or in the words of a schema.

OCSF and ECS have words for a decision, and the same ones as an export has. For what else is in the log, a gap or an
act of administration, both have their general event, with the entry as it is beside it.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from controlplane.exports import ecs, ocsf
from controlplane.exports.rows import ExportRow
from controlplane.services.records import EntryKind, LogEntry
from controlplane.services.times import format_time, parse_time
from controlplane.siem.sinks import Shape

Writer = Callable[[LogEntry, Mapping[str, Any]], bytes]

_DECISIONS: Final = frozenset({EntryKind.ADMISSION, EntryKind.TERMINAL})
_ALARMS: Final = frozenset({EntryKind.GAP, EntryKind.LOSS})
# OCSF's Base Event, and its severities for what is an alarm and what is not.
_BASE_EVENT: Final = {"category_uid": 0, "class_uid": 0, "activity_id": 99, "type_uid": 99}
_HIGH, _INFORMATIONAL = 4, 1


def writer_of(shape: Shape) -> Writer:
    """Return what writes entries in `shape`. An envelope MUST be there."""
    match shape:
        case Shape.RECORD:
            return _record
        case Shape.OCSF:
            return _ocsf
        case Shape.ECS:
            return _ecs


def _record(entry: LogEntry, envelope: Mapping[str, Any]) -> bytes:
    return _line(_named(entry) | {"entry": envelope})


def _ocsf(entry: LogEntry, envelope: Mapping[str, Any]) -> bytes:
    if entry.kind in _DECISIONS:
        return _line(ocsf.event_of(_row(entry)))
    at = parse_time(str(envelope["time"]))
    return _line(
        _BASE_EVENT
        | {
            "time": int(at.timestamp() * 1000),
            "severity_id": _HIGH if entry.kind in _ALARMS else _INFORMATIONAL,
            "activity_name": entry.kind,
            "metadata": {
                "version": ocsf.SCHEMA_VERSION,
                "uid": envelope.get("record_id"),
                "sequence": entry.log_index,
                "product": {"name": "Gatehouse", "vendor_name": "Gatehouse"},
            },
            "unmapped": envelope,
        }
    )


def _ecs(entry: LogEntry, envelope: Mapping[str, Any]) -> bytes:
    if entry.kind in _DECISIONS:
        return _line(ecs.document_of(_row(entry)))
    return _line(
        {
            "@timestamp": envelope["time"],
            "ecs": {"version": ecs.ECS_VERSION},
            "event": {
                "kind": "alert" if entry.kind in _ALARMS else "event",
                "dataset": "gatehouse.log",
                "module": "gatehouse",
                "action": envelope.get("action") or entry.kind,
                "id": envelope.get("record_id"),
                "sequence": entry.log_index,
            },
            "gatehouse": envelope,
        }
    )


def _row(entry: LogEntry) -> ExportRow:
    if entry.envelope is None or entry.received_at is None:
        raise ValueError("an entry that retention dropped cannot be written")
    return ExportRow(
        log_index=entry.log_index,
        first_index=entry.log_index,
        received_at=entry.received_at,
        envelope=entry.envelope,
    )


def _named(entry: LogEntry) -> dict[str, Any]:
    received_at = None if entry.received_at is None else format_time(entry.received_at)
    return {"log_index": entry.log_index, "kind": entry.kind, "received_at": received_at}


def _line(value: Any) -> bytes:
    # ASCII, so that no protocol has to know of encodings, and no letter ends a line anywhere.
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")
