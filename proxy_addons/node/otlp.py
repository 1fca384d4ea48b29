# SPDX-License-Identifier: Apache-2.0
"""A node's metrics as OpenTelemetry's: the numbers of the page `/metrics`, under the same names, sent every so often.

Theory: the SDK's instruments count within one process, and workers have counted already. So its data points are made
of what was gathered: sums and histograms since the node's start, and gauges. The node imports the SDK only here, and
this only where an operator named a collector.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import structlog
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)

from proxy_addons.clients.telemetry import CLOSE_S, EXPORT_S, MetricsOut
from proxy_addons.core.series import BUCKETS_S
from proxy_addons.node.metric_families import FAMILIES, Family, Kind
from proxy_addons.node.metrics import NS, Readings, SeriesOfFamily, by_family

_log: Final = structlog.get_logger()
_SCHEMA_URL: Final = ""


class NodeMetricsOut:
    """Sends what `read` gives, until it is cancelled; `close` sends it a last time."""

    def __init__(self, out: MetricsOut, read: Callable[[], Awaitable[Readings]], *, every_s: float) -> None:
        self._out = out
        self._read = read
        self._every_s = every_s
        self._started_ns = time.time_ns()

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            await self._send(3 * EXPORT_S)  # the exporter gives up earlier, and says so

    async def close(self) -> None:
        await self._send(CLOSE_S)

    async def _send(self, within_s: float) -> None:
        try:
            await self._out.export(await self._metrics(), within_s=within_s)
        except Exception as exc:  # noqa: BLE001  # a task that fails ends the node, and this one does nothing for requests
            _log.error("metrics_not_gathered", error=type(exc).__name__)

    async def _metrics(self) -> MetricsData:
        series = by_family(await self._read())
        now_ns = time.time_ns()
        metrics = [_metric(family, series[family.name], self._started_ns, now_ns) for family in FAMILIES]
        scope = ScopeMetrics(self._out.scope, [each for each in metrics if each.data.data_points], _SCHEMA_URL)
        return MetricsData([ResourceMetrics(self._out.resource, [scope], _SCHEMA_URL)])


def _metric(family: Family, series: SeriesOfFamily, started_ns: int, now_ns: int) -> Metric:
    data: Sum | Gauge | Histogram
    match family.kind:
        case Kind.COUNTER:
            counts = [_number(family, labels, numbers, started_ns, now_ns) for labels, numbers in series]
            data = Sum(counts, AggregationTemporality.CUMULATIVE, is_monotonic=True)
        case Kind.GAUGE:
            data = Gauge([_number(family, labels, numbers, None, now_ns) for labels, numbers in series])
        case Kind.HISTOGRAM:
            points = [_histogram(family, labels, numbers, started_ns, now_ns) for labels, numbers in series]
            data = Histogram(points, AggregationTemporality.CUMULATIVE)
    return Metric(family.name, family.meaning, _unit(family), data)


def _number(
    family: Family, labels: Sequence[str], numbers: Sequence[float], started_ns: int | None, now_ns: int
) -> NumberDataPoint:
    (number,) = numbers
    return NumberDataPoint(_labelled(family, labels), started_ns or 0, now_ns, number)


def _histogram(
    family: Family, labels: Sequence[str], numbers: Sequence[float], started_ns: int, now_ns: int
) -> HistogramDataPoint:
    *counts, sum_ns = numbers
    buckets = [int(count) for count in counts]
    return HistogramDataPoint(
        _labelled(family, labels),
        started_ns,
        now_ns,
        count=sum(buckets),
        sum=sum_ns / NS,
        bucket_counts=buckets,
        explicit_bounds=BUCKETS_S,
        min=None,  # type: ignore[arg-type]  # optional in OTLP; of a sum over workers nobody knows it
        max=None,  # type: ignore[arg-type]
    )


def _labelled(family: Family, labels: Sequence[str]) -> Mapping[str, str]:
    return dict(zip(family.labels, labels, strict=True))


def _unit(family: Family) -> str:
    for ending, unit in (("_seconds", "s"), ("_bytes", "By"), ("_bytes_total", "By")):
        if family.name.endswith(ending):
            return unit
    return "1"
