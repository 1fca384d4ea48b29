# SPDX-License-Identifier: Apache-2.0
"""Everything behind the sockets, built from settings in one call: models, an engine for each, the screen, the routes.

Whatever can run an ASGI application can serve it: uvicorn in `inference.server`, or a cluster. Importing this module
imports torch.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog
from starlette.types import ASGIApp

from inference.api.admission import ServedModel
from inference.api.app import InferenceApi
from inference.api.embeddings import ServedEncoder
from inference.api.operations import operations_application
from inference.batching.opening import open_engine
from inference.embeddings.engine import EmbeddingEngine
from inference.embeddings.loading import load_encoder
from inference.engine import Engine
from inference.loading import load_model
from inference.metrics.served import ServingMetrics
from inference.model_files import model_files
from inference.screening import Screening, open_screening
from inference.settings import ModelSettings, ServingSettings

log = structlog.get_logger()

# A step of the model, and the memory given back. A thread that hangs is left behind.
CLOSE_S: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """The ASGI application and what runs behind it. `start` before the first request, `stop` after the last."""

    application: ASGIApp
    operations: ASGIApp  # metrics and health, for another port
    models: tuple[ServedModel, ...]
    encoders: tuple[ServedEncoder, ...]
    screening: Screening | None
    page: Callable[[], bytes]  # the metrics as Prometheus' text

    def start(self) -> None:
        for engine in self._engines:
            engine.start()

    def stop(self, *, timeout_s: float) -> None:
        """Ends what runs at its next token, and what waits without starting it."""
        for engine in self._engines:
            engine.stop(timeout_s=timeout_s)

    def close(self) -> None:
        """Waits a moment for the engines' threads: one that runs the model while the interpreter ends may crash it."""
        self.stop(timeout_s=CLOSE_S)

    @property
    def is_ready(self) -> bool:
        return all(engine.is_ready for engine in self._engines)

    @property
    def _engines(self) -> tuple[Engine | EmbeddingEngine | Screening, ...]:
        """What runs in threads of its own."""
        engines = (*(model.engine for model in self.models), *(encoder.engine for encoder in self.encoders))
        return (*engines, *((self.screening,) if self.screening else ()))


def open_serving(settings: ServingSettings, *, clock: Callable[[], float] = time.time) -> Serving:
    """Loads every model and builds the application over them. Nothing runs before `start`.

    Raises ModelRefused, and SettingsWrong for a screen that cannot be opened.
    """
    metrics = ServingMetrics()
    models: list[ServedModel] = []
    encoders: list[ServedEncoder] = []
    for each in settings.models:
        if model_files(each.directory).makes_embeddings:
            encoders.append(_open_encoder(each, metrics))
        else:
            models.append(_open_model(each, metrics))
    screening = open_screening(settings.screen, metrics.registry) if settings.screen else None
    api = InferenceApi(
        models=models,
        encoders=encoders,
        clock=clock,
        count_refusal=metrics.refused,
        moderations=screening.moderations if screening else None,
        is_ready=lambda: serving.is_ready,
    )
    serving = Serving(
        application=api.application(),
        operations=operations_application(is_ready=lambda: serving.is_ready, page=metrics.page),
        models=tuple(models),
        encoders=tuple(encoders),
        screening=screening,
        page=metrics.page,
    )
    metrics.watch_readiness(lambda: serving.is_ready)
    return serving


def _open_model(settings: ModelSettings, metrics: ServingMetrics) -> ServedModel:
    started_at = time.monotonic()
    loaded = load_model(settings.directory, max_context=settings.max_context)
    log.info(
        "model_loaded",
        names=settings.names,
        digest=loaded.digest,
        parameter_count=loaded.parameter_count,
        context_tokens=loaded.context_tokens,
        device=str(loaded.model.device),
        load_s=round(time.monotonic() - started_at, 2),
    )
    metrics.model_loaded(settings.names, loaded.digest)
    engine = open_engine(
        loaded,
        queue_size=settings.queue_size,
        cache_mib=settings.kv_cache_mib,
        most_running=settings.max_running,
        observer=metrics.observer(settings.names[0]),
    )
    metrics.watch(settings.names[0], engine.load)
    return ServedModel(
        names=settings.names,
        prompts=loaded.prompts,
        context_tokens=engine.context_tokens,
        digest=loaded.digest,
        queue_size=settings.queue_size,
        engine=engine,
    )


def _open_encoder(settings: ModelSettings, metrics: ServingMetrics) -> ServedEncoder:
    started_at = time.monotonic()
    loaded = load_encoder(settings.directory, max_context=settings.max_context)
    log.info(
        "encoder_loaded",
        names=settings.names,
        digest=loaded.digest,
        dimensions=loaded.dimensions,
        context_tokens=loaded.context_tokens,
        device=str(loaded.model.device),
        load_s=round(time.monotonic() - started_at, 2),
    )
    metrics.model_loaded(settings.names, loaded.digest)
    return ServedEncoder(
        names=settings.names,
        prompts=loaded.prompts,
        context_tokens=loaded.context_tokens,
        dimensions=loaded.dimensions,
        digest=loaded.digest,
        queue_size=settings.queue_size,
        engine=EmbeddingEngine(loaded.encode, queue_size=settings.queue_size),
        count=lambda tokens: metrics.embedded(settings.names[0], tokens),
    )
