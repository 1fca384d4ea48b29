# SPDX-License-Identifier: Apache-2.0
"""Mutations of seeds: bytes flipped, removed, doubled, moved between seeds, and fragments put in."""

import random
from collections.abc import Iterator, Sequence

from tests.fuzz.seeds import FRAGMENTS

_MOST_STEPS = 4
_LONGEST = 16 * 1024


def mutations(seeds: Sequence[bytes], *, seed: int) -> Iterator[bytes]:
    """Yield inputs without end: the seeds themselves first, then mutations that `seed` chooses."""
    yield from seeds
    chosen = random.Random(seed)
    while True:
        data = bytearray(chosen.choice(seeds))
        for _ in range(chosen.randint(1, _MOST_STEPS)):
            _step(data, chosen, seeds)
        yield bytes(data[:_LONGEST])


def _step(data: bytearray, chosen: random.Random, seeds: Sequence[bytes]) -> None:
    at = chosen.randint(0, len(data))
    end = min(len(data), at + chosen.choice((1, 2, 8, 64)))
    match chosen.randrange(6):
        case 0:
            data[at:end] = bytes(chosen.randrange(256) for _ in range(end - at))
        case 1:
            del data[at:end]
        case 2:
            data[at:at] = data[at:end] * chosen.choice((1, 2, 50))
        case 3:
            other = chosen.choice(seeds)
            start = chosen.randint(0, len(other))
            data[at:end] = other[start : start + chosen.choice((4, 32, 256))]
        case _:
            data[at : chosen.choice((at, end))] = chosen.choice(FRAGMENTS)
