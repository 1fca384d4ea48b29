# SPDX-License-Identifier: Apache-2.0
"""The prompt screen as part of a server: classifier, batches, endpoint and figures, opened in one call."""

import time
from dataclasses import dataclass

import structlog
import torch
from prometheus_client import CollectorRegistry

from inference.api.moderations import Moderations
from inference.metrics.screened import ScreenMetrics
from inference.screen.batcher import CPU_BATCHES, GPU_BATCHES, Batcher
from inference.screen.judge import Judge
from inference.screen.opening import ScreenRefused, open_judge
from inference.screen.screen import Screen
from inference.settings import Classifier, SettingsWrong

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Screening:
    """`start` before the first question, `stop` after the last."""

    screen: Screen
    moderations: Moderations

    def start(self) -> None:
        self.screen.start()

    def stop(self, *, timeout_s: float) -> None:
        self.screen.stop(timeout_s=timeout_s)

    @property
    def is_ready(self) -> bool:
        return self.screen.is_ready


def open_screening(classifier: Classifier, registry: CollectorRegistry) -> Screening:
    """Loads the classifier, onto the GPU where there is one. Raises SettingsWrong."""
    started_at = time.monotonic()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        judge = open_judge(classifier, device=device)
    except ScreenRefused as exc:
        raise SettingsWrong(f"{exc}: install the group `inference` whole, or give --no-screen") from exc
    versions = judge.versions
    log.info(
        "screen_loaded",
        classifier=versions.classifier,
        rules=versions.rules,
        structure=versions.structure,
        device=device,
        load_s=round(time.monotonic() - started_at, 2),
    )
    return screening_by(judge, registry, on_gpu=device != "cpu")


def screening_by(judge: Judge, registry: CollectorRegistry, *, on_gpu: bool) -> Screening:
    metrics = ScreenMetrics(registry)
    batcher = Batcher(judge.scorer, bounds=GPU_BATCHES if on_gpu else CPU_BATCHES, meter=metrics)
    metrics.watch(lambda: batcher.waiting_windows)
    screen = Screen(judge, batcher)
    return Screening(screen=screen, moderations=Moderations(screen, metrics))
