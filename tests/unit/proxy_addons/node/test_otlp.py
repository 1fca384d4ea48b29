# SPDX-License-Identifier: Apache-2.0
"""What a node counted, as a collector gets it."""

import asyncio

import pytest
import structlog

from proxy_addons.clients.telemetry import MetricsOut
from proxy_addons.core.series import Histogram
from proxy_addons.node.metrics import FeedContact, Readings
from proxy_addons.node.otlp import NodeMetricsOut
from proxy_addons.node.shipper import SpoolDepth
from proxy_addons.node.status import NodeStatus
from tests.node_collector import attributes_of, running_collector


@pytest.fixture
def collector():
    with running_collector() as collector:
        yield collector


def times(*durations_ns: int) -> list[int]:
    histogram = Histogram()
    for duration_ns in durations_ns:
        histogram.observe(duration_ns)
    return histogram.read()


async def read() -> Readings:
    return Readings(
        status=NodeStatus(
            node_id="node-1",
            environment="production",
            version="0",
            workers=(),
            spool=SpoolDepth(),
            guard_engine="opa",
            rejected_bundle=None,
        ),
        sums={
            ("gatehouse_requests_total", ("chat.completions", "allow", "", "forwarded")): [3],
            ("gatehouse_stage_seconds", ("decide",)): times(60_000, 70_000, 10**12),
        },
        answered=frozenset(),
        starts={},
        hangs={},
        feeds={"bundles": FeedContact(up=True, age_s=None)},
        spool_bytes=7,
    )


def metrics_of(collector) -> dict[str, object]:
    (request,) = collector.metrics
    ((scope,),) = [resource.scope_metrics for resource in request.resource_metrics]
    return {metric.name: metric for metric in scope.metrics}


async def test_sums_gauges_and_histograms_keep_name_labels_and_numbers(collector):
    await NodeMetricsOut(MetricsOut(collector.url, **{"service.instance.id": "node-1"}), read, every_s=60).close()
    found = metrics_of(collector)
    (requests,) = found["gatehouse_requests_total"].sum.data_points
    assert requests.as_double == 3
    assert attributes_of(requests) == {
        "operation": "chat.completions",
        "outcome": "allow",
        "reason": "",
        "verdict": "forwarded",
    }
    assert found["gatehouse_requests_total"].sum.is_monotonic
    assert found["gatehouse_requests_total"].sum.aggregation_temporality == 2
    (spooled,) = found["gatehouse_spool_bytes"].gauge.data_points
    assert (spooled.as_double, found["gatehouse_spool_bytes"].unit) == (7, "By")
    (decided,) = found["gatehouse_stage_seconds"].histogram.data_points
    assert (decided.count, decided.bucket_counts[1], decided.bucket_counts[-1]) == (3, 2, 1)
    assert decided.sum == pytest.approx(1000.00013)
    assert len(decided.bucket_counts) == len(decided.explicit_bounds) + 1
    assert not decided.HasField("min")
    assert "gatehouse_opa_up" not in found
    assert attributes_of(collector.metrics[0].resource_metrics[0].resource)["service.instance.id"] == "node-1"


async def test_numbers_that_cannot_be_gathered_end_nothing(collector):
    async def fail() -> Readings:
        raise RuntimeError("no numbers")

    with structlog.testing.capture_logs() as logged:
        await NodeMetricsOut(MetricsOut(collector.url), fail, every_s=60).close()
    assert [(line["event"], line["error"]) for line in logged] == [("metrics_not_gathered", "RuntimeError")]


async def test_metrics_come_every_so_often_also_past_a_time_without_a_collector(collector):
    collector.answer = 400
    sending = asyncio.create_task(NodeMetricsOut(MetricsOut(collector.url), read, every_s=0.05).run())
    await asyncio.sleep(0.3)
    assert not sending.done()
    collector.answer = 200
    await asyncio.to_thread(collector.until, lambda: len(collector.metrics) >= 2)
    sending.cancel()
