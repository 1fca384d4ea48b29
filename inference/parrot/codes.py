# SPDX-License-Identifier: Apache-2.0
"""One code word for each token: unit vectors of signs, far from one another.

They come from SHA-256 rather than from a library's random numbers, so that another release of it cannot change a byte.
"""

import hashlib
from typing import Final

from inference.parrot.geometry import CODE_SIZE, VOCABULARY

# Of 64 signs, two code words agree in at most 44: their inner product is at most 3/8. What is left of a token's logit
# over that of its nearest rival is then 5/8, which is what makes sampling at temperature 2 still exact.
MOST_AGREEMENTS: Final = 44
_MASK: Final = (1 << CODE_SIZE) - 1


def code_words() -> list[list[float]]:
    """The vocabulary's code words in the order of the tokens, each of length 1."""
    chosen: list[int] = []
    candidate = 0
    while len(chosen) < VOCABULARY:
        digest = hashlib.sha256(b"parrot code word %d" % candidate).digest()
        word = int.from_bytes(digest[: CODE_SIZE // 8], "big")
        candidate += 1
        if all(_agreements(word, other) <= MOST_AGREEMENTS for other in chosen):
            chosen.append(word)
    size = CODE_SIZE**-0.5
    return [[size if word >> bit & 1 else -size for bit in range(CODE_SIZE)] for word in chosen]


def _agreements(one: int, other: int) -> int:
    return (~(one ^ other) & _MASK).bit_count()
