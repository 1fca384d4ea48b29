# SPDX-License-Identifier: Apache-2.0
"""OpenTelemetry's SDK, as a worker and a node use it: spans and metrics to one OTLP collector over HTTP.

Rules: imported only where an operator named a collector. Nothing global is set: no tracer provider, no propagator, no
context. Exports run in threads of their own, each bounded in time, and spans wait in a bounded queue; while the
collector is away they are dropped. The SDK's log lines are not kept: one event says that exporting fails, one that it
works again.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import Final

import requests
import structlog
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    format_span_id,
    format_trace_id,
    set_span_in_context,
)

from proxy_addons.core.trace_context import Attributes, OpenSpan, TraceParent
from proxy_addons.settings import NodeSettings, SettingInvalid

_log: Final = structlog.get_logger()

SERVICE: Final = "gatehouse-proxy"
# A collector stands near. One that takes longer is away, and what waits for it is dropped when the queue is full.
EXPORT_S: Final = 5.0
_QUEUE_SPANS: Final = 2048
_BATCH_SPANS: Final = 512
_EXPORT_EVERY_S: Final = 2.0
# How long a worker that has drained waits for its last spans to leave: less than the grace after which it is killed.
CLOSE_S: Final = 1.0

_NO_PARENT: Final = Context()


class Tracing:
    """The spans of one worker. `begin` is for its event loop; `close` once no exchange is open.

    Raises SettingInvalid where the SDK cannot use an OTEL_ variable.
    """

    def __init__(self, endpoint: str, **identifiers: str | int) -> None:
        _silence_sdk()
        with _variables_named():
            exporter = OTLPSpanExporter(f"{endpoint}/v1/traces", timeout=EXPORT_S, session=_session())
            self._provider = TracerProvider(resource=resource_of(**identifiers), shutdown_on_exit=False)
        self._provider.add_span_processor(
            BatchSpanProcessor(
                _ToldSpans(exporter),
                max_queue_size=_QUEUE_SPANS,
                max_export_batch_size=_BATCH_SPANS,
                schedule_delay_millis=_EXPORT_EVERY_S * 1000,
            )
        )
        self._tracer = self._provider.get_tracer("gatehouse", version("gatehouse"))

    def begin(self, name: str, parent: TraceParent | None, started_ns: int) -> OpenSpan | None:
        """See `proxy_addons.core.trace_context.BeginSpan`."""
        # Spans have the clock's time, exchanges a monotonic one; the end is the start and what passed.
        begun_at_ns = time.time_ns() - (time.monotonic_ns() - started_ns)
        span = self._tracer.start_span(
            name,
            context=_NO_PARENT if parent is None else _context_of(parent),
            kind=SpanKind.SERVER,
            start_time=begun_at_ns,
        )
        return _OpenSpan(span, offset_ns=begun_at_ns - started_ns) if span.is_recording() else None

    async def close(self) -> None:
        """Export what is left, within `CLOSE_S`."""
        await in_thread(self._provider.shutdown, within_s=CLOSE_S)


class MetricsOut:
    """Exports a node's metrics, gathered elsewhere. Raises SettingInvalid, also for what its workers could not use."""

    def __init__(self, endpoint: str, **identifiers: str | int) -> None:
        _silence_sdk()
        with _variables_named():
            self._exporter = OTLPMetricExporter(f"{endpoint}/v1/metrics", timeout=EXPORT_S, session=_session())
            self.resource = resource_of(**identifiers)
            SpanLimits()  # what workers could not use ends the node at its start, instead of each worker at each of its
        self.scope = InstrumentationScope("gatehouse", version("gatehouse"))
        self._told = _Told("metrics")

    async def export(self, metrics: MetricsData, *, within_s: float) -> None:
        """Send `metrics` within that time; return also where nobody took them."""

        def send() -> None:
            self._told(worked=self._exporter.export(metrics) is MetricExportResult.SUCCESS)

        await in_thread(send, within_s=within_s)


def identifiers(settings: NodeSettings, instance: str) -> dict[str, str]:
    """Return what a resource says of a node, or of a worker of it, whose name `instance` is."""
    return {
        "service.instance.id": instance,
        "deployment.environment.name": settings.environment,
        "gatehouse.tenant": settings.tenant,
    }


def resource_of(**identifiers: str | int) -> Resource:
    """Return whom the telemetry is of: `identifiers`, and what the OTEL_ variables of an operator say beyond them."""
    ours: dict[str, str | int] = {"service.name": SERVICE, "service.version": version("gatehouse"), **identifiers}
    return Resource.create(ours).merge(OTELResourceDetector().detect())


async def in_thread(call: Callable[[], None], *, within_s: float) -> None:
    """Run `call` in a thread, and stop waiting for it after `within_s`: no end of a process waits for a collector."""
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def run() -> None:
        try:
            call()
        finally:
            if not loop.is_closed():
                loop.call_soon_threadsafe(done.set)

    threading.Thread(target=run, name="gatehouse-telemetry", daemon=True).start()
    try:
        await asyncio.wait_for(done.wait(), within_s)
    except TimeoutError:
        _log.warning("telemetry_abandoned")


class _OpenSpan:
    __slots__ = ("_offset_ns", "_span", "span_id", "trace_id")

    def __init__(self, span: Span, *, offset_ns: int) -> None:
        self._span = span
        self._offset_ns = offset_ns
        context = span.get_span_context()
        self.trace_id = format_trace_id(context.trace_id)
        self.span_id = format_span_id(context.span_id)

    def end(self, attributes: Attributes, *, now_ns: int, failed: bool) -> None:
        self._span.set_attributes(attributes)
        if failed:
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end(self._offset_ns + now_ns)


def _context_of(parent: TraceParent) -> Context:
    flags = TraceFlags(TraceFlags.SAMPLED if parent.sampled else TraceFlags.DEFAULT)
    remote = SpanContext(int(parent.trace_id, 16), int(parent.span_id, 16), is_remote=True, trace_flags=flags)
    return set_span_in_context(NonRecordingSpan(remote), _NO_PARENT)


class _Told:
    """Says once that exporting fails, and once that it works again."""

    def __init__(self, signal: str) -> None:
        # Bound now: the threads that export do not have the identifiers that log lines of this process carry.
        self._log = _log.bind(signal=signal, **structlog.contextvars.get_contextvars())
        self._failing = False

    def __call__(self, *, worked: bool) -> None:
        if worked == self._failing:
            self._failing = not worked
            if worked:
                self._log.info("telemetry_exported_again")
            else:
                self._log.warning("telemetry_not_exported")


class _ToldSpans(SpanExporter):
    def __init__(self, exporter: OTLPSpanExporter) -> None:
        self._exporter = exporter
        self._told = _Told("traces")

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        self._told(worked=result is SpanExportResult.SUCCESS)
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()  # type: ignore[no-untyped-call]  # the exporter's one method without types


@contextmanager
def _variables_named() -> Iterator[None]:
    """Raise SettingInvalid where the SDK cannot use a variable of its own."""
    try:
        yield
    except ValueError as exc:
        raise SettingInvalid("OTEL_*", f"OpenTelemetry cannot use one of its variables: {exc}") from exc


def _session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # no proxy and no .netrc of the environment between us and the collector
    return session


def _silence_sdk() -> None:
    """Keep the SDK's lines out of the log: they hold the collector's address, and come with every failed export."""
    for name in ("opentelemetry", "urllib3"):
        logger = logging.getLogger(name)
        logger.propagate = False
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())
