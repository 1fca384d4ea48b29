# SPDX-License-Identifier: Apache-2.0
"""The page `/metrics`: what workers counted and what the node knows, as Prometheus' text."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from proxy_addons.core.series import BUCKETS_S
from proxy_addons.node.metric_families import FAMILIES, Family, Kind
from proxy_addons.node.status import NodeStatus
from proxy_addons.node.totals import Sums

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
NS: Final = 1e9

SeriesOfFamily: TypeAlias = list[tuple[tuple[str, ...], list[float]]]
"""The label values of each series of one family, and its numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedContact:
    """Whether the control plane answered the last question of a feed, and how long ago it last did."""

    up: bool
    age_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """Everything the page is made of. `answered` has the slots whose worker answered; `opa_up` None: there is none."""

    status: NodeStatus
    sums: Sums
    answered: frozenset[int]
    starts: Mapping[int, int]
    hangs: Mapping[int, int]
    feeds: Mapping[str, FeedContact]
    spool_bytes: int
    requests_lost: int = 0
    opa_up: bool | None = field(default=None)


def exposition(readings: Readings) -> bytes:
    """Return the page. A family is there even where it has no series yet."""
    series = by_family(readings)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected([_metric(family, series[family.name]) for family in FAMILIES]))
    return generate_latest(registry)


def by_family(readings: Readings) -> Mapping[str, SeriesOfFamily]:
    """Return every series by its family's name; a family that has none yet is empty."""
    values = readings.sums | {key: [number] for key, number in _of_node(readings).items()}
    by_name: dict[str, SeriesOfFamily] = defaultdict(list)
    for (name, labels), numbers in sorted(values.items()):
        by_name[name].append((labels, [float(number) for number in numbers]))
    return by_name


class _Collected:
    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def _metric(family: Family, series: SeriesOfFamily) -> Metric:
    match family.kind:
        case Kind.COUNTER:
            counter = CounterMetricFamily(family.name, family.meaning, labels=family.labels)
            for labels, (number,) in series:
                counter.add_metric(labels, number)
            return counter
        case Kind.GAUGE:
            gauge = GaugeMetricFamily(family.name, family.meaning, labels=family.labels)
            for labels, (number,) in series:
                gauge.add_metric(labels, number)
            return gauge
        case Kind.HISTOGRAM:
            histogram = HistogramMetricFamily(family.name, family.meaning, labels=family.labels)
            for labels, (*counts, sum_ns) in series:
                histogram.add_metric(labels, _cumulative(counts), sum_ns / NS)
            return histogram


def _cumulative(counts: list[float]) -> list[tuple[str, float]]:
    bounds = [*(repr(bound) for bound in BUCKETS_S), "+Inf"]
    total, buckets = 0.0, []
    for bound, count in zip(bounds, counts, strict=True):
        total += count
        buckets.append((bound, total))
    return buckets


def _of_node(readings: Readings) -> dict[tuple[str, tuple[str, ...]], float]:
    status = readings.status
    values: dict[tuple[str, tuple[str, ...]], float] = {
        ("gatehouse_spool_records", ()): status.spool.records,
        ("gatehouse_spool_bytes", ()): readings.spool_bytes,
        ("gatehouse_spool_oldest_seconds", ()): status.spool.oldest_s,
        ("gatehouse_records_shipped_total", ()): status.spool.shipped,
        ("gatehouse_policy_stale", ()): status.stale,
        ("gatehouse_policy_stale_refused", ()): status.refusing,
        ("gatehouse_shipping_refused", ()): status.spool.refused,
        ("gatehouse_records_set_aside", ()): status.spool.set_aside,
        ("gatehouse_spool_corrupt_total", ()): status.spool.corrupt,
        ("gatehouse_requests_lost_total", ()): readings.requests_lost,
    }
    if status.environment_number is not None:
        values["gatehouse_environment_number", ()] = status.environment_number
    if status.environment_rejected is not None:
        values["gatehouse_environment_rejected", (status.environment_rejected,)] = 1
    if status.rejected_bundle is not None:
        values["gatehouse_policy_rejected", (status.rejected_bundle.code,)] = 1
    for name, contact in readings.feeds.items():
        values["gatehouse_feed_up", (name,)] = contact.up
        if contact.age_s is not None:
            values["gatehouse_feed_age_seconds", (name,)] = contact.age_s
    if readings.opa_up is not None:
        values["gatehouse_opa_up", ()] = readings.opa_up
    return values | _of_workers(readings)


def _of_workers(readings: Readings) -> dict[tuple[str, tuple[str, ...]], float]:
    values: dict[tuple[str, tuple[str, ...]], float] = {}
    for worker in readings.status.workers:
        slot = (str(worker.slot),)
        values["gatehouse_worker_up", slot] = worker.slot in readings.answered
        values["gatehouse_worker_ready", slot] = worker.ready
        values["gatehouse_worker_starts_total", slot] = readings.starts.get(worker.slot, 0)
        values["gatehouse_worker_hangs_total", slot] = readings.hangs.get(worker.slot, 0)
        if worker.serial is not None:
            values["gatehouse_policy_serial", slot] = worker.serial
        if worker.candidate_serial is not None:
            values["gatehouse_candidate_serial", slot] = worker.candidate_serial
        if worker.revision is not None:
            values["gatehouse_policy_info", (*slot, worker.revision)] = 1
        if worker.epoch is not None:
            values["gatehouse_credentials_epoch", slot] = worker.epoch
        if worker.revocations_epoch is not None:
            values["gatehouse_revocations_epoch", slot] = worker.revocations_epoch
    return values
