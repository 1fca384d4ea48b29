# SPDX-License-Identifier: Apache-2.0
"""A long job as it is kept: what was asked for, how far it is, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from controlplane.services.model import Page, Role
from policies.contracts.codec import JSON


class OperationKind(StrEnum):
    EXPORT = "export"
    EVIDENCE_PACK = "evidence-pack"
    REPLAY = "replay"


class OperationState(StrEnum):
    """`pending` until a process takes it up; the last three are final. A result that was removed is `expired`."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    EXPIRED = "expired"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """`done` of `total` entries of the log were looked at, and `rows` of them written."""

    done: int = 0
    total: int = 0
    rows: int = 0


NOT_BEGUN = Progress()


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationResult:
    """A file: its name in the export directory, and what a downloader is told of it. `digest` is of all its bytes."""

    filename: str
    media_type: str
    size_bytes: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationFailure:
    """Why it failed: a stable code, and words for people."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """`question` is all that the job needs to know, as JSON; `role` is what its owner was when asking."""

    tenant: str
    id: str
    kind: OperationKind
    state: OperationState
    question: Mapping[str, JSON]
    created_by: str
    role: Role
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    expires_at: datetime | None = None
    cancel_requested: bool = False
    progress: Progress = NOT_BEGUN
    result: OperationResult | None = None
    failure: OperationFailure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A job that this process alone may work at, until `fence` was given to another."""

    operation: Operation
    fence: int


class OperationStore(Protocol):
    """Jobs, as they are kept. Whoever claims one may write to it until the lease has run out and another claimed it."""

    def add(self, operation: Operation) -> None: ...
    def get(self, tenant: str, operation_id: str) -> Operation | None: ...
    def page(self, tenant: str, *, after: str | None, limit: int, created_by: str | None = None) -> Page[Operation]: ...
    def unfinished(self, tenant: str, created_by: str) -> int:
        """Return how many jobs of a principal have not ended."""

    def claim(self, *, now: datetime, until: datetime) -> Claim | None:
        """Take the oldest job of any tenant that nobody works at; None where there is none."""

    def advance(self, claim: Claim, progress: Progress, *, until: datetime) -> bool:
        """Note the progress and extend the lease. False where the job is another's, or its owner cancelled it."""

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
        """Note how it ended. False, and nothing changed, where the job is another's by now."""

    def release(self, claim: Claim) -> None:
        """Give a job back that was not done: another process may take it up at once."""

    def cancel(self, tenant: str, operation_id: str, *, at: datetime) -> None:
        """Cancel a job: at once where nobody works at it, else as soon as whoever does notices."""

    def stored_bytes(self) -> int:
        """Return how many bytes the results of all tenants take."""

    def expire(self, *, now: datetime) -> tuple[str, ...]:
        """Mark what is past its time as expired, and return the names of the files to remove."""

    def names(self) -> frozenset[str]:
        """Return the names of all files that are results."""
