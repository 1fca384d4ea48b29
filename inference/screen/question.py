# SPDX-License-Identifier: Apache-2.0
"""What the screen is asked and what it answers, and how much a question may cost.

MUST NOT put text into an answer: whatever stands there may be recorded, logged or sent.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

from policies.screening.model import Judgement, Origin

Score: TypeAlias = float
# One for each piece, in order; None for what was not scored in time.
Scores: TypeAlias = tuple[Score | None, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """A window as a classifier takes it. Equal pieces have equal scores."""

    text: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class Input:
    text: str
    origin: Origin = Origin.USER


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What one question may cost; beyond it its answer is not complete.

    `chars` is of all texts together, `windows` counts different ones. What one text is read as beyond what it is has a
    budget of its own, in proportion to its length: `policies.screening.views.Budget`.
    """

    chars: int = 4_194_304
    windows: int = 32_768


BOUNDS: Final = Bounds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Versions:
    """By what was judged."""

    rules: str
    structure: str
    classifier: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A judgement of each input, in order, and of what stands across their seams where that was asked for."""

    results: tuple[Judgement, ...]
    joined: Judgement | None
    versions: Versions

    @property
    def complete(self) -> bool:
        return all(each.complete for each in (*self.results, *((self.joined,) if self.joined else ())))
