# SPDX-License-Identifier: Apache-2.0
"""Opens a judge, for the command and for the server alike."""

from inference.screen.judge import Judge
from inference.screen.question import BOUNDS, Bounds, Versions
from inference.screen.scorer import DEFAULT_THRESHOLD, Kind, Scorer, open_scorer
from inference.screen.tensors import WeightsRefused
from policies.screening.model import Origin
from policies.screening.rules import RULES_VERSION
from policies.screening.structure import STRUCTURE_VERSION


class ScreenRefused(Exception):
    """The classifier asked for cannot be opened. The text says why."""


def open_judge(scorer: Kind, *, device: str = "cpu", threshold: float | None = None, bounds: Bounds = BOUNDS) -> Judge:
    """A judge by all layers; `threshold` instead of the default one of each origin. Raises ScreenRefused."""
    try:
        opened = open_scorer(scorer, device)
    except (WeightsRefused, ImportError) as exc:
        raise ScreenRefused(f"the classifier {scorer} cannot be opened: {exc}") from exc
    return judge_by(opened, threshold=threshold, bounds=bounds)


def judge_by(scorer: Scorer, *, threshold: float | None = None, bounds: Bounds = BOUNDS) -> Judge:
    versions = Versions(rules=RULES_VERSION, structure=STRUCTURE_VERSION, classifier=f"{scorer.name}/{scorer.version}")
    at = DEFAULT_THRESHOLD if threshold is None else threshold
    return Judge(scorer, versions=versions, thresholds=dict.fromkeys(Origin, at), bounds=bounds)
