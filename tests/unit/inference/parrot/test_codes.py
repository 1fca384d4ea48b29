# SPDX-License-Identifier: Apache-2.0
import itertools
import math

from inference.parrot.codes import code_words
from inference.parrot.geometry import VOCABULARY


def test_every_token_has_a_unit_code_far_from_all_others():
    words = code_words()
    assert len(words) == VOCABULARY
    assert all(math.isclose(sum(x * x for x in word), 1) for word in words)
    nearest = max(
        sum(a * b for a, b in zip(one, other, strict=True)) for one, other in itertools.combinations(words, 2)
    )
    assert nearest <= 3 / 8
