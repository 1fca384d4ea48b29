# SPDX-License-Identifier: Apache-2.0
"""The prompt screen's own figures. No label holds anything that a client chose."""

from collections.abc import Callable
from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from inference.metrics import families


class ScreenOutcome(StrEnum):
    """How a question ended."""

    INJECTION = "injection"
    BENIGN = "benign"
    OVERLOADED = "overloaded"
    FAILED = "failed"
    LEFT = "left"


class ScreenMetrics:
    """Takes what the batcher and the endpoint tell. Every series is there from the start, with 0."""

    def __init__(self, registry: CollectorRegistry) -> None:
        questions, windows, batch = families.SCREEN_QUESTIONS, families.SCREEN_WINDOWS, families.SCREEN_BATCH
        self._questions = Counter(questions.name, questions.meaning, questions.labels, registry=registry)
        for outcome in ScreenOutcome:
            self._questions.labels(outcome)
        self._incomplete = Counter(
            families.SCREEN_INCOMPLETE.name, families.SCREEN_INCOMPLETE.meaning, registry=registry
        )
        self._windows = Counter(windows.name, windows.meaning, windows.labels, registry=registry)
        self._scored, self._kept = self._windows.labels("scored"), self._windows.labels("kept")
        self._batch = Histogram(batch.name, batch.meaning, buckets=batch.buckets, registry=registry)
        self._seconds = _seconds(families.SCREEN_SECONDS, registry)
        self._batch_seconds = _seconds(families.SCREEN_BATCH_SECONDS, registry)
        self._waiting = Gauge(families.SCREEN_WAITING.name, families.SCREEN_WAITING.meaning, registry=registry)

    def watch(self, waiting_windows: Callable[[], int]) -> None:
        self._waiting.set_function(waiting_windows)

    def scored(self, *, windows: int, seconds: float) -> None:
        self._scored.inc(windows)
        self._batch.observe(windows)
        self._batch_seconds.observe(seconds)

    def reused(self, *, windows: int) -> None:
        self._kept.inc(windows)

    def answered(self, outcome: ScreenOutcome, *, seconds: float, complete: bool) -> None:
        self._questions.labels(outcome).inc()
        self._seconds.observe(seconds)
        if not complete:
            self._incomplete.inc()

    def unanswered(self, outcome: ScreenOutcome) -> None:
        self._questions.labels(outcome).inc()


def _seconds(family: families.Family, registry: CollectorRegistry) -> Histogram:
    return Histogram(family.name, family.meaning, buckets=family.buckets, registry=registry)
