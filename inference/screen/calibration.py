# SPDX-License-Identifier: Apache-2.0
"""From a model's logits to a probability: a few numbers, fitted on texts of sources the models had not seen."""

import math
from collections.abc import Sequence


def sigmoid(value: float) -> float:
    # exp() of a large positive number overflows; of a large negative one it is 0.
    if value >= 0:
        return 1 / (1 + math.exp(-value))
    small = math.exp(value)
    return small / (1 + small)


def probability(factors: Sequence[float], logits: Sequence[float]) -> float:
    """The probability under factors, one for each logit and the offset last."""
    *scales, offset = factors
    return sigmoid(sum(scale * logit for scale, logit in zip(scales, logits, strict=True)) + offset)


def expected_error(
    probabilities: Sequence[float], labels: Sequence[bool], weights: Sequence[float], *, bins: int = 10
) -> float:
    """How far stated probabilities are from what occurs, on average over bins of equal width (ECE)."""
    error = 0.0
    for at in range(bins):
        error += abs(
            sum(
                weight * (stated - label)
                for stated, label, weight in zip(probabilities, labels, weights, strict=True)
                if min(bins - 1, int(stated * bins)) == at
            )
        )
    return error / sum(weights)
