# SPDX-License-Identifier: Apache-2.0
"""The classifier for a plain install: a logistic regression over hashed n-grams of bytes and words. No torch, no numpy.

It knows wording, not meaning. That is little where an attack is worded anew, and it still notices what it has seen in
another spelling. The weights are one signed byte for each bucket, so that the file stays small.
"""

import math
import re
import unicodedata
import zlib
from collections.abc import Iterator
from typing import Final

from inference.screen.tensors import Tensors, WeightsRefused

BUCKETS: Final = 1 << 17
GRAM_BYTES: Final = (3, 4, 5)
# Bytes in a window; each shares a third with the one before. About the length of three or four sentences.
WINDOW_BYTES: Final = 768
STRIDE_BYTES: Final = 512
WORD: Final = re.compile(r"\w+|[^\w\s]")
# Where a word n-gram's hash begins, so that it never shares a bucket with the same bytes on purpose.
WORDS_SEED: Final = 0x5EED


def windows_of(text: str) -> Iterator[bytes]:
    """The text as the model reads it (one alphabet of widths, one case, single blanks), in overlapping windows."""
    content = " ".join(unicodedata.normalize("NFKC", text).casefold().split()).encode("utf-8", "replace")
    start = 0
    while True:
        yield content[start : start + WINDOW_BYTES]
        if start + WINDOW_BYTES >= len(content):
            return
        start += STRIDE_BYTES


def buckets_of(window: bytes) -> set[int]:
    """The buckets of what occurs in the window, however often."""
    crc32, mask = zlib.crc32, BUCKETS - 1
    padded = b" " + window + b" "
    found = {
        crc32(padded[at : at + size]) & mask for size in GRAM_BYTES for at in range(max(0, len(padded) - size + 1))
    }
    words = [word.encode() for word in WORD.findall(window.decode("utf-8", "replace"))]
    found.update(crc32(word, WORDS_SEED) & mask for word in words)
    for gap in (1, 2):
        # Neighbours, and words with one between: an adjective in the middle changes little.
        pairs = zip(words, words[gap:], strict=False)
        found.update(crc32(b"%b %d %b" % (one, gap, other), WORDS_SEED) & mask for one, other in pairs)
    return found


class NgramModel:
    """A logit for a text: that of its window which scores highest."""

    def __init__(self, tensors: Tensors) -> None:
        try:
            weights = tensors.tensors["ngram.weight"]
            scale, bias = tensors.tensors["ngram.scale_bias"].numbers
        except (KeyError, ValueError) as exc:
            raise WeightsRefused("the n-gram weights lack a tensor") from exc
        if weights.shape != (BUCKETS,):
            raise WeightsRefused(f"the n-gram weights have shape {weights.shape}, not ({BUCKETS},)")
        self._weights = weights.numbers
        self._scale = scale
        self._bias = bias

    def logit(self, text: str) -> float:
        return max(self._window_logit(window) for window in windows_of(text))

    def _window_logit(self, window: bytes) -> float:
        buckets = buckets_of(window)
        weights = self._weights
        # Summed as integers: in whatever order a set gives them, the same sum.
        total = sum(int(weights[bucket]) for bucket in buckets)
        return self._bias + self._scale * total / math.sqrt(max(1, len(buckets)))
