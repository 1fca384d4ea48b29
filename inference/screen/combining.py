# SPDX-License-Identifier: Apache-2.0
"""One probability of what all layers say of a text.

Theory. The worst window decides. A sentence by itself shows an order that its window dilutes, and lacks the words that
make it a quotation or an example: so it raises what its text's windows say half of the way, in log odds. A rule that
finds something is a reason by itself, and so is an order that is hidden in an encoding. What else structure notices is
told and does not count: taken alone it is as common in harmless texts.
"""

import math
from collections.abc import Iterable
from typing import Final

from policies.screening.judging import HIDDEN_ORDER
from policies.screening.model import Layer, Signal

_SENTENCE_SHARE: Final = 0.5
# Beyond these log odds a probability says no more than "surely".
_SURELY: Final = 12.0


def classified_by(scores: Iterable[tuple[float, bool]]) -> float:
    """The classifier's probability for a text, from those of its windows and, where the second is true, sentences."""
    window = sentence = 0.0
    for score, is_sentence in scores:
        if is_sentence:
            sentence = max(sentence, score)
        else:
            window = max(window, score)
    if sentence <= window:
        return window
    return _probability(_log_odds(window) + _SENTENCE_SHARE * (_log_odds(sentence) - _log_odds(window)))


def combined(classified: float, signals: Iterable[Signal]) -> float:
    """The classifier's probability, raised by the strongest rule and by hiding: each alone is a reason."""
    rule = hidden = 0.0
    for signal in signals:
        if signal.layer is Layer.RULES:
            rule = max(rule, signal.score)
        elif signal.name == HIDDEN_ORDER.name:
            hidden = signal.score
    return 1 - (1 - classified) * (1 - rule) * (1 - hidden) if rule or hidden else classified


def _log_odds(probability: float) -> float:
    if probability <= 0:
        return -_SURELY
    if probability >= 1:
        return _SURELY
    return max(-_SURELY, min(_SURELY, math.log(probability / (1 - probability))))


def _probability(log_odds: float) -> float:
    return 1 / (1 + math.exp(-log_odds))
