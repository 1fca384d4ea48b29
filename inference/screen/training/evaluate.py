# SPDX-License-Identifier: Apache-2.0
"""How well the classifier does on lists of prompts that it was not trained on, and the calibration that follows."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from inference.screen.calibration import expected_error, probability
from inference.screen.training.corpus import Row
from inference.screen.training.folds import BY_SOURCE
from inference.screen.training.heads import weights_of

# At the default threshold of 0.5, this share of hard benign prompts of unseen lists passes.
HARD_BENIGN_PASS: Final = 0.96
STEPS: Final = 50
RIDGE: Final = 1e-3
DEFAULT: Final = 0.5
FALSE_ALARMS: Final = 0.01


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """Rows that some fold tried, and the logits that the models of that fold gave them: of the head, and of n-grams."""

    rows: tuple[Row, ...]
    head: tuple[float, ...]
    ngram: tuple[float, ...]

    @classmethod
    def of(cls, rows: Sequence[Row], head: Mapping[int, float], ngram: Mapping[int, float]) -> "OutOfFold":
        tried = sorted(head)
        return cls(
            tuple(rows[number] for number in tried),
            tuple(head[number] for number in tried),
            tuple(ngram[number] for number in tried),
        )

    def only(self, keep: Sequence[bool]) -> "OutOfFold":
        kept = [at for at, wanted in enumerate(keep) if wanted]
        return OutOfFold(
            tuple(self.rows[at] for at in kept),
            tuple(self.head[at] for at in kept),
            tuple(self.ngram[at] for at in kept),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Factors:
    """What turns logits into probabilities, for the classifier proper and for n-grams alone."""

    both: tuple[float, ...]
    ngram: tuple[float, ...]


def calibrate(outcome: OutOfFold) -> Factors:
    """Fitted by likelihood, then shifted: at the default threshold the wanted share of hard benign prompts passes.

    The shift is what another share of attacks among all prompts would do: of the fit, every list weighs as much as its
    size's root, and half of all weight is attacks; traffic holds fewer.
    """
    columns = np.array([outcome.head, outcome.ngram]).T
    return Factors(both=_fit(columns, outcome.rows), ngram=_fit(columns[:, 1:], outcome.rows))


def _fit(columns: np.ndarray[Any, Any], rows: Sequence[Row]) -> tuple[float, ...]:
    """Logistic regression by Newton's method, with a little ridge towards nothing."""
    labels = np.array([row.injection for row in rows], dtype=float)
    if labels.min() == labels.max():
        raise ValueError("a calibration needs texts of both labels")
    weights = np.array(weights_of(rows))
    weights /= weights.sum()
    full = np.column_stack([columns, np.ones(len(columns))])
    factors = np.zeros(full.shape[1])
    for _ in range(STEPS):
        found = 1 / (1 + np.exp(-np.clip(full @ factors, -30, 30)))
        slope = full.T @ (weights * (found - labels)) + RIDGE * factors
        curve = (full * (weights * found * (1 - found))[:, None]).T @ full + RIDGE * np.eye(len(factors))
        factors -= np.linalg.solve(curve, slope)
    hard = [at for at, row in enumerate(rows) if row.kind == "hard-benign"]
    factors[-1] -= np.quantile(full[hard] @ factors, HARD_BENIGN_PASS)
    return tuple(float(factor) for factor in factors)


def figures_of(outcome: OutOfFold) -> dict[str, object]:
    """What is published. Each fold's threshold and calibration come from the other folds."""
    stated: dict[str, list[float]] = {"minilm": [0.0] * len(outcome.rows), "ngram": [0.0] * len(outcome.rows)}
    for sources in BY_SOURCE:
        inside = [row.sources <= frozenset(sources) for row in outcome.rows]
        if not any(inside) or all(inside):
            continue
        factors = calibrate(outcome.only([not each for each in inside]))
        for at, here in enumerate(inside):
            if here:
                stated["minilm"][at] = probability(factors.both, (outcome.head[at], outcome.ngram[at]))
                stated["ngram"][at] = probability(factors.ngram, (outcome.ngram[at],))
    return {"left_out_sources": {name: _figures(outcome.rows, found) for name, found in stated.items()}}


def _figures(rows: Sequence[Row], stated: Sequence[float]) -> dict[str, object]:
    benign = [score for row, score in zip(rows, stated, strict=True) if not row.injection]
    strict = float(np.quantile(benign, 1 - FALSE_ALARMS))
    kinds: dict[str, list[tuple[Row, float]]] = defaultdict(list)
    for row, score in zip(rows, stated, strict=True):
        kinds[row.kind].append((row, score))
        kinds[f"{row.kind}, {row.source}"].append((row, score))
    table = {}
    for name, members in sorted(kinds.items()):
        above = sum(score >= DEFAULT for _, score in members) / len(members)
        at_strict = sum(score > strict for _, score in members) / len(members)
        table[name] = {
            "rows": len(members),
            "flagged_at_default": round(above, 4),
            "flagged_at_1_percent_false_alarms": round(at_strict, 4),
        }
    error = expected_error(stated, [row.injection for row in rows], weights_of(rows))
    return {
        "by_kind_and_source": table,
        "expected_calibration_error": round(error, 4),
        "threshold_at_1_percent": round(strict, 4),
    }
