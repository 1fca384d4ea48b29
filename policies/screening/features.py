# SPDX-License-Identifier: Apache-2.0
"""What rules and structure say of a text as a vector of numbers from 0 to 1, for a classifier to learn from.

A vector is only good for what was trained on vectors of the same FEATURES_VERSION: the version changes with any name,
its place or its meaning. Nothing is decoded here: give each view by itself.
"""

import functools
import math
from typing import Final

from policies.screening.lexicon import lexicon, plainly
from policies.screening.model import Origin
from policies.screening.rule_table import RULES_VERSION, rules
from policies.screening.rules import hits_of, score_of, signal_of
from policies.screening.structure import MEASURES, STRUCTURE_VERSION, measures_of

_LONGEST: Final = 16.0  # the logarithm of some nine million characters

FEATURES_VERSION: Final = f"1.{RULES_VERSION}.{STRUCTURE_VERSION}"
_OF_TEXT: Final = ("length", "speaks-of-attacks", "asks-about")
_OF_ORIGIN: Final = ("origin-user", "origin-given", "origin-orders")


@functools.cache
def feature_names() -> tuple[str, ...]:
    """Return what each number of `features_of` is about: each rule, all rules, structure, the text, its origin."""
    return (
        *(f"rule-{rule.id}" for rule in rules()),
        "rules",
        *(f"structure-{name}" for name in MEASURES),
        *_OF_TEXT,
        *_OF_ORIGIN,
    )


def features_of(text: str, origin: Origin) -> tuple[float, ...]:
    """Return the features of a text, in the order of `feature_names`."""
    hits = hits_of(text, origin)
    scores = {hit.rule.id: hit.score for hit in hits}
    meanings = lexicon().meanings(plainly(text))
    classes = {meaning.of for meaning in meanings}
    return (
        *(scores.get(rule.id, 0.0) for rule in rules()),
        score_of([signal_of(hit) for hit in hits]),
        *measures_of(text, meanings),
        min(1.0, math.log1p(len(text)) / _LONGEST),
        float("ABOUT_ATTACKS" in classes),
        float("ABOUT" in classes),
        float(not (origin.is_given or origin.orders)),
        float(origin.is_given),
        float(origin.orders),
    )
