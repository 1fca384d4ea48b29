# SPDX-License-Identifier: Apache-2.0
"""Several judgements as one: that of the worst."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Final

from inference.screen.question import Input, Judged
from policies.screening.model import Judgement, Label, Layer, Signal, Window

# An answer names the worst windows, and not each sentence of a long text.
MOST_WINDOWS: Final = 8


def worst(judgements: Iterable[Judgement]) -> Judgement:
    """The judgement that counts: an injection before what is none, then the higher score."""
    return max(judgements, key=lambda each: (each.label is Label.INJECTION, each.score))


def of_one_message(inputs: Sequence[Input], judged: Judged) -> Judgement:
    """What is said of parts that are one message. Places count in the parts set side by side."""
    begins = accumulate((len(each.text) for each in inputs), initial=0)
    parts = [_moved(result, begin) for result, begin in zip(judged.results, begins, strict=False)]
    return merged([*parts, judged.joined] if judged.joined else parts)


def merged(judgements: Sequence[Judgement]) -> Judgement:
    """The worst, with what all of them noticed. Their places must count in the same text."""
    chosen = worst(judgements)
    return replace(
        chosen,
        signals=worst_signals(signal for each in judgements for signal in each.signals),
        windows=worst_windows((window for each in judgements for window in each.windows), chosen.threshold),
        complete=all(each.complete for each in judgements),
    )


def worst_signals(signals: Iterable[Signal]) -> tuple[Signal, ...]:
    """Each signal once, as it weighs most; the worst first."""
    found: dict[tuple[Layer, str], Signal] = {}
    for signal in signals:
        known = found.get((signal.layer, signal.name))
        if known is None or signal.score > known.score:
            found[signal.layer, signal.name] = signal
    return tuple(sorted(found.values(), key=lambda signal: (-signal.score, signal.layer, signal.name)))


def worst_windows(windows: Iterable[Window], threshold: float) -> tuple[Window, ...]:
    """The worst window, and the next that reach the threshold too. A place read twice alike is named once."""
    ordered = sorted(set(windows), key=lambda each: (-each.score, each.start, each.end, each.view))
    places: dict[tuple[int, int], Window] = {}
    for window in ordered:
        places.setdefault((window.start, window.end), window)
    found = list(places.values())
    return tuple(found[:1] + [each for each in found[1:MOST_WINDOWS] if each.score >= threshold])


def _moved(judgement: Judgement, by: int) -> Judgement:
    windows = (replace(each, start=each.start + by, end=each.end + by) for each in judgement.windows)
    return replace(judgement, windows=tuple(windows))
