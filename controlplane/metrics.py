# SPDX-License-Identifier: Apache-2.0
"""What the control plane counts of itself, and the page that Prometheus reads. No label has a word of a client."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from importlib.metadata import version
from typing import Final, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from controlplane import metric_families as families
from controlplane.metric_families import Family
from controlplane.services.errors import Refused, StoreUnavailable
from controlplane.services.fleet import EnvironmentReading
from controlplane.services.posture import CHECKS
from controlplane.services.records import Gap, Ingested
from controlplane.services.rollout import Rollout
from controlplane.services.sequencing import LogStatus
from controlplane.siem.pusher import Lag

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
# From an indexed read to a parked feed, which is held for 30 s.
_BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 31.0, 60.0)

Readings = Callable[[], Iterable[EnvironmentReading]]
Lags = Callable[[], Mapping[str, Lag]]


class Sequencing(Protocol):
    """Whoever may sign the log in this process."""

    @property
    def leads(self) -> bool: ...
    def status(self) -> Iterable[LogStatus]: ...


class Metrics:
    """Counts from any thread. One for each control plane: nothing is registered process-wide."""

    def __init__(self) -> None:
        self._counted = CollectorRegistry(auto_describe=False)
        self._requests = self._counter(families.REQUESTS)
        self._seconds = Histogram(
            families.REQUEST_SECONDS.name,
            families.REQUEST_SECONDS.meaning,
            families.REQUEST_SECONDS.labels,
            buckets=_BUCKETS_S,
            registry=self._counted,
        )
        self._records = self._counter(families.RECORDS)
        self._missing = Counter(families.MISSING_RECORDS.name, families.MISSING_RECORDS.meaning, registry=self._counted)
        self._waiters = Gauge(families.FEED_WAITERS.name, families.FEED_WAITERS.meaning, registry=self._counted)
        self._releases = self._counter(families.RELEASES)
        self._activations = self._counter(families.ACTIVATIONS)
        self._steps = self._counter(families.ACTIVATION_STEPS)
        self._glass_reviews = self._counter(families.BREAK_GLASS_REVIEWS)
        self._break_glass = Counter(families.BREAK_GLASS.name, families.BREAK_GLASS.meaning, registry=self._counted)
        self._lags: Lags = dict
        self._sequencer: Sequencing | None = None

    def served(self, *, method: str, route: str, status: int | None, seconds: float) -> None:
        """Count a request that ended. `method` and `route` MUST be of closed sets: they become labels."""
        self._requests.labels(method, route, "none" if status is None else f"{status // 100}xx").inc()
        self._seconds.labels(method, route).observe(seconds)

    def ingested(self, lines: Ingested) -> None:
        self._records.labels("stored").inc(lines.stored)
        self._records.labels("duplicate").inc(lines.duplicates)
        self._records.labels("quarantined").inc(lines.quarantined)
        self.missing(lines.gaps)

    def missing(self, gaps: Iterable[Gap]) -> None:
        for gap in gaps:
            self._missing.inc(gap.count)

    def watch_sequencer(self, sequencer: Sequencing) -> None:
        """Show what `sequencer` signs and refuses to sign on every page."""
        self._sequencer = sequencer

    def watch_sinks(self, lags: Lags) -> None:
        """Show what `lags` says, by sink, on every page."""
        self._lags = lags

    def waiting(self) -> AbstractContextManager[None]:
        """Count one parked request for as long as the context is open."""
        return self._waiters.track_inprogress()

    def glass_reviewed(self, *, approved: bool) -> None:
        self._glass_reviews.labels("approved" if approved else "rejected").inc()

    def release(self) -> AbstractContextManager[None]:
        """Count how the making of a release within the context ends."""
        return _outcome(self._releases)

    def activation(self) -> AbstractContextManager[None]:
        """Count how the activation within the context ends."""
        return _outcome(self._activations)

    def activation_moved(self, rollout: Rollout) -> None:
        """Count a step of an activation by the state that it reached."""
        self._steps.labels(rollout.state.value).inc()

    def glass_broken(self) -> None:
        """Count an activation by break-glass."""
        self._break_glass.inc()

    def page(self, readings: Readings) -> bytes:
        """Return what was counted and what `readings` says now; without the latter where the store does not answer."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Collected([*self._counters(), *_read(readings), *_sinks(self._lags()), *self._log()]))
        return generate_latest(registry)

    def _log(self) -> Iterator[Metric]:
        logs = () if self._sequencer is None else self._sequencer.status()
        signed = [(log.tenant, log.size, log.signed_at) for log in logs]
        yield _gauge(families.LOG_LEADER, {(): self._sequencer is not None and self._sequencer.leads})
        yield _gauge(families.LOG_SIGNED_ENTRIES, {(tenant,): size for tenant, size, at in signed if at})
        yield _gauge(families.LOG_SIGNED_AT, {(tenant,): at.timestamp() for tenant, _, at in signed if at})
        yield _gauge(families.LOG_ALTERED, {(log.tenant,): log.altered is not None for log in logs})

    def _counter(self, family: Family) -> Counter:
        return Counter(family.name, family.meaning, family.labels, registry=self._counted)

    def _counters(self) -> Iterator[Metric]:
        for metric in self._counted.collect():
            # The library adds when each series began, which the text format shows as a family of its own.
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric


class _Collected(Collector):
    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


@contextmanager
def _outcome(counter: Counter) -> Iterator[None]:
    try:
        yield
    except Refused as exc:
        counter.labels(exc.code).inc()
        raise
    except BaseException:
        counter.labels("failed").inc()
        raise
    counter.labels("made").inc()


def _read(readings: Readings) -> Iterator[Metric]:
    try:
        read = tuple(readings())
        up = True
    except StoreUnavailable:
        read, up = (), False
    yield _gauge(families.STORE_UP, {(): up})
    by_environment = {(one.tenant, one.environment): one for one in read}
    yield _gauge(families.SERIAL, {key: one.serial for key, one in by_environment.items()})
    yield _gauge(families.NODES, {key: one.nodes for key, one in by_environment.items()})
    yield _gauge(families.STALE_NODES, {key: one.stale_nodes for key, one in by_environment.items()})
    yield _gauge(families.FINDINGS, _findings(read))
    yield _gauge(families.BUILD_INFO, {(version("gatehouse"),): 1})


def _findings(read: Iterable[EnvironmentReading]) -> dict[tuple[str, ...], float]:
    """Return the open findings by their labels: 0 where there is none, so that an alert sees it end."""
    shown: dict[tuple[str, ...], float] = {}
    for one in read:
        where = (one.tenant, one.environment)
        shown |= {(*where, check): float(one.findings.get(check, 0)) for check in CHECKS}
        shown[(*where, "other")] = float(sum(count for check, count in one.findings.items() if check not in CHECKS))
    return shown


def _sinks(lags: Mapping[str, Lag]) -> Iterator[Metric]:
    yield _gauge(families.SINK_LAG, {(sink,): lag.entries for sink, lag in lags.items()})
    yield _gauge(families.SINK_LOST, {(sink,): lag.lost for sink, lag in lags.items()})
    yield _gauge(families.SINK_FAILING, {(sink,): lag.failing for sink, lag in lags.items()})


def _gauge(family: Family, values: Mapping[tuple[str, ...], float]) -> Metric:
    metric = GaugeMetricFamily(family.name, family.meaning, labels=family.labels)
    for labels, value in values.items():
        metric.add_metric(labels, float(value))
    return metric
