# SPDX-License-Identifier: Apache-2.0
"""Judgements as JSON has them: in the answers of the server and in the lines of the command."""

from collections.abc import Iterable
from typing import Any, Final

from inference.screen.question import Versions
from policies.screening.model import Judgement, Signal, Window

# Scores of equal texts differ in the last digits with what they share a batch with; these are the same.
_DIGITS: Final = 6


def judgement_json(judgement: Judgement) -> dict[str, Any]:
    return {
        "score": _score(judgement.score),
        "label": str(judgement.label),
        "threshold": _score(judgement.threshold),
        "complete": judgement.complete,
        "signals": signals_json(judgement.signals),
        "windows": [window_json(each) for each in judgement.windows],
    }


def signals_json(signals: Iterable[Signal]) -> list[dict[str, Any]]:
    return [
        {"layer": str(each.layer), "name": each.name, "version": each.version, "score": _score(each.score)}
        for each in signals
    ]


def window_json(window: Window) -> dict[str, Any]:
    return {"start": window.start, "end": window.end, "view": window.view, "score": _score(window.score)}


def versions_json(versions: Versions) -> dict[str, str]:
    return {"rules": versions.rules, "structure": versions.structure, "classifier": versions.classifier}


def _score(score: float) -> float:
    return round(score, _DIGITS)
