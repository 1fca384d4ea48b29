# SPDX-License-Identifier: Apache-2.0
"""What is counted, as numbers with names: what a worker tells its node. Standard library only; the node imports it."""

from bisect import bisect_left
from typing import Final, TypeAlias

from policies.contracts.codec import JSON

Series: TypeAlias = tuple[str, tuple[str, ...], int | list[int]]
"""A family's name, the label values, and a number; of a histogram its buckets' counts and then the sum in ns."""

# Local work takes tens of microseconds, an upstream's answer up to minutes.
BUCKETS_S: Final = (
    *(0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0),
)
_BOUNDS_NS: Final = tuple(round(bound * 1e9) for bound in BUCKETS_S)


class Histogram:
    """Counts of durations by bucket; the last is for those beyond every bound."""

    __slots__ = ("counts", "sum_ns")

    def __init__(self) -> None:
        self.counts = [0] * (len(_BOUNDS_NS) + 1)
        self.sum_ns = 0

    def observe(self, duration_ns: int) -> None:
        self.counts[bisect_left(_BOUNDS_NS, duration_ns)] += 1
        self.sum_ns += duration_ns

    def read(self) -> list[int]:
        return [*self.counts, self.sum_ns]


def to_json(series: list[Series]) -> list[JSON]:
    return [[name, list(labels), value if isinstance(value, int) else [*value]] for name, labels, value in series]
