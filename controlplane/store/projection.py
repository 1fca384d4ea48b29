# SPDX-License-Identifier: Apache-2.0
"""Keep one row for each request up to date as its records arrive: admission and terminal record, in any order.

The terminal record says how the request ended, so it overrides what the admission record said. A second record of
the same kind for a request changes nothing here; it stands in the log all the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, bindparam, delete, insert, select, update

from controlplane.services.records import ReceivedRecord
from controlplane.store.tables import decision_policies, decision_reasons, decisions
from policies.contracts.record import RecordKind


@dataclass(slots=True)
class _Projected:
    """A request's row while a batch is read: which records it has, and the one that describes it."""

    log_index: int
    is_new: bool
    admission_index: int | None = None
    terminal_index: int | None = None
    described_by: ReceivedRecord | None = None

    def add(self, index: int, record: ReceivedRecord) -> None:
        if record.kind == RecordKind.TERMINAL and self.terminal_index is None:
            self.terminal_index = index
            self.described_by = record
        elif record.kind == RecordKind.ADMISSION and self.admission_index is None:
            self.admission_index = index
            if self.terminal_index is None:
                self.described_by = record


def project(connection: Connection, tenant: str, numbered: Sequence[tuple[int, ReceivedRecord]]) -> None:
    """Bring the decisions of `numbered` records up to date."""
    of_requests = [(index, record.request_id, record) for index, record in numbered if record.request_id is not None]
    projected = _known(connection, tenant, {request_id for _, request_id, _ in of_requests})
    for index, request_id, record in of_requests:
        row = projected.setdefault(request_id, _Projected(log_index=index, is_new=True))
        row.add(index, record)
    _insert(connection, tenant, [row for row in projected.values() if row.is_new])
    _update(connection, tenant, [row for row in projected.values() if not row.is_new])


def _known(connection: Connection, tenant: str, request_ids: set[str]) -> dict[str, _Projected]:
    rows = connection.execute(
        select(
            decisions.c.request_id,
            decisions.c.log_index,
            decisions.c.admission_index,
            decisions.c.terminal_index,
        ).where(decisions.c.tenant == tenant, decisions.c.request_id.in_(request_ids)),
    )
    return {
        row.request_id: _Projected(
            log_index=row.log_index,
            is_new=False,
            admission_index=row.admission_index,
            terminal_index=row.terminal_index,
        )
        for row in rows
    }


def _insert(connection: Connection, tenant: str, rows: Sequence[_Projected]) -> None:
    described = [(row, row.described_by) for row in rows if row.described_by is not None]
    if not described:
        return
    connection.execute(
        insert(decisions),
        [
            {
                "tenant": tenant,
                "log_index": row.log_index,
                "environment": record.environment,
                "request_id": record.request_id,
                "admission_index": row.admission_index,
                "terminal_index": row.terminal_index,
                "time": record.time,
                **_described(record),
            }
            for row, record in described
        ],
    )
    _name(connection, tenant, described)


def _update(connection: Connection, tenant: str, rows: Sequence[_Projected]) -> None:
    one = (decisions.c.tenant == tenant, decisions.c.log_index == bindparam("at"))
    indexes = [
        {"at": row.log_index, "admission_index": row.admission_index, "terminal_index": row.terminal_index}
        for row in rows
    ]
    if indexes:
        connection.execute(
            update(decisions)
            .where(*one)
            .values(admission_index=bindparam("admission_index"), terminal_index=bindparam("terminal_index")),
            indexes,
        )
    described = [(row, row.described_by) for row in rows if row.described_by is not None]
    if not described:
        return
    names = ("subject", "outcome", "verdict", "model", "revision", "serial")
    connection.execute(
        update(decisions).where(*one).values({name: bindparam(name) for name in names}),
        [{"at": row.log_index, **_described(record)} for row, record in described],
    )
    replaced = [row.log_index for row, _ in described]
    for table in (decision_reasons, decision_policies):
        connection.execute(delete(table).where(table.c.tenant == tenant, table.c.log_index.in_(replaced)))
    _name(connection, tenant, described)


def _name(connection: Connection, tenant: str, described: Sequence[tuple[_Projected, ReceivedRecord]]) -> None:
    _insert_all(
        connection,
        decision_reasons,
        [
            {"tenant": tenant, "log_index": row.log_index, "code": code}
            for row, record in described
            for code in set(record.reasons)
        ],
    )
    _insert_all(
        connection,
        decision_policies,
        [
            {"tenant": tenant, "log_index": row.log_index, "policy": policy}
            for row, record in described
            for policy in set(record.policies)
        ],
    )


def _insert_all(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        connection.execute(insert(table), rows)


def _described(record: ReceivedRecord) -> dict[str, Any]:
    return {
        "subject": record.subject,
        "outcome": record.outcome,
        "verdict": record.verdict,
        "model": record.model,
        "revision": record.revision,
        "serial": record.serial,
    }
