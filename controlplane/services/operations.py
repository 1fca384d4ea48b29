# SPDX-License-Identifier: Apache-2.0
"""Ask for long jobs, follow them, and fetch what came of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from controlplane.identifiers import Clock, NewId
from controlplane.services.admin_log import note
from controlplane.services.errors import Conflict, NotFound
from controlplane.services.model import Page, Principal, Role
from controlplane.services.operation import Operation, OperationKind, OperationResult, OperationState
from controlplane.services.ports import Session, Store
from controlplane.services.result_files import ResultFiles
from policies.contracts.codec import JSON

# One thread of each process works at jobs: more than these would wait for hours.
_MOST_UNFINISHED: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    store: Store
    files: ResultFiles
    clock: Clock
    new_id: NewId
    asked: Callable[[], None]

    def begin(
        self,
        session: Session,
        actor: Principal,
        kind: OperationKind,
        question: Mapping[str, JSON],
        *,
        action: str,
        **told: JSON,
    ) -> Operation:
        """Keep a job within the transaction of `session`, with the event that says who asked for it.

        Raises Conflict where this control plane has no folder for results, or the caller too many jobs.
        """
        self.files.require()
        if session.operations.unfinished(actor.tenant, actor.id) >= _MOST_UNFINISHED:
            raise Conflict(
                "too-many-operations", f"At most {_MOST_UNFINISHED} operations of one principal may be unfinished."
            )
        operation = Operation(
            tenant=actor.tenant,
            id=self.new_id("op_"),
            kind=kind,
            state=OperationState.PENDING,
            question=question,
            created_by=actor.id,
            role=actor.role,
            created_at=self.clock(),
        )
        session.operations.add(operation)
        note(session, actor, self.clock, action=action, target=operation.id, **told)
        return operation

    def get(self, actor: Principal, operation_id: str) -> Operation:
        with self.store.read() as session:
            return _visible(session, actor, operation_id)

    def page(self, actor: Principal, *, after: str | None, limit: int) -> Page[Operation]:
        """Return the caller's own jobs; to an auditor, everybody's."""
        own = None if actor.role is Role.AUDITOR else actor.id
        with self.store.read() as session:
            return session.operations.page(actor.tenant, after=after, limit=limit, created_by=own)

    def cancel(self, actor: Principal, operation_id: str) -> Operation:
        """Cancel a job. One that has ended stays as it is."""
        with self.store.write() as session:
            operation = _visible(session, actor, operation_id)
            if operation.state in {OperationState.PENDING, OperationState.RUNNING}:
                session.operations.cancel(actor.tenant, operation_id, at=self.clock())
                note(session, actor, self.clock, action="operation_cancelled", target=operation_id)
            return _visible(session, actor, operation_id)

    def fetch(self, actor: Principal, kind: OperationKind, operation_id: str) -> tuple[OperationResult, Path]:
        """Return the result of a job and the file with its bytes; who fetches it is noted first."""
        with self.store.write() as session:
            operation = _visible(session, actor, operation_id)
            if operation.kind is not kind:
                raise _unknown()
            if operation.state is OperationState.EXPIRED:
                raise NotFound("result-expired", "The result was removed after its time. Ask again.")
            if operation.result is None:
                raise Conflict("result-not-there", f"There is no result: the operation is {operation.state.value}.")
            note(
                session,
                actor,
                self.clock,
                action=f"{kind.value.replace('-', '_')}_fetched",
                target=operation_id,
                digest=operation.result.digest,
            )
        path = self.files.path(operation.result.filename)
        if path is None:
            raise NotFound("result-expired", "The result is no longer in the folder for results. Ask again.")
        return operation.result, path


def _visible(session: Session, actor: Principal, operation_id: str) -> Operation:
    """Return the job if it is the caller's own, or the caller an auditor. To others it is not there."""
    operation = session.operations.get(actor.tenant, operation_id)
    if operation is None or (operation.created_by != actor.id and actor.role is not Role.AUDITOR):
        raise _unknown()
    return operation


def _unknown() -> NotFound:
    return NotFound("operation-unknown", "There is no such operation.")
