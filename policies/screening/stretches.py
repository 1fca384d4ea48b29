# SPDX-License-Identifier: Apache-2.0
"""Where a text reads better in another way: the stretches in which evidence adds up, in one pass.

Theory. Each word speaks for the other reading, or against it. A stretch is where the sum climbs from nothing to its
highest; it ends where it falls back to nothing, or by more than DROP. So one sentence in a cipher stands out of a long
text that is none, and a word that is one by chance does not.
"""

from collections.abc import Iterable, Iterator
from typing import Final

DROP: Final = 4.0
# What says no more against a reading is a word that is not known.
AGAINST: Final = -0.5
# Two long words, or four short ones.
LEAST: Final = 3.0


def stretches(evidence: Iterable[tuple[int, int, float]], least: float = LEAST) -> Iterator[tuple[int, int]]:
    """Give the spans in which evidence, of which each piece is a span and what it says, adds up to `least` or more.

    What says next to nothing beside one belongs to it: a name in a cipher is no word in any reading.
    """
    climb = None
    neutral_from: int | None = None
    for start, end, gain in evidence:
        if climb is None and gain > 0:
            climb = _Climb(start if neutral_from is None else neutral_from, end)
        if climb is None:
            neutral_from = None if gain <= AGAINST else start if neutral_from is None else neutral_from
        elif climb.is_over(end, gain):
            if climb.best >= least:
                yield climb.start, climb.end
            climb = neutral_from = None
    if climb is not None and climb.best >= least:
        yield climb.start, climb.end


class _Climb:
    """A sum from where it left nothing. `end` is behind its highest, and behind what says next to nothing there."""

    __slots__ = ("_is_at_end", "_total", "best", "end", "start")

    def __init__(self, start: int, end: int) -> None:
        self.start = start
        self.end = end
        self.best = 0.0
        self._total = 0.0
        self._is_at_end = True

    def is_over(self, end: int, gain: float) -> bool:
        """Add what a piece says. Returns whether the sum has fallen too far to go on."""
        self._total += gain
        if self._total > self.best:
            self.best, self.end, self._is_at_end = self._total, end, True
        elif self._is_at_end and gain > AGAINST:
            self.end = end
        else:
            self._is_at_end = False
        return self._total <= 0 or self._total <= self.best - DROP
