# SPDX-License-Identifier: Apache-2.0
"""Sets of whole numbers that are mostly runs: the numbers of a source that are missing, or accounted for."""

from bisect import bisect_right
from collections.abc import Iterator


class Intervals:
    """A set of numbers, kept as disjoint runs in their order. `len` counts the runs, `total` the numbers."""

    __slots__ = ("_begins", "_ends")

    def __init__(self) -> None:
        self._begins: list[int] = []
        self._ends: list[int] = []  # exclusive

    def __len__(self) -> int:
        return len(self._begins)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self._begins, self._ends, strict=True)

    @property
    def total(self) -> int:
        return sum(self._ends) - sum(self._begins)

    def add(self, begin: int, end: int) -> None:
        """Put the numbers from `begin` to before `end` in."""
        if begin >= end:
            return
        low = bisect_right(self._begins, begin)
        if low and self._ends[low - 1] >= begin:
            low -= 1
            begin = self._begins[low]
        high = bisect_right(self._begins, end)
        if high > low:
            end = max(end, self._ends[high - 1])
        self._begins[low:high] = [begin]
        self._ends[low:high] = [end]

    def take(self, number: int) -> bool:
        """Take `number` out, and tell whether it was in."""
        at = bisect_right(self._begins, number) - 1
        if at < 0 or number >= self._ends[at]:
            return False
        begin, end = self._begins[at], self._ends[at]
        rest = [(low, high) for low, high in ((begin, number), (number + 1, end)) if low < high]
        self._begins[at : at + 1] = [low for low, _ in rest]
        self._ends[at : at + 1] = [high for _, high in rest]
        return True

    def without(self, other: "Intervals") -> "Intervals":
        """Return the numbers that are in this set and not in `other`."""
        left = Intervals()
        others = iter(other)
        covered = next(others, None)
        for low, end in self:
            begin = low
            while covered is not None and covered[1] <= begin:
                covered = next(others, None)
            while covered is not None and covered[0] < end:
                left.add(begin, covered[0])
                begin = max(begin, covered[1])
                if covered[1] > end:
                    break
                covered = next(others, None)
            left.add(begin, end)
        return left
