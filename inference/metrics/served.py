# SPDX-License-Identifier: Apache-2.0
"""The server's metrics: counted by the engines' threads and the application, read by whoever scrapes.

Rules
    A registry of its own: what else in the process counts with prometheus_client does not show up here.
    No label holds a word of a client: models are named as the operator named them, codes are ours.
    What can be read when it is asked for (queues, GPUs) is read then, and not kept.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from inference.load import EngineLoad, Outcome
from inference.metrics import families
from inference.metrics.families import Family
from inference.metrics.gpu import GpuSample, open_gpus, sample_gpus

ENGINE: Final = "0"
# vLLM's words for how a request ended.
REASONS: Final = {
    Outcome.STOP: "stop",
    Outcome.LENGTH: "length",
    Outcome.CANCELLED: "abort",
    Outcome.FAILED: "error",
}
RATE_WINDOW_S: Final = 10.0

_Metric = TypeVar("_Metric", Counter, Gauge)


class ServingMetrics:
    """Counts for all models of one process."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        gpus: Callable[[], Iterable[GpuSample]] | None = None,
    ) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._clock = clock
        self._prompt_tokens = _declare(Counter, families.PROMPT_TOKENS, self._registry)
        self._generated = _declare(Counter, families.GENERATED, self._registry)
        self._finished = _declare(Counter, families.FINISHED, self._registry)
        self._embedded = _declare(Counter, families.EMBEDDED, self._registry)
        self._refused = _declare(Counter, families.REFUSED, self._registry)
        self._info = _declare(Gauge, families.MODEL_INFO, self._registry)
        self._first_token = _histogram(families.FIRST_TOKEN, self._registry)
        self._per_token = _histogram(families.PER_TOKEN, self._registry)
        self._whole = _histogram(families.WHOLE, self._registry)
        self._queued = _histogram(families.QUEUED, self._registry)
        self._now = _ReadWhenAsked(gpus if gpus is not None else sample_gpus if open_gpus() else None)
        self._registry.register(self._now)

    def observer(self, model: str) -> "ModelObserver":
        """What the model's engine tells of its jobs. Every series is there from the start, with 0."""
        throughput = _Throughput(self._clock)
        self._now.throughputs[model] = throughput
        at = (model, ENGINE)
        return ModelObserver(
            prompt_tokens=self._prompt_tokens.labels(*at),
            generated=self._generated.labels(*at),
            finished={outcome: self._finished.labels(*at, reason) for outcome, reason in REASONS.items()},
            first_token=self._first_token.labels(*at),
            per_token=self._per_token.labels(*at),
            whole=self._whole.labels(*at),
            queued=self._queued.labels(*at),
            throughput=throughput,
        )

    def watch(self, model: str, load: Callable[[], EngineLoad]) -> None:
        self._now.loads[model] = load

    def watch_readiness(self, is_ready: Callable[[], bool]) -> None:
        self._now.is_ready = is_ready

    def model_loaded(self, names: Sequence[str], digest: str) -> None:
        for name in names:
            self._info.labels(name, digest).set(1)

    def embedded(self, model: str, tokens: int) -> None:
        self._embedded.labels(model).inc(tokens)

    def refused(self, status: int, code: str) -> None:
        self._refused.labels(str(status), code).inc()

    @property
    def registry(self) -> CollectorRegistry:
        """For what else this process counts."""
        return self._registry

    def page(self) -> bytes:
        """The metrics as Prometheus' text."""
        return generate_latest(self._registry)


class ModelObserver:
    """Takes what one engine tells (`inference.load.EngineObserver`)."""

    def __init__(
        self,
        *,
        prompt_tokens: Counter,
        generated: Counter,
        finished: dict[Outcome, Counter],
        first_token: Histogram,
        per_token: Histogram,
        whole: Histogram,
        queued: Histogram,
        throughput: "_Throughput",
    ) -> None:
        self._prompt_tokens = prompt_tokens
        self._generated = generated
        self._finished = finished
        self._first_token = first_token
        self._per_token = per_token
        self._whole = whole
        self._queued = queued
        self._throughput = throughput

    def begun(self, *, prompt_tokens: int, queue_s: float) -> None:
        self._prompt_tokens.inc(prompt_tokens)
        self._queued.observe(queue_s)

    def first_token(self, *, after_s: float) -> None:
        self._first_token.observe(after_s)

    def tokens(self, count: int) -> None:
        self._generated.inc(count)
        self._throughput.add(count)

    def ended(
        self, outcome: Outcome, *, completion_tokens: int, after_s: float, first_token_after_s: float | None = None
    ) -> None:
        self._finished[outcome].inc()
        if outcome in {Outcome.STOP, Outcome.LENGTH}:
            # As in vLLM: how long a request took is told of those that came to their end.
            self._whole.observe(after_s)
            if first_token_after_s is not None and completion_tokens > 1:
                self._per_token.observe((after_s - first_token_after_s) / (completion_tokens - 1))


class _Throughput:
    """Tokens a second over the last seconds, in slices of one second."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._slices: deque[list[float]] = deque()  # [the slice's second, tokens in it]
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        second = self._clock() // 1
        with self._lock:
            if self._slices and self._slices[-1][0] == second:
                self._slices[-1][1] += count
                return
            self._forget(second)
            self._slices.append([second, count])

    def rate(self) -> float:
        with self._lock:
            self._forget(self._clock() // 1)
            return sum(count for _, count in self._slices) / RATE_WINDOW_S

    def _forget(self, second: float) -> None:
        while self._slices and self._slices[0][0] <= second - RATE_WINDOW_S:
            self._slices.popleft()


class _ReadWhenAsked(Collector):
    """Gauges that are true at the moment of the scrape."""

    def __init__(self, gpus: Callable[[], Iterable[GpuSample]] | None) -> None:
        self.loads: dict[str, Callable[[], EngineLoad]] = {}
        self.throughputs: dict[str, _Throughput] = {}
        self.is_ready: Callable[[], bool] = lambda: False
        self._gpus = gpus

    def collect(self) -> Iterable[GaugeMetricFamily]:
        running, waiting, cache = map(_family, (families.RUNNING, families.WAITING, families.CACHE_USAGE))
        for model, load in self.loads.items():
            now = load()
            running.add_metric([model, ENGINE], now.running)
            waiting.add_metric([model, ENGINE], now.waiting)
            cache.add_metric([model, ENGINE], now.cache_usage)
        throughput = _family(families.THROUGHPUT)
        for model, counted in self.throughputs.items():
            throughput.add_metric([model, ENGINE], counted.rate())
        ready = _family(families.READY)
        ready.add_metric([], int(self.is_ready()))
        yield from (running, waiting, cache, throughput, ready)
        if self._gpus is not None:
            yield from _of_gpus(self._gpus())

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Nothing: without it the registry would ask for a whole reading to learn the names."""
        return ()


def _of_gpus(samples: Iterable[GpuSample]) -> Iterable[GaugeMetricFamily]:
    used, memory, total = map(_family, (families.GPU_USED, families.GPU_MEMORY, families.GPU_MEMORY_TOTAL))
    for gpu in samples:
        at = [str(gpu.index), gpu.uuid]
        memory.add_metric(at, gpu.memory_used_bytes)
        total.add_metric(at, gpu.memory_total_bytes)
        if gpu.utilization is not None:
            used.add_metric(at, gpu.utilization)
    return used, memory, total


def _family(family: Family) -> GaugeMetricFamily:
    return GaugeMetricFamily(family.name, family.meaning, labels=family.labels)


def _declare(kind: type[_Metric], family: Family, registry: CollectorRegistry) -> _Metric:
    return kind(family.name, family.meaning, family.labels, registry=registry)


def _histogram(family: Family, registry: CollectorRegistry) -> Histogram:
    return Histogram(family.name, family.meaning, family.labels, buckets=family.buckets, registry=registry)
