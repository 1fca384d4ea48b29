# SPDX-License-Identifier: Apache-2.0
"""A judge whose reader and scorer are simple enough to foretell: an order is a text with EVIL in it."""

import re
from itertools import pairwise

from inference.screen.judge import Judge
from inference.screen.question import Bounds, Versions
from inference.screen.reading import Cut, Place, Reading
from policies.screening.model import Layer, Origin, Signal

VERSIONS = Versions(rules="r", structure="s", classifier="fake/1")
THRESHOLDS = dict.fromkeys(Origin, 0.5)


class FakeScorer:
    name = "fake"
    version = "1"

    def __init__(self):
        self.asked = []

    def score(self, texts, origins):
        self.asked += zip(texts, origins, strict=True)
        return [self.score_of(text, origin) for text, origin in zip(texts, origins, strict=True)]

    def score_of(self, text, origin):
        if "EVIL" in text:
            return 0.9
        return 0.1 if origin is Origin.USER else 0.2


def read_words(text, origin, is_over):
    """Windows are pairs of words, and reversed words a view. RULE is a rule's."""
    words = list(re.finditer(r"\S+", text))
    pairs = [(one.start(), other.end()) for one, other in pairwise(words)]
    spans = pairs or [(word.start(), word.end()) for word in words]
    cuts = [Cut(text[start:end], Place(start, end, "raw"), is_sentence=False) for start, end in spans]
    cuts += [Cut(word[0][::-1], Place(*word.span(), "backwards"), is_sentence=False) for word in words]
    signals = (Signal(layer=Layer.RULES, name="rule", version="r", score=0.4),) if "RULE" in text else ()
    return Reading(signals=signals, cuts=tuple(cuts), complete=not is_over() and "BOMB" not in text)


def judge_of(scorer, **bounds):
    return Judge(scorer, versions=VERSIONS, thresholds=THRESHOLDS, bounds=Bounds(**bounds), read=read_words)
