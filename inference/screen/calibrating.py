# SPDX-License-Identifier: Apache-2.0
"""A threshold for a wanted rate of false alarms, from texts that are known to be harmless.

Theory. With n harmless texts, of which k reach a threshold, k/n of those to come are expected to; how far off that may
be is what Clopper and Pearson's bound says. It holds for texts like those that were given, and for no others.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from inference.screen.question import Versions
from policies.screening.model import Origin

CONFIDENCE: Final = 0.95
# A policy's thresholds have so many steps.
STEPS: Final = 10_000
_HALVINGS: Final = 60


class TooFewTexts(Exception):
    """So few texts say nothing of so low a rate. Says how many it takes."""


class OutOfReach(Exception):
    """No threshold gives the rate: too many of the texts have the highest score there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrated:
    """`alarm_count` of `text_count` texts reach `threshold`; of those to come at most `most_rate` do, by CONFIDENCE."""

    threshold: float
    text_count: int
    alarm_count: int
    most_rate: float

    @property
    def rate(self) -> float:
        return self.alarm_count / self.text_count


def least_texts(rate: float) -> int:
    """How many texts it takes: of fewer, none reaching the threshold would not show that the rate is that low."""
    return math.ceil(math.log(1 - CONFIDENCE) / math.log1p(-rate))


def calibrated(scores: Sequence[float], rate: float) -> Calibrated:
    """The lowest threshold that at most `rate` of the scores reach. Raises TooFewTexts, OutOfReach."""
    if len(scores) < (needed := least_texts(rate)):
        raise TooFewTexts(f"{len(scores)} texts are too few for a rate of {rate:g}: give {needed} or more")
    ordered = sorted(scores, reverse=True)
    allowed = math.floor(rate * len(ordered))
    # Above the first score that may not reach it any more, in a policy's steps.
    step = math.floor(ordered[allowed] * STEPS) + 1
    if step > STEPS:
        raise OutOfReach(f"{allowed + 1} of {len(ordered)} texts have the highest score: no threshold gives {rate:g}")
    alarms = sum(score >= step / STEPS for score in ordered)
    return Calibrated(
        threshold=step / STEPS,
        text_count=len(ordered),
        alarm_count=alarms,
        most_rate=upper_bound(alarms, len(ordered)),
    )


def policy_snippet(found: Mapping[Origin, Calibrated], rate: float, versions: Versions) -> str:
    """The part of a screening policy's `spec` that these thresholds are for, as YAML."""
    lines = [
        f"# Thresholds for {rate:.2%} of false alarms, by classifier {versions.classifier}, rules {versions.rules}.",
        "# They hold for texts like those they were found with, and for these versions.",
        "classifier:",
        "  - id: injection",
        "    effect: deny",
        f"    fields: [{', '.join(found)}]",
        "    thresholds:",
    ]
    for origin, each in found.items():
        reached = f"{each.alarm_count} of {each.text_count} texts reach it ({each.rate:.2%})"
        lines.append(f"      # {reached}; {CONFIDENCE:.0%} confident that at most {each.most_rate:.2%} do")
        lines.append(f"      {origin}: {each.threshold}")
    return "\n".join(lines) + "\n"


def upper_bound(count: int, of: int) -> float:
    """The highest rate under which `count` or fewer of `of` are not less likely than 1 - CONFIDENCE."""
    if count >= of:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _at_most(count, of, middle) > 1 - CONFIDENCE else (low, middle)
    return high


def _at_most(count: int, of: int, rate: float) -> float:
    """How likely `count` or fewer of `of` are at a rate above 0 and below 1."""
    total = 0.0
    for number in range(count + 1):
        ways = math.lgamma(of + 1) - math.lgamma(number + 1) - math.lgamma(of - number + 1)
        total += math.exp(ways + number * math.log(rate) + (of - number) * math.log1p(-rate))
    return total
