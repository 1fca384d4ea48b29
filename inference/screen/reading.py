# SPDX-License-Identifier: Apache-2.0
"""Reads one text as the rules do: its views, what they notice in each, and the windows a classifier is to look at."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from inference.screen.merging import worst_signals
from policies.screening.judging import HIDDEN_ORDER
from policies.screening.model import Origin, Signal
from policies.screening.rules import score_of
from policies.screening.rules import signals_of as rule_signals_of
from policies.screening.structure import signals_of as structure_signals_of
from policies.screening.views import View, views_of
from policies.screening.windows import windows_of

# Signals that amount to less are no order, in whatever way they are written.
_LEAST_ORDER: Final = 0.3


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in the text as it was given, in code points, and as what it was read."""

    start: int
    end: int
    view: str


@dataclass(frozen=True, slots=True)
class Cut:
    """A window of a view, or a sentence, which shows what a window dilutes and lacks what stands around it."""

    text: str
    place: Place
    is_sentence: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    signals: tuple[Signal, ...]
    cuts: tuple[Cut, ...]
    complete: bool


def read(text: str, origin: Origin, is_over: Callable[[], bool]) -> Reading:
    """All of the text in all of its views, as far as there is room and time."""
    views = views_of(text)
    complete = not views.over_budget
    signals = list(structure_signals_of(text, origin))
    cuts: list[Cut] = []
    for view in views.views:
        if is_over():
            complete = False
            break
        found = rule_signals_of(view.text, origin)
        signals += found
        if view.depth and score_of(found) >= _LEAST_ORDER:
            signals.append(HIDDEN_ORDER)
        cuts += _cuts_of(view)
    return Reading(signals=worst_signals(signals), cuts=tuple(cuts), complete=complete)


def _cuts_of(view: View) -> Iterator[Cut]:
    is_sentence, last = False, -1
    for span in windows_of(view.text):
        # Windows come first, each behind the one before; then the sentences, from the text's beginning.
        is_sentence = is_sentence or span.start <= last
        last = span.start
        place = Place(*view.original(span.start, span.end), view.name)
        yield Cut(view.text[span.start : span.end], place, is_sentence)
