# SPDX-License-Identifier: Apache-2.0
"""The SDK as a worker uses it, against a collector on the loopback address."""

import socket
import time

import pytest
import structlog
from opentelemetry import trace

from proxy_addons.clients import telemetry
from proxy_addons.clients.telemetry import MetricsOut, Tracing, in_thread, resource_of
from proxy_addons.core.trace_context import TraceParent
from proxy_addons.settings import SettingInvalid
from tests.node_collector import attributes_of, running_collector

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture
def collector():
    with running_collector() as collector:
        yield collector


def parent(*, sampled: bool) -> TraceParent:
    return TraceParent(trace_id=TRACE, span_id=SPAN, sampled=sampled, state=b"vendor=canary")


async def test_a_span_has_its_parent_kind_times_and_status(collector):
    tracing = Tracing(collector.url, node="n")
    started_ns = time.monotonic_ns() - 2_000_000_000
    span = tracing.begin("POST /v1/x", parent(sampled=True), started_ns)
    span.end({"a": 1}, now_ns=started_ns + 1_500_000_000, failed=True)
    await tracing.close()
    (exported,) = collector.spans
    assert (exported.name, exported.kind, exported.status.code) == ("POST /v1/x", 2, 2)
    assert (exported.trace_id.hex(), exported.parent_span_id.hex()) == (TRACE, SPAN) == (span.trace_id, SPAN)
    assert exported.span_id.hex() == span.span_id
    assert exported.end_time_unix_nano - exported.start_time_unix_nano == 1_500_000_000
    assert abs(time.time_ns() - exported.start_time_unix_nano - 2_000_000_000) < 1_000_000_000
    assert attributes_of(exported) == {"a": 1}
    assert not [body for body in collector.raw if b"canary" in body]


async def test_sampling_follows_the_parent(collector):
    tracing = Tracing(collector.url)
    assert tracing.begin("HTTP", parent(sampled=False), time.monotonic_ns()) is None
    assert tracing.begin("HTTP", None, time.monotonic_ns()) is not None
    await tracing.close()


async def test_an_operator_samples_and_names_by_standard_variables(collector, monkeypatch):
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.namespace=shop,service.instance.id=theirs")
    tracing = Tracing(collector.url)
    assert tracing.begin("HTTP", parent(sampled=True), time.monotonic_ns()) is None
    await tracing.close()
    named = resource_of(**{"service.instance.id": "node-1/w0"}).attributes
    assert (named["service.name"], named["service.namespace"]) == ("gatehouse-proxy", "shop")
    assert named["service.instance.id"] == "theirs"


@pytest.mark.parametrize("opened", [Tracing, MetricsOut])
def test_a_variable_that_the_sdk_cannot_use_ends_the_start(monkeypatch, opened):
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "many")
    with pytest.raises(SettingInvalid, match="OTEL_"):
        opened("http://127.0.0.1:4318")


async def test_nothing_global_is_set(collector):
    before = trace.get_tracer_provider()
    await Tracing(collector.url).close()
    assert trace.get_tracer_provider() is before
    assert not trace.get_current_span().is_recording()


async def test_a_collector_that_is_away_is_told_once_and_once_when_it_is_back(collector, monkeypatch, capfd):
    monkeypatch.setattr(telemetry, "_EXPORT_EVERY_S", 0.05)
    monkeypatch.setattr(telemetry, "EXPORT_S", 0.3)
    collector.answer = 400
    with structlog.testing.capture_logs() as logged:
        structlog.contextvars.bind_contextvars(slot=3)
        tracing = Tracing(collector.url)

        def span():
            tracing.begin("HTTP", None, time.monotonic_ns()).end({}, now_ns=time.monotonic_ns(), failed=False)

        def told(event):
            return [line for line in logged if line["event"] == event]

        span()
        collector.until(lambda: told("telemetry_not_exported"))
        for _ in range(3):
            span()
            time.sleep(0.1)
        collector.answer = 200
        span()
        collector.until(lambda: told("telemetry_exported_again"))
        await tracing.close()
    structlog.contextvars.clear_contextvars()
    (failing,) = told("telemetry_not_exported")
    assert (failing["signal"], failing["slot"]) == ("traces", 3)
    assert capfd.readouterr().err == ""


async def test_closing_does_not_wait_for_a_collector_that_never_answers(monkeypatch):
    monkeypatch.setattr(telemetry, "CLOSE_S", 0.2)
    monkeypatch.setattr(telemetry, "EXPORT_S", 2.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        tracing = Tracing(f"http://127.0.0.1:{silent.getsockname()[1]}")
        tracing.begin("HTTP", None, time.monotonic_ns()).end({}, now_ns=time.monotonic_ns(), failed=False)
        with structlog.testing.capture_logs() as logged:
            await tracing.close()
    assert [line["event"] for line in logged] == ["telemetry_abandoned"]


async def test_a_thread_that_fails_is_not_waited_for():
    ran = []
    await in_thread(lambda: ran.append(1), within_s=5)
    assert ran == [1]
