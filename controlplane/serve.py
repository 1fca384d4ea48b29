# SPDX-License-Identifier: Apache-2.0
"""Run the control plane under uvicorn until it is told to stop."""

import functools
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from types import FrameType
from typing import Final
from urllib.parse import urlsplit

import structlog
import uvicorn

from controlplane.app import create_app
from controlplane.bootstrap import ControlPlane
from controlplane.conductor import conductor
from controlplane.edge import Watch, create_edge
from controlplane.garbage import look_for_circles_less
from controlplane.housekeeping import housekeeping
from controlplane.identifiers import utc_now
from controlplane.job_thread import job_thread
from controlplane.metrics_port import metrics_port
from controlplane.observed import Observed, Trace
from controlplane.sequencer import sequencing
from controlplane.services.witnesses import Witness
from controlplane.settings import ObservationSettings, ServerSettings
from controlplane.siem.serving import pushing
from controlplane.siem.sinks import Sink

# Requests in flight at SIGTERM may finish; a batch of records takes well under a second.
_DRAIN_S: Final = 10
_KEEP_ALIVE_S: Final = 75
_BACKLOG: Final = 2048

_log = structlog.get_logger("gatehouse.api")


class _Server(uvicorn.Server):
    """Lets parked feeds go at the first signal: each would hold the shutdown for up to its whole wait."""

    def __init__(self, config: uvicorn.Config, watch: Watch) -> None:
        super().__init__(config)
        self._watch = watch

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take SIGTERM and SIGINT as a wish to end. uvicorn's own raises them again, and the store stays open."""
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._watch.close()
        super().handle_exit(sig, frame)


def serve(
    plane: ControlPlane,
    settings: ServerSettings,
    observation: ObservationSettings,
    *,
    sinks: Sequence[Sink] = (),
    witnesses: tuple[Witness, ...] = (),
) -> None:
    """Serve `plane`, and push its log to `sinks`, until SIGTERM or SIGINT.

    Raises SettingInvalid where the port for metrics cannot be had.
    """
    with ExitStack() as stack:
        trace = _tracing(observation, stack)
        if sinks:
            host = urlsplit(settings.url).hostname or settings.host
            pushers = pushing(sinks, store=plane.store, clock=utc_now, log_name=host, version=version("gatehouse"))
            plane.metrics.watch_sinks(stack.enter_context(pushers).lags)
        if observation.metrics_port is not None:
            page = functools.partial(plane.metrics.page, plane.fleet.readings)
            stack.enter_context(metrics_port(observation.metrics_host, observation.metrics_port, page=page))
        if plane.sequencer is None:
            _log.warning("log_key_missing", fix="set GATEHOUSE_LOG_KEY_FILE on at least one server")
        else:
            plane.metrics.watch_sequencer(plane.sequencer)
            stack.enter_context(sequencing(plane.sequencer, witnesses))
        tasks = {
            "days": plane.ingestion.prepare_days,
            "erasures": plane.erasures.go_on,
            "retention": plane.retention.go_on,
            "idempotency_keys": plane.idempotency.prune,
            "credentials": plane.revocations.follow_up,
        }
        stack.callback(plane.decision_point.close)
        stack.enter_context(housekeeping(tasks))
        stack.enter_context(conductor(plane.conducting))
        stack.enter_context(job_thread(plane))
        _run(plane, settings, trace)


def _tracing(observation: ObservationSettings, stack: ExitStack) -> Trace | None:
    if observation.otlp_endpoint is None:
        return None
    # Here, because it brings OpenTelemetry's SDK: who has no collector pays neither its memory nor its time to import.
    from controlplane.tracing import Tracing  # noqa: PLC0415  # as said

    tracing = Tracing(observation.otlp_endpoint)
    stack.callback(tracing.close)
    return tracing


def _run(plane: ControlPlane, settings: ServerSettings, trace: Trace | None) -> None:
    watch = Watch(plane)
    edge = create_edge(plane, create_app(plane, url=settings.url), watch, url=settings.url)
    config = uvicorn.Config(
        Observed(edge, metrics=plane.metrics, trace=trace),
        host=settings.host,
        port=settings.port,
        http="h11",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_DRAIN_S,
    )
    look_for_circles_less()
    _log.info("api_started", host=settings.host, port=settings.port)
    _Server(config, watch).run()
    _log.info("api_stopped")
