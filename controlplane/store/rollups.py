# SPDX-License-Identifier: Apache-2.0
"""Roll-ups: what aggregates are answered from, kept in the append (`controlplane.services.rollups.Rollups`).

Theory: one row for each value of a dimension and hour, for few dimensions also for each minute. An append reads the
rows that it changes and writes them back; it holds the lock of the tenant's log, so that nobody else changes them.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from sqlalchemy import Connection

from controlplane.services.dimensions import Dimension, Value
from controlplane.services.latencies import add_packed, bucket_of, packed
from controlplane.services.rollups import (
    BY_MINUTE,
    COUNTED,
    HOUR_S,
    MINUTE_S,
    MOST_VALUES,
    OTHER,
    SERVING,
    TOTAL,
    Extent,
    RolledUp,
    Tally,
    serving_value,
)
from controlplane.store.bulk import rows, rows_at, rows_of, write
from controlplane.store.index_tables import decision_rollups

_COUNTS: Final = ("requests", *COUNTED)
# The buckets of latencies are fewer; in a mark, what is counted stands above them.
_BUCKET_BITS: Final = 10
_NO_LATENCY: Final = (1 << _BUCKET_BITS) - 1
_NAMES: Final = ("tenant", "width_s", "dimension", "bucket", "value", *_COUNTS, "latencies")
_REPLACED: Final = "ON CONFLICT (tenant, width_s, dimension, bucket, value) DO UPDATE SET " + ", ".join(
    f"{name} = excluded.{name}" for name in (*_COUNTS, "latencies")
)
_ONE: Final = "FROM decision_rollups WHERE tenant = ? AND width_s = ? AND dimension = ?"

# Their values are few words of ours, so that nobody need count them.
_FEW_VALUED: Final = frozenset(
    {Dimension.KIND, Dimension.OUTCOME, Dimension.VERDICT, Dimension.STREAM, Dimension.STATUS, TOTAL}
)

_OF_A_DECIDER: Final = frozenset({Dimension.ENVIRONMENT, Dimension.SERIAL})

Key = tuple[int, str, int]
Spread = defaultdict[Key, defaultdict[str, list[int]]]


class RollupBatch:
    """What one append adds.

    A request is one number while it is gathered, its mark: the bucket of its latency, and above it what is counted of
    it. A row so is a list of marks until it is known to be written, and equal marks are then counted at once.
    """

    def __init__(self, connection: Connection, tenant: str) -> None:
        self._connection = connection
        self._tenant = tenant
        self._alike: defaultdict[tuple[int, frozenset[Value]], list[int]] = defaultdict(list)
        self._of_one: defaultdict[tuple[int, Value], list[int]] = defaultdict(list)
        self._results: dict[frozenset[Value], int] = {}
        self._serving: defaultdict[tuple[int, str], list[int]] = defaultdict(list)
        self._deciders: dict[frozenset[Value], str | None] = {}

    def add(
        self,
        minute: int,
        shared: frozenset[Value],
        own: Iterable[Value],
        latency_us: int | None,
        *,
        decide_us: int | None,
    ) -> None:
        """Count a request: `shared` are values that many have, `own` those that only few do."""
        result = self._results.get(shared)
        if result is None:
            result = self._results[shared] = _result_of(shared)
        mark = result | (_NO_LATENCY if latency_us is None else bucket_of(latency_us))
        self._alike[minute, shared].append(mark)
        for value in own:
            self._of_one[minute, value].append(mark)
        if shared not in self._deciders:
            self._deciders[shared] = _decider_of(shared)
        decider = self._deciders[shared]
        if decider is not None:
            self._serving[minute, decider].append(result | (_NO_LATENCY if decide_us is None else bucket_of(decide_us)))

    def store(self) -> None:
        spread = self._spread()
        self._cap(spread)
        there = self._there([(*key, value) for key, values in spread.items() for value in values])
        changed = []
        for key, values in spread.items():
            for value, marks in values.items():
                tally = _tally(marks)
                if (*key, value) in there:
                    tally.add(there[*key, value])
                counts = (getattr(tally, name) for name in _COUNTS)
                changed.append((self._tenant, *key, value, *counts, packed(tally.latencies)))
        write(self._connection, decision_rollups, _NAMES, changed, conflict=_REPLACED)

    def _spread(self) -> Spread:
        """Return the marks of each row: what a kind of decision has goes to all its values."""
        spread: Spread = defaultdict(lambda: defaultdict(list))
        for (minute, shared), marks in self._alike.items():
            hour = _hour(minute)
            spread[MINUTE_S, TOTAL, minute][OTHER] += marks
            spread[HOUR_S, TOTAL, hour][OTHER] += marks
            for dimension, value in shared:
                if dimension in BY_MINUTE:
                    spread[MINUTE_S, dimension.value, minute][value] += marks
                spread[HOUR_S, dimension.value, hour][value] += marks
        for (minute, decider), marks in self._serving.items():
            spread[MINUTE_S, SERVING, minute][decider] += marks
        for (minute, (dimension, value)), marks in self._of_one.items():
            spread[HOUR_S, dimension.value, _hour(minute)][value] += marks
        return spread

    def _cap(self, spread: Spread) -> None:
        """Count values that a bucket has no more room for as OTHER."""
        known = self._known([key for key in spread if key[1] not in _FEW_VALUED])
        for key, values in spread.items():
            there = known.get(key, set())
            if len(there) + len(values) <= MOST_VALUES:
                continue
            fresh = sorted(values.keys() - there, key=lambda value: (-len(values[value]), value))
            for value in fresh[max(0, MOST_VALUES - len(there)) :]:
                values[OTHER] += values.pop(value)

    def _known(self, keys: Sequence[Key]) -> dict[Key, set[str]]:
        found: defaultdict[Key, set[str]] = defaultdict(set)
        statement = (
            "SELECT one.width_s, one.dimension, one.bucket, one.value FROM {keys} CROSS JOIN decision_rollups AS one "
            "WHERE one.tenant = wanted.tenant AND one.width_s = wanted.width_s "
            "AND one.dimension = wanted.dimension AND one.bucket = wanted.bucket AND one.value <> ''"
        )
        named = [(self._tenant, *key) for key in keys]
        for width_s, dimension, bucket, value in rows_at(
            self._connection, decision_rollups, _NAMES[:4], statement, named
        ):
            found[width_s, dimension, bucket].add(value)
        return found

    def _there(self, keys: Sequence[tuple[int, str, int, str]]) -> dict[tuple[int, str, int, str], Tally]:
        counts = ", ".join(f"one.{name}" for name in _COUNTS)
        statement = (
            f"SELECT one.width_s, one.dimension, one.bucket, one.value, one.latencies, {counts} "  # noqa: S608  # names of ours
            "FROM {keys} CROSS JOIN decision_rollups AS one "
            "WHERE one.tenant = wanted.tenant AND one.width_s = wanted.width_s "
            "AND one.dimension = wanted.dimension AND one.bucket = wanted.bucket AND one.value = wanted.value"
        )
        named = [(self._tenant, *key) for key in keys]
        found: dict[tuple[int, str, int, str], Tally] = {}
        for width_s, dimension, bucket, value, latencies, *numbers in rows_at(
            self._connection, decision_rollups, _NAMES[:5], statement, named
        ):
            tally = found[width_s, dimension, bucket, value] = Tally(**dict(zip(_COUNTS, numbers, strict=True)))
            add_packed(tally.latencies, bytes(latencies))
        return found


class SqlRollups:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def top(self, tenant: str, extent: Extent, *, among: Sequence[str], limit: int) -> list[str]:
        statement = (
            f"SELECT value, SUM(requests) AS requests {_ONE} AND bucket >= ? AND bucket < ? AND value <> '' "
            f"{'AND value {among} ' if among else ''}GROUP BY value ORDER BY requests DESC, value LIMIT {limit:d}"
        )
        bound = _bound(tenant, extent)
        found = (
            rows_of(self._connection, statement, *bound, among=among)
            if among
            else rows(self._connection, statement, *bound)
        )
        return [row.value for row in found]

    def rows(self, tenant: str, extent: Extent, *, values: Sequence[str]) -> Iterable[RolledUp]:
        statement = (
            f"SELECT bucket, value, {', '.join(_COUNTS)}, latencies {_ONE} AND bucket >= ? AND bucket < ? "
            "AND value {among}"
        )
        for row in rows_of(self._connection, statement, *_bound(tenant, extent), among=values):
            yield RolledUp(
                bucket=row.bucket,
                value=row.value,
                **{name: getattr(row, name) for name in _COUNTS},
                latencies=bytes(row.latencies),
            )

    def others(self, tenant: str, extent: Extent, *, values: Sequence[str]) -> Iterable[RolledUp]:
        sums = ", ".join(f"SUM({name}) AS {name}" for name in _COUNTS)
        # A place that no value has, so that the list is never empty.
        named = [*values, "\x01"]
        statement = (
            f"SELECT bucket, {sums} {_ONE} AND bucket >= ? AND bucket < ? AND NOT (value {{among}}) GROUP BY bucket"
        )
        for row in rows_of(self._connection, statement, *_bound(tenant, extent), among=named):
            counts = {name: int(getattr(row, name)) for name in _COUNTS}
            yield RolledUp(bucket=row.bucket, value=OTHER, **counts, latencies=None)

    def span(self, tenant: str, *, width_s: int) -> tuple[int, int] | None:
        statement = f"SELECT MIN(bucket) AS first, MAX(bucket) AS last {_ONE}"
        ((first, last),) = rows(self._connection, statement, tenant, width_s, TOTAL)
        return None if first is None else (first, last)


def _bound(tenant: str, extent: Extent) -> tuple[str, int, str, int, int]:
    return tenant, extent.width_s, extent.dimension, extent.first, extent.end


def _hour(minute: int) -> int:
    return minute // HOUR_S * HOUR_S


def _result_of(values: frozenset[Value]) -> int:
    counted = sum(1 << place for place, value in enumerate(COUNTED.values()) if value in values)
    return counted << _BUCKET_BITS


def _decider_of(values: frozenset[Value]) -> str | None:
    named = {dimension: value for dimension, value in values if dimension in _OF_A_DECIDER}
    if len(named) < len(_OF_A_DECIDER):
        return None  # no policy was asked
    return serving_value(named[Dimension.ENVIRONMENT], named[Dimension.SERIAL])


def _tally(marks: Sequence[int]) -> Tally:
    tally = Tally(requests=len(marks))
    results: dict[int, int] = {}
    for mark, count in Counter(marks).items():
        bucket, result = mark & _NO_LATENCY, mark >> _BUCKET_BITS
        if bucket != _NO_LATENCY:
            tally.latencies[bucket] = tally.latencies.get(bucket, 0) + count
        if result:
            results[result] = results.get(result, 0) + count
    for place, name in enumerate(COUNTED):
        setattr(tally, name, sum(count for result, count in results.items() if result >> place & 1))
    return tally
