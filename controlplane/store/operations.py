# SPDX-License-Identifier: Apache-2.0
"""Long jobs (`controlplane.services.operation.OperationStore`).

Theory: a job is claimed by raising its fence in the transaction that leases it. Whoever writes to it names the fence it
was given, so that a process that slept through its lease changes nothing of what another does since. On PostgreSQL two
processes that claim at once take different rows (SKIP LOCKED); on SQLite one waits for the other.
"""

import json
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, func, insert, or_, select, update

from controlplane.services.model import Page, Role
from controlplane.services.operation import (
    Claim,
    Operation,
    OperationFailure,
    OperationKind,
    OperationResult,
    OperationState,
    Progress,
)
from controlplane.store.operation_tables import operations
from controlplane.store.pages import page_of

_UNFINISHED: Final = (OperationState.PENDING.value, OperationState.RUNNING.value)


class SqlOperations:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, operation: Operation) -> None:
        self._connection.execute(
            insert(operations).values(
                tenant=operation.tenant,
                id=operation.id,
                kind=operation.kind.value,
                state=operation.state.value,
                question=json.dumps(dict(operation.question), sort_keys=True),
                created_by=operation.created_by,
                role=operation.role.value,
                created_at=operation.created_at,
                fence=0,
                cancel_requested=0,
                done=operation.progress.done,
                total=operation.progress.total,
                row_count=operation.progress.rows,
            ),
        )

    def get(self, tenant: str, operation_id: str) -> Operation | None:
        row = self._connection.execute(select(operations).where(*_named(tenant, operation_id))).one_or_none()
        return None if row is None else _operation(row)

    def page(self, tenant: str, *, after: str | None, limit: int, created_by: str | None = None) -> Page[Operation]:
        query = select(operations).where(operations.c.tenant == tenant).order_by(operations.c.id).limit(limit + 1)
        if after is not None:
            query = query.where(operations.c.id > after)
        if created_by is not None:
            query = query.where(operations.c.created_by == created_by)
        return page_of(self._connection.execute(query).all(), limit=limit, item=_operation, key="id")

    def unfinished(self, tenant: str, created_by: str) -> int:
        query = select(func.count()).where(
            operations.c.tenant == tenant,
            operations.c.created_by == created_by,
            operations.c.state.in_(_UNFINISHED),
        )
        return int(self._connection.execute(query).scalar_one())

    def claim(self, *, now: datetime, until: datetime) -> Claim | None:
        free = or_(
            operations.c.state == OperationState.PENDING.value,
            (operations.c.state == OperationState.RUNNING.value) & (operations.c.leased_until < now),
        )
        query = select(operations).where(free).order_by(operations.c.id).limit(1).with_for_update(skip_locked=True)
        row = self._connection.execute(query).one_or_none()
        if row is None:
            return None
        fence = int(row.fence) + 1
        self._connection.execute(
            update(operations)
            .where(*_named(row.tenant, row.id))
            .values(
                state=OperationState.RUNNING.value,
                fence=fence,
                leased_until=until,
                started_at=row.started_at or now,
                done=0,
                row_count=0,
            ),
        )
        return Claim(operation=_operation(row), fence=fence)

    def advance(self, claim: Claim, progress: Progress, *, until: datetime) -> bool:
        changed = self._connection.execute(
            update(operations)
            .where(*_of(claim), operations.c.cancel_requested == 0)
            .values(done=progress.done, total=progress.total, row_count=progress.rows, leased_until=until),
        )
        return bool(changed.rowcount)

    def end(
        self,
        claim: Claim,
        *,
        state: OperationState,
        progress: Progress,
        at: datetime,
        expires_at: datetime,
        result: OperationResult | None = None,
        failure: OperationFailure | None = None,
    ) -> bool:
        changed = self._connection.execute(
            update(operations)
            .where(*_of(claim))
            .values(
                state=state.value,
                ended_at=at,
                expires_at=expires_at,
                leased_until=None,
                done=progress.done,
                total=progress.total,
                row_count=progress.rows,
                filename=result and result.filename,
                media_type=result and result.media_type,
                size_bytes=result and result.size_bytes,
                digest=result and result.digest,
                failure_code=failure and failure.code,
                failure_detail=failure and failure.detail,
            ),
        )
        return bool(changed.rowcount)

    def release(self, claim: Claim) -> None:
        self._connection.execute(
            update(operations).where(*_of(claim)).values(state=OperationState.PENDING.value, leased_until=None),
        )

    def cancel(self, tenant: str, operation_id: str, *, at: datetime) -> None:
        named = _named(tenant, operation_id)
        self._connection.execute(
            update(operations)
            .where(*named, operations.c.state == OperationState.PENDING.value)
            .values(state=OperationState.CANCELLED.value, cancel_requested=1, ended_at=at),
        )
        self._connection.execute(
            update(operations)
            .where(*named, operations.c.state == OperationState.RUNNING.value)
            .values(cancel_requested=1),
        )

    def stored_bytes(self) -> int:
        total = select(func.sum(operations.c.size_bytes)).where(operations.c.state == OperationState.SUCCEEDED.value)
        return int(self._connection.execute(total).scalar_one() or 0)

    def expire(self, *, now: datetime) -> tuple[str, ...]:
        past = (operations.c.state == OperationState.SUCCEEDED.value) & (operations.c.expires_at <= now)
        names = tuple(
            str(name) for name in self._connection.execute(select(operations.c.filename).where(past)).scalars()
        )
        if names:
            self._connection.execute(update(operations).where(past).values(state=OperationState.EXPIRED.value))
        return names

    def names(self) -> frozenset[str]:
        query = select(operations.c.filename).where(operations.c.state == OperationState.SUCCEEDED.value)
        return frozenset(map(str, self._connection.execute(query).scalars()))


def _named(tenant: str, operation_id: str) -> tuple[Any, ...]:
    return operations.c.tenant == tenant, operations.c.id == operation_id


def _of(claim: Claim) -> tuple[Any, ...]:
    """Return what holds for the row as long as the claim does."""
    return (
        *_named(claim.operation.tenant, claim.operation.id),
        operations.c.fence == claim.fence,
        operations.c.state == OperationState.RUNNING.value,
    )


def _operation(row: Row[Any]) -> Operation:
    return Operation(
        tenant=row.tenant,
        id=row.id,
        kind=OperationKind(row.kind),
        state=OperationState(row.state),
        question=json.loads(row.question),
        created_by=row.created_by,
        role=Role(row.role),
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        expires_at=row.expires_at,
        cancel_requested=bool(row.cancel_requested),
        progress=Progress(done=row.done, total=row.total, rows=row.row_count),
        result=None
        if row.filename is None
        else OperationResult(
            filename=row.filename,
            media_type=row.media_type,
            size_bytes=row.size_bytes,
            digest=row.digest,
        ),
        failure=None
        if row.failure_code is None
        else OperationFailure(code=row.failure_code, detail=row.failure_detail),
    )
