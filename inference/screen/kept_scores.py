# SPDX-License-Identifier: Apache-2.0
"""Scores of windows that were scored a while ago, in memory alone and without the text."""

import os
from collections import OrderedDict
from hashlib import blake2b

from inference.screen.question import Piece, Score


class KeptScores:
    """The last `most` scores asked for, by a keyed digest: nobody can prepare windows that are taken for each other."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._key = os.urandom(32)
        self._scores: OrderedDict[bytes, Score] = OrderedDict()

    def __len__(self) -> int:
        return len(self._scores)

    def get(self, piece: Piece) -> Score | None:
        digest = self._digest(piece)
        score = self._scores.get(digest)
        if score is not None:
            self._scores.move_to_end(digest)
        return score

    def put(self, piece: Piece, score: Score) -> None:
        self._scores[self._digest(piece)] = score
        while len(self._scores) > self._most:
            self._scores.popitem(last=False)

    def _digest(self, piece: Piece) -> bytes:
        # What is decoded may hold half a surrogate pair.
        text = piece.text.encode("utf-8", "surrogatepass")
        return blake2b(text, digest_size=16, key=self._key, person=piece.origin.encode()[:16]).digest()
