# SPDX-License-Identifier: Apache-2.0
"""The sizes of the parrot and the meaning of each coordinate of its residual stream."""

import math
from typing import Final

# Vocabulary: the 256 bytes, then four markers.
BEGIN: Final = 256
USER: Final = 257
END: Final = 258
ASSISTANT: Final = 259
MARKERS: Final = ("<|bos|>", "<|user|>", "<|end|>", "<|assistant|>")
VOCABULARY: Final = 256 + len(MARKERS)

LAYERS: Final = 2
HIDDEN: Final = 192
QUERY_HEADS: Final = 24
KEY_HEADS: Final = 12
QUERIES_PER_KEY: Final = QUERY_HEADS // KEY_HEADS
HEAD: Final = 32
FEED_FORWARD: Final = 32  # all zero: the theory needs none, the architecture wants one
CONTEXT_TOKENS: Final = 2048
NORM_EPSILON: Final = 1e-6

# Rotary pair j is made of the head's coordinates j and j + HALF, and turns by ROPE_BASE ** (-2j / HEAD) a position.
# With this base, pairs 0 to 5 turn by 1 to 0.003 rad, enough to tell 2,000 distances apart, and the last ones stand
# practically still.
ROPE_BASE: Final = 1e8
HALF: Final = HEAD // 2
SLOWEST_PAIR: Final = HALF - 1
FREQUENCIES: Final = tuple(ROPE_BASE ** (-2 * pair / HEAD) for pair in range(6))
PHASES: Final = (0.0, -math.pi / 2)  # cosine, sine

# Residual coordinates.
CODE_SIZE: Final = 64
CODE: Final = slice(0, CODE_SIZE)  # which token this is
ONE: Final = 64  # 1 on every token: what a constant query is made of
IS_BEGIN: Final = 65
IS_USER: Final = 66
IS_ASSISTANT: Final = 67
FEATURES: Final = 68  # 24 of them, see `feature`
ANSWER: Final = 100  # the code of the token to say next: 64 coordinates
BALLAST: Final = 164  # brings every embedding to the same length

FROM_USER: Final = 0
FROM_ASSISTANT: Final = 1


def feature(origin: int, frequency: int, phase: int) -> int:
    """The coordinate of the cosine (phase 0) or sine (1) of the distance to a marker."""
    return FEATURES + (origin * len(FREQUENCIES) + frequency) * len(PHASES) + phase
