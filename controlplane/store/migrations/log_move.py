# SPDX-License-Identifier: Apache-2.0
"""Move a log as it was before it was a tree into the tables of migration 0008, which alone uses this.

Entries are moved in slices, so that memory stays bounded however many there are. What of a source's numbers is missing
among them is said by entries at the end of the log. Nothing here may change with the code of today but the tree.
"""

import hashlib
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Final

import sqlalchemy as sa
from ulid import ULID

from controlplane.audit.frontier import Frontier
from controlplane.audit.tiles import append
from controlplane.store.columns import time_of
from policies.contracts.codec import canonical_bytes

_SLICE: Final = 1_000
_DAY: Final = 86_400_000_000  # in microseconds


class Move:
    """One tenant's entries, on their way out of the tables of before."""

    def __init__(self, connection: sa.Connection, tenant: str) -> None:
        self._connection = connection
        self._tenant = tenant
        self._frontier = Frontier()
        self._day: int | None = None
        self._boots: dict[tuple[str, str], dict[str, Any]] = {}
        self._days: dict[int, dict[str, int]] = {}

    def run(self, size: int) -> None:
        for first in range(0, size, _SLICE):
            self._slice(first)
        if self._frontier.size != size:
            msg = (
                f"the log of {self._tenant!r} has {self._frontier.size} entries where its head says {size}: restore it"
            )
            raise RuntimeError(msg)
        for found in list(self._missing()):
            self._append_gaps(found)
        for boot in self._boots.values():
            self._insert("source_boots", [boot])
        self._insert("log_days", list(self._days.values()))
        frontier = self._frontier
        head = {"size": frontier.size, "root": frontier.root(), "frontier": frontier.to_bytes(), "day": self._day}
        self._insert("log_heads", [head])

    def _slice(self, first: int) -> None:
        query = sa.text(
            "SELECT r.log_index, r.environment, r.source_id, r.boot_id, r.seq, r.kind, r.received_at, "
            "r.envelope, p.content FROM records_before r LEFT JOIN payloads_before p ON p.tenant = r.tenant "
            "AND p.log_index = r.log_index WHERE r.tenant = :tenant AND r.log_index >= :first AND r.log_index < :end "
            "ORDER BY r.log_index",
        )
        bounds = {"tenant": self._tenant, "first": first, "end": first + _SLICE}
        rows = self._connection.execute(query, bounds).all()
        self._write([(row.kind, row.received_at, bytes(row.envelope), row.content) for row in rows])
        self._note_runs(rows)

    def _write(self, entries: Sequence[tuple[str, int, bytes, bytes | None]]) -> None:
        if not entries:
            return
        first = self._frontier.size
        records, payloads = [], []
        for index, (kind, received_at, envelope, content) in enumerate(entries, start=first):
            day = self._day = max(self._day or 0, received_at // _DAY)
            self._days.setdefault(day, {"day": day, "first_index": index})["end_index"] = index + 1
            place = {"log_index": index, "day": day}
            records.append(
                place | {"kind": kind, "received_at": received_at, "envelope": envelope},
            )
            if content is not None:
                payloads.append(place | {"content": bytes(content)})
        self._insert("records", records)
        self._insert("payloads", payloads)
        appended = append(self._frontier, [hashlib.sha256(b"\0" + entry[2]).digest() for entry in entries])
        self._frontier = appended.frontier
        joined = "CAST(log_tiles.hashes || excluded.hashes AS BLOB)"
        if self._connection.dialect.name == "postgresql":
            joined = "log_tiles.hashes || excluded.hashes"
        self._connection.execute(
            sa.text(
                "INSERT INTO log_tiles (tenant, level, number, hashes) VALUES (:tenant, :level, :number, :hashes) "  # noqa: S608
                f"ON CONFLICT (tenant, level, number) DO UPDATE SET hashes = {joined}",
            ),
            [
                {"tenant": self._tenant, "level": update.level, "number": update.number, "hashes": update.hashes}
                for update in appended.updates
            ],
        )

    def _note_runs(self, rows: Sequence[sa.Row[Any]]) -> None:
        for row in rows:
            key = (row.source_id, row.boot_id)
            boot = self._boots.setdefault(
                key,
                {
                    "ref": len(self._boots) + 1,
                    "source_id": row.source_id,
                    "boot_id": row.boot_id,
                    "environment": row.environment,
                    "last_seq": 0,
                    "run_first_seq": 0,
                    "run_last_seq": -1,
                    "run_first_index": 0,
                    "first_seen_at": row.received_at,
                    "last_seen_at": row.received_at,
                    "started_at": None,
                    "stopped_at": None,
                },
            )
            length = boot["run_last_seq"] + 1 - boot["run_first_seq"]
            if row.seq == boot["run_last_seq"] + 1 and row.log_index == boot["run_first_index"] + length:
                boot["run_last_seq"] = row.seq
            else:
                self._insert_run(boot)
                boot |= {"run_first_seq": row.seq, "run_last_seq": row.seq, "run_first_index": row.log_index}
                self._boots[key] = boot
            boot["last_seq"] = max(boot["last_seq"], row.seq)
            boot["last_seen_at"] = max(boot["last_seen_at"], row.received_at)

    def _insert_run(self, boot: dict[str, Any]) -> None:
        if boot["run_last_seq"] > 0:
            run = {"first_seq": boot["run_first_seq"], "last_seq": boot["run_last_seq"]}
            self._insert("source_runs", [{"boot_ref": boot["ref"], "first_index": boot["run_first_index"], **run}])

    def _missing(self) -> Iterator[tuple[dict[str, Any], int, int]]:
        """Yield what is missing of each source's numbers, after its last run was written."""
        for boot in self._boots.values():
            self._insert_run(boot)
        query = sa.text(
            "SELECT boot_ref, first_seq, last_seq FROM source_runs WHERE tenant = :tenant ORDER BY boot_ref, first_seq",
        )
        boots = {boot["ref"]: boot for boot in self._boots.values()}
        runs = self._connection.execute(query, {"tenant": self._tenant}).all()
        for ref, of_boot in groupby(runs, key=lambda run: run.boot_ref):
            expected = 1
            for run in of_boot:
                if run.first_seq > expected:
                    yield boots[ref], expected, run.first_seq - 1
                expected = run.last_seq + 1

    def _append_gaps(self, found: tuple[dict[str, Any], int, int]) -> None:
        boot, first, last = found
        at = boot["last_seen_at"]
        self._insert("source_gaps", [{"boot_ref": boot["ref"], "first_seq": first, "last_seq": last, "found_at": at}])
        envelope = canonical_bytes(
            {
                "schema": "gatehouse.gap/1",
                "kind": "gap",
                "record_id": str(ULID()),
                "tenant": self._tenant,
                "environment": boot["environment"],
                "source": None,
                "time": _time_text(at),
                "gap": {
                    "source_id": boot["source_id"],
                    "boot_id": boot["boot_id"],
                    "first_seq": first,
                    "last_seq": last,
                    "count": last - first + 1,
                    "state": "open",
                },
            },
        )
        self._write([("gap", at, envelope, None)])

    def _insert(self, table: str, rows: Sequence[dict[str, Any]]) -> None:
        if rows:
            names = ["tenant", *rows[0]]
            places = ", ".join(f":{name}" for name in names)
            self._connection.execute(
                sa.text(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({places})"),  # noqa: S608  # names of ours
                [{"tenant": self._tenant} | row for row in rows],
            )


def _time_text(at: int) -> str:
    return time_of(at).isoformat(timespec="microseconds").replace("+00:00", "Z")
