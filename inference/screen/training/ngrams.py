# SPDX-License-Identifier: Apache-2.0
"""Fits the n-gram model: logistic regression by Adagrad over the buckets of each text's windows."""

import math
import random
from array import array
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from inference.screen.calibration import sigmoid
from inference.screen.ngram import BUCKETS, NgramModel, buckets_of, windows_of
from inference.screen.tensors import Tensor, Tensors
from inference.screen.training.corpus import Row
from inference.screen.training.heads import SMOOTHING, weights_of

EPOCHS: Final = 8
RATE: Final = 0.4
RIDGE: Final = 3e-5
LARGEST: Final = 127

Buckets = list[list[np.ndarray[Any, Any]]]


def all_buckets(texts: Sequence[str]) -> Buckets:
    """Of each text, the buckets of each window."""
    return [[np.array(sorted(buckets_of(window)), dtype=np.int64) for window in windows_of(text)] for text in texts]


def fit_ngram(rows: Sequence[Row], numbers: Sequence[int], buckets: Buckets, *, seed: int) -> NgramModel:
    """The model trained on those rows of all whose numbers are given, in the precision of its file."""
    return NgramModel(Tensors(tensors=fit_tensors(rows, numbers, buckets, seed=seed), notes={}, digest=""))


def fit_tensors(rows: Sequence[Row], numbers: Sequence[int], buckets: Buckets, *, seed: int) -> dict[str, Tensor]:
    chance = random.Random(seed)  # noqa: S311 - reproducible, and nothing secret
    weights = dict(zip(numbers, weights_of([rows[number] for number in numbers]), strict=True))
    found = np.zeros(BUCKETS)
    squares = np.full(BUCKETS, 1e-4)
    bias, bias_square = 0.0, 1e-4
    order = list(numbers)
    for _ in range(EPOCHS):
        chance.shuffle(order)
        for number in order:
            windows = buckets[number]
            logits = [bias + found[own].sum() / math.sqrt(len(own)) for own in windows if len(own)]
            if not logits:
                continue
            best = max(range(len(logits)), key=logits.__getitem__)
            own = [each for each in windows if len(each)][best]
            wanted = (1 - 2 * SMOOTHING) * rows[number].injection + SMOOTHING
            miss = weights[number] * (sigmoid(logits[best]) - wanted)
            slope = miss / math.sqrt(len(own)) + RIDGE * found[own]
            squares[own] += slope * slope
            found[own] -= RATE * slope / np.sqrt(squares[own]) / math.sqrt(len(own)) * 4
            bias_square += miss * miss
            bias -= 0.05 * RATE * miss / math.sqrt(bias_square)
    scale = float(np.quantile(np.abs(found), 0.9999)) / LARGEST or 1.0
    small = np.clip(np.rint(found / scale), -LARGEST, LARGEST).astype(int)
    return {
        "ngram.weight": Tensor((BUCKETS,), array("b", small.tolist())),
        "ngram.scale_bias": Tensor((2,), array("f", [scale, bias])),
    }
