# SPDX-License-Identifier: Apache-2.0
"""One OpenTelemetry span for each request, sent to a collector over OTLP/HTTP. Imported only where one is configured.

Rules: a span has the method, the route's template, the status, times and ids, nothing else. No provider is set for the
process, and no variable of OpenTelemetry's own says what a span has. A collector that is slow or gone costs spans:
never a request, never more memory than the queue, never more than a few seconds at the end.
"""

import logging
import time
from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

import requests
import structlog
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import DEFAULT_ON
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from controlplane.observed import OTHER_METHOD, UNMATCHED, ServedRequest

_QUEUE: Final = 2048
_BATCH: Final = 256
_EVERY_MS: Final = 1000
_TIMEOUT_S: Final = 2.0
# At the end what waits is sent for so long; `gatehouse run` waits 10 s for the whole process.
_LAST_S: Final = 2.0
_SERVER_ERROR: Final = 500

_log = structlog.get_logger("gatehouse.tracing")


class Tracing:
    """Spans on their way to the collector at `endpoint`, a base URL as in OpenTelemetry's own settings."""

    def __init__(self, endpoint: str) -> None:
        # It logs each failure with the collector's words; we say it once, in ours.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL + 1)
        self._exporter = _Exporter(endpoint.rstrip("/") + "/v1/traces")
        self._provider = TracerProvider(
            sampler=DEFAULT_ON,
            resource=Resource({"service.name": "gatehouse-controlplane", "service.version": version("gatehouse")}),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(
                self._exporter,
                max_queue_size=_QUEUE,
                schedule_delay_millis=_EVERY_MS,
                max_export_batch_size=_BATCH,
                export_timeout_millis=_TIMEOUT_S * 1000,
            )
        )
        self._tracer = self._provider.get_tracer("gatehouse.controlplane")
        # Of the parent only the ids: `tracestate` and baggage would carry a client's words to the collector.
        self._parents = TraceContextTextMapPropagator()

    def __call__(self, served: ServedRequest) -> None:
        """Queue the span of `served`; where the queue is full, a span is lost."""
        carrier = {"traceparent": served.traceparent} if served.traceparent else {}
        method = "HTTP" if served.method == OTHER_METHOD else served.method
        attributes: dict[str, AttributeValue] = {"http.request.method": served.method}
        if served.route != UNMATCHED:
            attributes["http.route"] = served.route
        if served.status is not None:
            attributes["http.response.status_code"] = served.status
        span = self._tracer.start_span(
            method if served.route == UNMATCHED else f"{method} {served.route}",
            context=self._parents.extract(carrier, Context()),
            kind=SpanKind.SERVER,
            attributes=attributes,
            start_time=served.started_ns,
        )
        if served.status is not None and served.status >= _SERVER_ERROR:
            span.set_attribute("error.type", str(served.status))
            span.set_status(StatusCode.ERROR)
        span.end(served.ended_ns)

    def close(self) -> None:
        """Send what waits, for a moment at most, and stop."""
        self._exporter.give_up_at(time.monotonic() + _LAST_S)
        self._provider.shutdown()


class _Exporter(SpanExporter):
    """Sends, and warns once when that begins to fail."""

    def __init__(self, url: str) -> None:
        session = requests.Session()
        # Not by a proxy and not with a password that the environment or a .netrc of this user names.
        session.trust_env = False
        self._otlp = OTLPSpanExporter(endpoint=url, timeout=_TIMEOUT_S, session=session)
        self._failing = False
        self._deadline: float | None = None

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if self._deadline is not None and time.monotonic() > self._deadline:
            return SpanExportResult.FAILURE
        result = self._otlp.export(spans)
        failed = result is not SpanExportResult.SUCCESS
        if failed and not self._failing:
            _log.warning("traces_not_exported", fix="see that the collector of GATEHOUSE_OTLP_ENDPOINT takes OTLP/HTTP")
        self._failing = failed
        return result

    def give_up_at(self, deadline: float) -> None:
        """Send nothing more after `deadline`, a monotonic time."""
        self._deadline = deadline

    def shutdown(self) -> None:
        self._otlp.shutdown()  # type: ignore[no-untyped-call]  # of the library
