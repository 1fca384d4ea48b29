# SPDX-License-Identifier: Apache-2.0
"""What is known of each source's numbers: its processes, where their records are in the log, and what is missing.

Theory: a *run* is consecutive numbers at consecutive indexes. A batch of one source is one run, or continues the one
before, so that ten million records have some thousands of runs, and the index of a stored number is arithmetic.
Every number up to a process's `last_seq` is in exactly one run or one open gap.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, and_, bindparam, delete, func, insert, select, update

from controlplane.store.log_tables import source_boots, source_gaps, source_runs

Key = tuple[str, str]
"""The id of a source and that of its process."""

_AT_ONCE: Final = 500  # names in one query: far below what either database takes


@dataclass(slots=True, kw_only=True)
class Boot:
    """One process of a source. `last_seq` is the highest number known to have been given; the run is the last one."""

    ref: int
    source_id: str
    boot_id: str
    environment: str | None
    first_seen_at: datetime
    last_seen_at: datetime
    last_seq: int = 0
    run_first_seq: int = 0
    run_last_seq: int = -1
    run_first_index: int = 0
    started_at: datetime | None = None
    stopped_at: datetime | None = None


@dataclass(slots=True)
class Run:
    boot_ref: int
    first_seq: int
    last_seq: int
    first_index: int

    def continues_with(self, seq: int, index: int) -> bool:
        return seq == self.last_seq + 1 and index == self.first_index + seq - self.first_seq


class Sources:
    """The processes of `tenant` that one transaction touches. What was changed is written by `save`."""

    def __init__(self, connection: Connection, tenant: str) -> None:
        self._connection = connection
        self._tenant = tenant
        self._boots: dict[Key, Boot] = {}
        self._new: set[Key] = set()

    def load(self, keys: Iterable[Key]) -> None:
        """Read the processes of `keys`, all of them at once."""
        wanted = [key for key in set(keys) if key not in self._boots]
        for at in range(0, len(wanted), _AT_ONCE):
            part = wanted[at : at + _AT_ONCE]
            query = select(source_boots).where(
                source_boots.c.tenant == self._tenant,
                source_boots.c.source_id.in_({source_id for source_id, _ in part}),
                source_boots.c.boot_id.in_({boot_id for _, boot_id in part}),
            )
            for row in self._connection.execute(query):
                boot = _boot(row)
                self._boots.setdefault((boot.source_id, boot.boot_id), boot)

    def find(self, key: Key) -> Boot | None:
        if key not in self._boots:
            self.load([key])
        return self._boots.get(key)

    def ensure(self, key: Key, *, environment: str | None, at: datetime) -> Boot:
        """Return the process of `key`, a new one where it was never seen."""
        found = self.find(key)
        if found is None:
            found = Boot(
                ref=self._next_ref(),
                source_id=key[0],
                boot_id=key[1],
                environment=environment,
                first_seen_at=at,
                last_seen_at=at,
            )
            self._boots[key] = found
            self._new.add(key)
        return found

    def places(self, boot: Boot, numbers: Sequence[int]) -> dict[int, int]:
        """Return the index in the log of each of `numbers` that is stored."""
        runs = source_runs.c
        of_boot = (runs.tenant == self._tenant, runs.boot_ref == boot.ref)
        least, most = min(numbers), max(numbers)
        before = select(func.max(runs.first_seq)).where(*of_boot, runs.first_seq <= least).scalar_subquery()
        query = select(runs.first_seq, runs.last_seq, runs.first_index).where(
            *of_boot,
            runs.first_seq >= func.coalesce(before, 0),
            runs.first_seq <= most,
        )
        found: dict[int, int] = {}
        for first, last, index in self._connection.execute(query):
            found |= {seq: index + seq - first for seq in numbers if first <= seq <= last}
        return found

    def open_gap(self, boot: Boot, first: int, last: int, *, at: datetime) -> None:
        self._insert_gaps(boot, [(first, last)], at)

    def close(self, boot: Boot, arrived: Sequence[int], *, at: datetime) -> list[tuple[int, int]]:
        """Take `arrived` (ascending) out of what is missing, and return the ranges of it that were."""
        gaps = source_gaps.c
        of_boot = (gaps.tenant == self._tenant, gaps.boot_ref == boot.ref)
        query = select(gaps.first_seq, gaps.last_seq).where(
            *of_boot,
            gaps.first_seq <= arrived[-1],
            gaps.last_seq >= arrived[0],
        )
        closed: list[tuple[int, int]] = []
        for first, last in self._connection.execute(query.order_by(gaps.first_seq)).all():
            ranges = _ranges([seq for seq in arrived if first <= seq <= last])
            if not ranges:
                continue
            self._connection.execute(delete(source_gaps).where(*of_boot, gaps.first_seq == first))
            ends = [first - 1, *(end for _, end in ranges)]
            begins = [*(begin for begin, _ in ranges), last + 1]
            rest = [(end + 1, begin - 1) for end, begin in zip(ends, begins, strict=True) if end + 1 < begin]
            self._insert_gaps(boot, rest, at)
            closed += ranges
        return closed

    def save(self, runs: Sequence[Run]) -> None:
        """Write the processes as they are now, and `runs`: new ones, or those that became longer."""
        changed = {key: boot for key, boot in self._boots.items() if key not in self._new}
        if self._new:
            rows = [{"tenant": self._tenant, **asdict(self._boots[key])} for key in self._new]
            self._connection.execute(insert(source_boots), rows)
            self._new.clear()
        if changed:
            members = set(source_boots.c.keys()) - {"tenant", "ref", "source_id", "boot_id", "first_seen_at"}
            statement = update(source_boots).where(
                and_(source_boots.c.tenant == self._tenant, source_boots.c.ref == bindparam("of_ref")),
            )
            self._connection.execute(
                statement.values({name: bindparam(name) for name in members}),
                [{"of_ref": boot.ref, **{name: getattr(boot, name) for name in members}} for boot in changed.values()],
            )
        if runs:
            put = _PUT_RUN[self._connection.dialect.name]
            rows_of_runs = [(self._tenant, run.boot_ref, run.first_seq, run.last_seq, run.first_index) for run in runs]
            self._connection.exec_driver_sql(put, rows_of_runs)

    def _insert_gaps(self, boot: Boot, ranges: Sequence[tuple[int, int]], at: datetime) -> None:
        rows = [
            {"tenant": self._tenant, "boot_ref": boot.ref, "first_seq": first, "last_seq": last, "found_at": at}
            for first, last in ranges
        ]
        if rows:
            self._connection.execute(insert(source_gaps), rows)

    def _next_ref(self) -> int:
        query = select(func.max(source_boots.c.ref)).where(source_boots.c.tenant == self._tenant)
        stored = self._connection.execute(query).scalar_one_or_none() or 0
        return max(stored, *(self._boots[key].ref for key in self._new), 0) + 1


_PUT_RUN: Final = {
    "sqlite": (
        "INSERT INTO source_runs (tenant, boot_ref, first_seq, last_seq, first_index) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (tenant, boot_ref, first_seq) DO UPDATE SET last_seq = excluded.last_seq"
    ),
    "postgresql": (
        "INSERT INTO source_runs (tenant, boot_ref, first_seq, last_seq, first_index) VALUES (%s, %s, %s, %s, %s) "
        "ON CONFLICT (tenant, boot_ref, first_seq) DO UPDATE SET last_seq = excluded.last_seq"
    ),
}


def _ranges(numbers: Sequence[int]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found


def _boot(row: Any) -> Boot:
    return Boot(**{name: value for name, value in row._mapping.items() if name != "tenant"})  # noqa: SLF001  # SQLAlchemy's public name
