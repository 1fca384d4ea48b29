# SPDX-License-Identifier: Apache-2.0
"""What the rules find in a text: signals, of which each says how much it weighs, and none is a verdict.

Theory. A pattern is classes of words that follow each other closely. Of each beginning of a pattern the latest places
are kept: they are the nearest to whatever follows, so that no earlier one finds more. One pass over the words of a text
therefore tells what is found, in time that grows with the text and with the number of patterns a word is in.

A person may ask about an attack: what stands in quotation marks, or where the text speaks about attacks, weighs less
there. What a model is only given to read is no question, and weighs as much as ever.
"""

import functools
import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from policies.screening.lexicon import Meaning, lexicon, plainly
from policies.screening.model import Layer, Origin, Signal
from policies.screening.rule_table import RULES_VERSION, Rule, Step, families, rules

__all__ = ["RULES_VERSION", "Hit", "hits_of", "score_of", "signal_of", "signals_of"]

_QUOTED: Final = re.compile(r"\"[^\"\n]{2,600}\"|(?<!\w)'[^'\n]{2,600}'(?!\w)|`[^`\n]{2,600}`|«[^»\n]{2,600}»")
_QUOTED_WEIGHT: Final = 0.5
# Speaking about attacks and quoting one as well.
_SPOKEN_OF_WEIGHT: Final = 0.35
# How many words before a hit may say that it is spoken about.
_ABOUT_WORDS: Final = 14


@dataclass(frozen=True, slots=True)
class Hit:
    """What a rule found in `folded(text)[start:end]`, and how much that weighs by itself."""

    rule: Rule
    start: int
    end: int
    score: float


def signals_of(text: str, origin: Origin) -> tuple[Signal, ...]:
    """Return the signals of a text, one for each rule that finds anything, the heaviest first."""
    return tuple(map(signal_of, hits_of(text, origin)))


def signal_of(hit: "Hit") -> Signal:
    return Signal(layer=Layer.RULES, name=hit.rule.id, version=RULES_VERSION, score=round(hit.score, 3))


def score_of(signals: Sequence[Signal]) -> float:
    """Return how likely an order is by signals alone: each family is one more reason, as if they were independent."""
    reasons: dict[str, float] = {}
    for signal in signals:
        family = families().get(signal.name, signal.name)
        reasons[family] = max(reasons.get(family, 0.0), signal.score)
    return round(1 - math.prod(1 - reason for reason in reasons.values()), 4)


def hits_of(text: str, origin: Origin) -> tuple[Hit, ...]:
    """Return the heaviest hit of each rule that weighs anything, the heaviest first."""
    plain = plainly(text)
    meanings = lexicon().meanings(plain)
    speech = _Speech(plain, meanings)
    best: dict[str, Hit] = {}
    for rule, start, end in (*_of_patterns(meanings), *_of_expressions(plain)):
        score = rule.weight(origin)
        if score and rule.quotable and not origin.is_given:
            score *= speech.weight(start, end)
        if score and (rule.id not in best or best[rule.id].score < score):
            best[rule.id] = Hit(rule, start, end, score)
    return tuple(sorted(best.values(), key=lambda hit: (-hit.score, hit.rule.id)))


class _Speech:
    """How a text speaks of what stands in it."""

    def __init__(self, plain: str, meanings: Sequence[Meaning]) -> None:
        quoted = [found.span() for found in _QUOTED.finditer(plain)]
        self._starts = [start for start, _ in quoted]
        self._ends = [end for _, end in quoted]
        about = [meaning for meaning in meanings if meaning.of == "ABOUT"]
        self._about = [meaning.start for meaning in about]
        self._attacks = any(meaning.of == "ABOUT_ATTACKS" for meaning in meanings)

    def weight(self, start: int, end: int) -> float:
        # What a pattern ends with is what is spoken of; what it begins with may be who speaks.
        number = bisect_left(self._starts, end) - 1
        quoted = number >= 0 and end <= self._ends[number]
        number = bisect_right(self._about, start) - 1
        about = number >= 0 and start - self._about[number] < _ABOUT_WORDS * 6
        if (quoted and about) or (self._attacks and (quoted or about)):
            return _SPOKEN_OF_WEIGHT
        return _QUOTED_WEIGHT if quoted or self._attacks else 1.0


@dataclass(frozen=True, slots=True)
class _Place:
    """A step of a pattern: the number of the pattern among all, and of the step in it."""

    pattern: int
    step: int


@functools.cache
def _patterns() -> tuple[tuple[Rule, tuple[Step, ...]], ...]:
    return tuple((rule, steps) for rule in rules() for steps in rule.patterns)


@functools.cache
def _places() -> Mapping[str, tuple[_Place, ...]]:
    """Give where each class stands in patterns, later steps first: no word is two steps of one pattern."""
    places: dict[str, list[_Place]] = {}
    for number, (_, steps) in enumerate(_patterns()):
        for at in reversed(range(len(steps))):
            places.setdefault(steps[at].of, []).append(_Place(number, at))
    return {of: tuple(found) for of, found in places.items()}


# Where the beginning of a pattern up to some step ends, and where in the text it starts.
_Begun: TypeAlias = tuple[int, int]


def _of_patterns(meanings: Sequence[Meaning]) -> Iterator[tuple[Rule, int, int]]:
    patterns, places = _patterns(), _places()
    # The latest for each place, and the one before it: that may reach into what follows.
    latest: dict[_Place, tuple[_Begun, _Begun | None]] = {}
    begun: list[tuple[_Place, _Begun]] = []
    first = -1
    for meaning in meanings:
        if meaning.first != first:
            # One word is not two steps, whichever classes it is of.
            for place, beginning in begun:
                latest[place] = beginning, latest.get(place, (None,))[0]
            begun.clear()
            first = meaning.first
        for place in places.get(meaning.of, ()):
            rule, steps = patterns[place.pattern]
            start: int | None = meaning.start
            if place.step:
                before = latest.get(_Place(place.pattern, place.step - 1), ())
                start = _start_within(before, first, steps[place.step].gap)
            if start is None:
                continue
            if place.step == len(steps) - 1:
                yield rule, start, meaning.end
            else:
                begun.append((place, (meaning.last, start)))


def _start_within(begun: Sequence[_Begun | None], first: int, gap: int) -> int | None:
    for beginning in begun:
        if beginning is not None and 0 < first - beginning[0] <= gap + 1:
            return beginning[1]
    return None


def _of_expressions(plain: str) -> Iterator[tuple[Rule, int, int]]:
    for rule in rules():
        if rule.needs in plain:
            for expression in rule.expressions:
                if found := expression.search(plain):
                    yield rule, *found.span()
            every = [expression.search(plain) for expression in rule.all_of]
            spans = [found.span() for found in every if found]
            if spans and len(spans) == len(every):
                yield rule, min(spans)[0], max(end for _, end in spans)
