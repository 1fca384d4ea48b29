# SPDX-License-Identifier: Apache-2.0
"""Log records, read back by OpenTelemetry's own types."""

from datetime import timedelta

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from controlplane.siem.messages import Severity
from controlplane.siem.otlp import otlp_logs
from tests.records import NOON
from tests.siem import make_message


def records(*messages):
    sent = otlp_logs(messages, log_name="gate.local", tenant="acme", version="1")
    (logs,) = ExportLogsServiceRequest.FromString(sent).resource_logs
    return logs, list(logs.scope_logs[0].log_records)


def test_a_record_says_what_when_and_where():
    message = make_message(
        severity=Severity.ERROR,
        attributes={"outcome": "error_deny"},
        trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
        received_at=NOON + timedelta(microseconds=5),
    )
    logs, (record,) = records(message)
    assert record.event_name == "gatehouse.terminal"
    assert (record.severity_number, record.severity_text) == (17, "ERROR")
    assert record.body.string_value == '{"kind":"terminal"}'
    assert record.observed_time_unix_nano - record.time_unix_nano == 5000
    assert record.time_unix_nano == int(NOON.timestamp()) * 10**9
    assert record.trace_id.hex() == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert {pair.key: pair.value.string_value or pair.value.int_value for pair in record.attributes} == {
        "gatehouse.log_index": 7,
        "gatehouse.outcome": "error_deny",
    }
    assert {pair.key: pair.value.string_value for pair in logs.resource.attributes}["gatehouse.tenant"] == "acme"


@pytest.mark.parametrize("trace_id", [None, "", "short", "g" * 32])
def test_what_is_no_trace_id_is_left_out(trace_id):
    assert records(make_message(trace_id=trace_id))[1][0].trace_id == b""
