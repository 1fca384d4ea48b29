# SPDX-License-Identifier: Apache-2.0
"""Counts, rates and latencies of decisions by time and by one dimension, from roll-ups kept as records arrive."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from controlplane.services.dimensions import Dimension
from controlplane.services.errors import Invalid, Problem
from controlplane.services.latencies import add_packed
from controlplane.services.model import Principal
from controlplane.services.ports import Store
from controlplane.services.rollups import (
    BY_MINUTE,
    HOUR_S,
    MINUTE_S,
    OTHER,
    TOTAL,
    UNGROUPED,
    Extent,
    RolledUp,
    Rollups,
    Tally,
)
from controlplane.services.times import format_time

MOST_BUCKETS: Final = 1500
MOST_GROUPS: Final = 50
# Some megabytes of an answer.
_MOST_ROWS: Final = 20_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_S: Final = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(seconds=1)


class Bucket(StrEnum):
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    NONE = "none"


_LENGTHS_S: Final = {Bucket.MINUTE: MINUTE_S, Bucket.HOUR: HOUR_S, Bucket.DAY: 24 * HOUR_S}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    by: Dimension | None
    values: tuple[str, ...]
    bucket: Bucket
    since: datetime | None
    until: datetime | None
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One group in one bucket. `at` is None without buckets. Of `other`, latencies are not known."""

    at: datetime | None
    value: str | None
    is_other: bool
    tally: Tally
    seconds: int
    of_all: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate:
    since: datetime | None
    until: datetime | None
    as_of: int
    rows: tuple[Row, ...]
    total: Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregates:
    store: Store

    def ask(self, actor: Principal, question: Question) -> Aggregate:
        """Return the answer. Raises Invalid where it is about what is not kept, or longer than an answer may be."""
        _check(question)
        width_s = MINUTE_S if question.bucket is Bucket.MINUTE else HOUR_S
        with self.store.read() as session:
            span = session.rollups.span(actor.tenant, width_s=width_s)
            as_of = session.decisions.size(actor.tenant)
            if span is None:
                return Aggregate(since=None, until=None, as_of=as_of, rows=(), total=Tally())
            first, end = _whole(question, span, width_s)
            _check_length(question, first, end)
            asked = _Asked(session.rollups, actor.tenant, question, width_s, first, end)
            totals = asked.tallies(TOTAL, (OTHER,))
            rows = list(asked.of_all(totals) if question.by is None else asked.groups(question.by, totals))
        whole = Tally()
        for tally in totals.values():
            whole.add(tally)
        return Aggregate(since=_time(first), until=_time(end), as_of=as_of, rows=tuple(rows), total=whole)


@dataclass(frozen=True, slots=True)
class _Asked:
    rollups: Rollups
    tenant: str
    question: Question
    width_s: int
    first: int
    end: int

    def tallies(self, dimension: str, values: Sequence[str]) -> dict[tuple[int, str], Tally]:
        return self._summed(self.rollups.rows(self.tenant, self._extent(dimension), values=values))

    def _extent(self, dimension: str) -> Extent:
        return Extent(width_s=self.width_s, dimension=dimension, first=self.first, end=self.end)

    def of_all(self, totals: Mapping[tuple[int, str], Tally]) -> Iterable[Row]:
        for (start, _), tally in sorted(totals.items()):
            yield self._row(start, None, tally, of_all=tally.requests)

    def groups(self, by: Dimension, totals: Mapping[tuple[int, str], Tally]) -> Iterable[Row]:
        extent = self._extent(by)
        values = self.rollups.top(self.tenant, extent, among=self.question.values, limit=self.question.limit)
        grouped = self.tallies(by, values)
        # Whoever names the values has no use for the others.
        left = {} if self.question.values else self._summed(self.rollups.others(self.tenant, extent, values=values))
        ranks = {value: rank for rank, value in enumerate(values)}
        for start, value in sorted(grouped, key=lambda key: (key[0], ranks[key[1]])):
            of_all = totals[start, OTHER].requests if (start, OTHER) in totals else 0
            yield self._row(start, value, grouped[start, value], of_all=of_all)
        for start, _ in sorted(left):
            of_all = totals[start, OTHER].requests if (start, OTHER) in totals else 0
            yield self._row(start, None, left[start, OTHER], of_all=of_all, is_other=True)

    def _summed(self, rows: Iterable[RolledUp]) -> dict[tuple[int, str], Tally]:
        found: dict[tuple[int, str], Tally] = {}
        for row in rows:
            tally = found.setdefault((self._start(row.bucket), row.value), Tally())
            tally.requests += row.requests
            tally.denied += row.denied
            tally.failed += row.failed
            tally.redacted += row.redacted
            tally.blocked += row.blocked
            tally.cut += row.cut
            if row.latencies is not None:
                add_packed(tally.latencies, row.latencies)
        return found

    def _start(self, second: int) -> int:
        length = _LENGTHS_S.get(self.question.bucket)
        return self.first if length is None else second // length * length

    def _row(self, start: int, value: str | None, tally: Tally, *, of_all: int, is_other: bool = False) -> Row:
        length = _LENGTHS_S.get(self.question.bucket)
        return Row(
            at=None if length is None else _time(start),
            value=value,
            is_other=is_other,
            tally=tally,
            seconds=self.end - self.first if length is None else length,
            of_all=of_all,
        )


def _check(question: Question) -> None:
    by = question.by
    if by in UNGROUPED:
        raise _invalid("by", "It has no groups: its values are of few requests.", "Filter /v1/decisions by it.")
    if question.bucket is Bucket.MINUTE and by is not None and by not in BY_MINUTE:
        names = ", ".join(sorted(BY_MINUTE))
        raise _invalid("by", "It is not kept by minute.", f"Take bucket=hour, or one of: {names}.")


def _whole(question: Question, span: tuple[int, int], width_s: int) -> tuple[int, int]:
    """Return the first and the end second of the whole buckets that hold the times asked for."""
    first = span[0] if question.since is None else (question.since - _EPOCH) // timedelta(seconds=1)
    end = span[1] + width_s if question.until is None else -((_EPOCH - question.until) // timedelta(seconds=1))
    # The bucket that ends with the year 9999 has no end that could be written: questions end before it.
    return first // width_s * width_s, min(-(-end // width_s), _LAST_S // width_s) * width_s


def _check_length(question: Question, first: int, end: int) -> None:
    length = _LENGTHS_S.get(question.bucket)
    if length is not None and (end - first) // length > MOST_BUCKETS:
        what = f"From {format_time(_time(first))} to {format_time(_time(end))} are more than {MOST_BUCKETS} buckets."
        raise _invalid("bucket", what, "Take longer buckets, or a shorter time by 'from' and 'to'.")
    groups = (len(question.values) or question.limit) + 1
    if question.by is not None and length is not None and (end - first) // length * groups > _MOST_ROWS:
        what = f"{groups} groups in so many buckets are more than {_MOST_ROWS} counts."
        raise _invalid("limit", what, "Ask for fewer groups, take longer buckets, or a shorter time.")


def _invalid(parameter: str, message: str, fix: str) -> Invalid:
    problem = Problem(code="query-invalid", message=message, pointer=f"/{parameter}", fix=fix)
    return Invalid("query-invalid", f"'{parameter}' does not fit the question.", problems=(problem,))


def _time(second: int) -> datetime:
    return _EPOCH + timedelta(seconds=second)
