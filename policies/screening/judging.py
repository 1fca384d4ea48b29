# SPDX-License-Identifier: Apache-2.0
"""What rules and structure alone make of a text: for where there is no classifier, and to be measured against.

Theory. Every view is looked at as if it were all there is, and the text is as bad as the worst of them. That a text
says an order in another way than it says the rest is one more reason: nobody has to write an order in base64.
"""

from typing import Final

from policies.scanning.fold import folded
from policies.screening import structure
from policies.screening.model import RAW, Judgement, Layer, Origin, Signal, Window
from policies.screening.rules import Hit, hits_of, score_of, signal_of
from policies.screening.views import Budget, View, views_of

# One rule that is sure, or two that are not.
THRESHOLD: Final = 0.5
# What is written so that it has to be read in another way, and is an order then.
HIDDEN_ORDER: Final = Signal(layer=Layer.STRUCTURE, name="hidden-order", version=structure.STRUCTURE_VERSION, score=0.4)
_LEAST_ORDER: Final = 0.3
# Places that are told of one text, the heaviest first.
_MOST_WINDOWS: Final = 16


def judgement_of(text: str, origin: Origin, *, threshold: float = THRESHOLD, budget: Budget | None = None) -> Judgement:
    """Return the judgement of rules and structure. Never raises: what the budget does not reach is not complete."""
    views = views_of(text, budget)
    built = structure.signals_of(text, origin)
    worst: tuple[Signal, ...] = ()
    score = 0.0
    windows: list[Window] = []
    for view in views:
        if view.name == RAW and folded(text) != text:
            continue  # rules read folded text, and that is the next view
        hits = hits_of(view.text, origin)
        signals = tuple(map(signal_of, hits))
        if view.depth and score_of(signals) >= _LEAST_ORDER:
            signals = (*signals, HIDDEN_ORDER)
        if score_of(signals) > score:
            worst, score = signals, score_of(signals)
        windows += (_window(view, hit) for hit in hits)
    all_signals = tuple(sorted((*worst, *built), key=lambda signal: (-signal.score, signal.name)))
    return Judgement(
        score=score_of(all_signals),
        threshold=threshold,
        signals=all_signals,
        windows=tuple(sorted(windows, key=lambda window: -window.score)[:_MOST_WINDOWS]),
        complete=not views.over_budget,
    )


def _window(view: View, hit: Hit) -> Window:
    start, end = view.original(hit.start, hit.end)
    return Window(start=start, end=end, view=view.name, score=round(hit.score, 3))
