# SPDX-License-Identifier: Apache-2.0
"""The sum of what workers counted: of those that run, what they said last; of those that ended, their last word."""

from collections.abc import Iterable
from typing import Any, Final, TypeAlias

from proxy_addons.core.series import BUCKETS_S, Series
from proxy_addons.node.metric_families import BY_NAME, Kind

Key: TypeAlias = tuple[str, tuple[str, ...]]
Sums: TypeAlias = dict[Key, list[int]]

HISTOGRAM_NUMBERS: Final = len(BUCKETS_S) + 2  # what lies beyond every bound, and the sum


class Unintelligible(ValueError):
    """Not what a worker counts."""


def series_from(raw: object) -> list[Series]:
    """Read what `core.tally.to_json` wrote. Raises Unintelligible for anything else."""
    if not isinstance(raw, list):
        raise Unintelligible("not a list of series")
    return [_series(one) for one in raw]


def _series(one: Any) -> Series:
    try:
        name, labels, value = one
        family = BY_NAME[name]
        known = len(labels) == len(family.labels) and all(isinstance(label, str) for label in labels)
    except (TypeError, ValueError, KeyError) as exc:
        raise Unintelligible("not a series") from exc
    is_histogram = family.kind is Kind.HISTOGRAM
    numbers = value if is_histogram and isinstance(value, list) else [value]
    whole = all(type(number) is int for number in numbers) and (len(numbers) == HISTOGRAM_NUMBERS) is is_histogram
    if not known or not whole:
        raise Unintelligible(f"not a series of {name}")
    return name, tuple(labels), value


class Totals:
    """Adds up the series of one node's workers. A worker that ended keeps its counters here, and no gauge."""

    def __init__(self) -> None:
        self._ended: Sums = {}

    def retire(self, last: Iterable[Series]) -> None:
        """Keep what a worker that has ended counted."""
        _add(self._ended, (series for series in last if BY_NAME[series[0]].kind is not Kind.GAUGE))

    def with_running(self, running: Iterable[Iterable[Series]]) -> Sums:
        sums = {key: [*numbers] for key, numbers in self._ended.items()}
        for series in running:
            _add(sums, series)
        return sums


def _add(sums: Sums, series: Iterable[Series]) -> None:
    for name, labels, value in series:
        numbers = value if isinstance(value, list) else [value]
        before = sums.get((name, labels))
        sums[name, labels] = [*numbers] if before is None else [a + b for a, b in zip(before, numbers, strict=True)]
