# SPDX-License-Identifier: Apache-2.0
import logging
from dataclasses import replace

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from structlog.testing import capture_logs

from controlplane import tracing
from controlplane.observed import ServedRequest
from controlplane.tracing import Tracing
from tests.otlp import attributes, collector

TRACE, PARENT = "a1" * 16, "b2" * 8
SERVED = ServedRequest(
    method="GET",
    route="/v1/agents/{node_id}",
    status=200,
    started_ns=1_700_000_000_000_000_000,
    ended_ns=1_700_000_000_250_000_000,
    traceparent=f"00-{TRACE}-{PARENT}-01",
)


@pytest.fixture(autouse=True)
def library_speaks_again():
    logger = logging.getLogger("opentelemetry")
    before = logger.level
    yield
    logger.setLevel(before)


def exported(*served: ServedRequest) -> list[Span]:
    with collector() as found:
        traces = Tracing(found.url + "/")
        for one in served:
            traces(one)
        traces.close()
        assert set(found.paths) <= {"/v1/traces"}
        return found.spans()


def test_a_request_is_one_span_of_a_server():
    (span,) = exported(SERVED)
    assert span.kind == Span.SPAN_KIND_SERVER
    assert span.name == "GET /v1/agents/{node_id}"
    assert attributes(span) == {
        "http.request.method": "GET",
        "http.route": "/v1/agents/{node_id}",
        "http.response.status_code": 200,
    }
    assert (span.start_time_unix_nano, span.end_time_unix_nano) == (SERVED.started_ns, SERVED.ended_ns)
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
    assert span.status.code == Status.STATUS_CODE_UNSET


@pytest.mark.parametrize("traceparent", [None, "", "CANARY", f"00-{'0' * 32}-{PARENT}-01", f"ff-{TRACE}-{PARENT}-01"])
def test_without_a_parent_that_is_one_a_span_begins_a_trace(traceparent):
    (span,) = exported(replace(SERVED, traceparent=traceparent))
    assert span.parent_span_id == b""
    assert any(span.trace_id)
    assert "CANARY" not in str(span)


def test_a_caller_may_say_that_its_trace_is_not_kept():
    assert exported(replace(SERVED, traceparent=f"00-{TRACE}-{PARENT}-00")) == []


def test_a_failure_of_ours_is_an_error():
    (span,) = exported(replace(SERVED, status=503))
    assert span.status.code == Status.STATUS_CODE_ERROR
    assert span.status.message == ""
    assert attributes(span)["error.type"] == "503"


def test_a_request_without_route_and_answer_has_neither():
    (span,) = exported(replace(SERVED, method="_OTHER", route="unmatched", status=None))
    assert span.name == "HTTP"
    assert attributes(span) == {"http.request.method": "_OTHER"}


def test_variables_of_opentelemetry_add_nothing_to_a_span(monkeypatch):
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "a=CANARY")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "CANARY")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    with collector() as found:
        traces = Tracing(found.url)
        traces(SERVED)
        traces.close()
        assert len(found.spans()) == 1
        assert "CANARY" not in str(found.requests())
        assert "gatehouse-controlplane" in str(found.requests())


def test_a_collector_that_refuses_is_told_of_once(monkeypatch, caplog):
    monkeypatch.setattr(tracing, "_BATCH", 1)
    with collector(status=400) as found, capture_logs() as logs:
        traces = Tracing(found.url)
        for _ in range(5):
            traces(SERVED)
        traces.close()
        assert len(found.bodies) > 1
    assert [(one["event"], one["log_level"]) for one in logs] == [("traces_not_exported", "warning")]
    assert not caplog.records


def test_requests_without_end_fill_no_more_than_the_queue(monkeypatch, unused_tcp_port):
    monkeypatch.setattr(tracing, "_QUEUE", 8)
    monkeypatch.setattr(tracing, "_BATCH", 8)
    traces = Tracing(f"http://127.0.0.1:{unused_tcp_port}")
    for _ in range(1000):
        traces(SERVED)
    (processor,) = traces._provider._active_span_processor._span_processors
    assert len(processor._batch_processor._queue) <= 8
    traces._exporter.give_up_at(0)
    traces.close()
