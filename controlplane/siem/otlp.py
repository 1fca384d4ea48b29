# SPDX-License-Identifier: Apache-2.0
"""Messages as OpenTelemetry log records (OTLP 1.x over HTTP, protobuf, `/v1/logs`)."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from controlplane.siem.messages import Message, Severity

# Number and text of the specification's severity table.
_SEVERITIES: Final = {
    Severity.ERROR: (17, "ERROR"),
    Severity.WARNING: (13, "WARN"),
    Severity.NOTICE: (10, "INFO2"),
    Severity.INFO: (9, "INFO"),
}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TRACE_ID_DIGITS: Final = 32


def otlp_logs(messages: Sequence[Message], *, log_name: str, tenant: str, version: str) -> bytes:
    """Return `messages` as an ExportLogsServiceRequest."""
    resource = Resource(
        attributes=[
            _text("service.name", "gatehouse"),
            _text("service.version", version),
            _text("gatehouse.log", log_name),
            _text("gatehouse.tenant", tenant),
        ]
    )
    scope = InstrumentationScope(name="gatehouse.log", version=version)
    records = [_record(message) for message in messages]
    logs = ResourceLogs(resource=resource, scope_logs=[ScopeLogs(scope=scope, log_records=records)])
    encoded: bytes = ExportLogsServiceRequest(resource_logs=[logs]).SerializeToString()
    return encoded


def _record(message: Message) -> LogRecord:
    number, text = _SEVERITIES[message.severity]
    return LogRecord(
        time_unix_nano=_nanoseconds(message.at),
        observed_time_unix_nano=_nanoseconds(message.received_at),
        severity_number=number,  # type: ignore[arg-type]  # the enumeration is open
        severity_text=text,
        event_name=f"gatehouse.{message.kind}",
        body=AnyValue(string_value=message.text.decode("ascii")),
        attributes=[
            KeyValue(key="gatehouse.log_index", value=AnyValue(int_value=message.log_index)),
            *(_text(f"gatehouse.{name}", value) for name, value in message.attributes.items()),
        ],
        trace_id=_trace_id(message.trace_id),
    )


def _text(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))


def _nanoseconds(at: datetime) -> int:
    since = at - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1000


def _trace_id(text: str | None) -> bytes:
    if text is None or len(text) != _TRACE_ID_DIGITS:
        return b""
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""
