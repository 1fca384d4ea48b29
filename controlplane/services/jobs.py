# SPDX-License-Identifier: Apache-2.0
"""Do the jobs that were asked for, one at a time, so that each is done whichever process is killed.

Theory: a job is leased. Whoever works at it says so after every slice, which extends the lease and tells whether its
owner cancelled it. A process that dies says nothing more; when its lease has run out another begins the job again, from
its start. One that was begun `MAX_ATTEMPTS` times is given up, lest it end process after process.
"""

import contextlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Protocol

import structlog

from controlplane.identifiers import Clock
from controlplane.services.admin_log import note
from controlplane.services.errors import Refused, StoreUnavailable
from controlplane.services.model import Principal
from controlplane.services.operation import (
    NOT_BEGUN,
    Claim,
    Operation,
    OperationFailure,
    OperationKind,
    OperationResult,
    OperationState,
    Progress,
)
from controlplane.services.ports import Store
from controlplane.services.result_files import FolderFull, GrowingFile, ResultFiles
from policies.contracts.codec import JSON

# A slice takes well under a second, and the last 64 MiB of a file are on a slow disk within a few.
LEASE: Final = timedelta(seconds=30)
# Long enough to fetch a result after a weekend; it may hold what would otherwise have been erased by then.
KEEP: Final = timedelta(hours=72)
MAX_ATTEMPTS: Final = 10

_log = structlog.get_logger("gatehouse.jobs")


class Cancelled(Exception):
    """The owner cancelled the job, or it is another process's by now: nothing more may be done for it."""


class Interrupted(Exception):
    """The process ends: the job is given back."""


@dataclass(slots=True, kw_only=True)
class Job:
    """A claimed job, as what works at it sees it."""

    store: Store
    files: ResultFiles
    claim: Claim
    clock: Clock
    room: int
    closing: threading.Event
    progress: Progress = NOT_BEGUN

    @property
    def operation(self) -> Operation:
        return self.claim.operation

    def advance(self, *, done: int, total: int, rows: int) -> None:
        """Say how far it is. Raises Cancelled, or Interrupted where the process is to end."""
        self.progress = Progress(done=done, total=total, rows=rows)
        with self.store.write() as session:
            is_ours = session.operations.advance(self.claim, self.progress, until=self.clock() + LEASE)
        if not is_ours:
            raise Cancelled
        if self.closing.is_set():
            raise Interrupted

    @contextlib.contextmanager
    def begin(self, suffix: str) -> Iterator[GrowingFile]:
        """Yield the file that becomes the result once it is kept."""
        with self.files.begin(f"{self.operation.id}.{suffix}", fence=self.claim.fence, room=self.room) as file:
            yield file

    def kept(self, file: GrowingFile, media_type: str) -> OperationResult:
        """Keep the file, and return it as the result."""
        size_bytes, digest = file.keep()
        return OperationResult(filename=file.path.name, media_type=media_type, size_bytes=size_bytes, digest=digest)


class Work(Protocol):
    """What does the jobs of one kind."""

    @property
    def action(self) -> str:
        """Return what the administrative event of a finished job is called."""

    def run(self, job: Job) -> tuple[OperationResult, Mapping[str, JSON]]:
        """Return the result, and what the administrative event says of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Jobs:
    store: Store
    files: ResultFiles
    work: Mapping[OperationKind, Work]
    clock: Clock
    closing: threading.Event = field(default_factory=threading.Event)

    def stop(self) -> None:
        """Give back the job that is being done, at its next slice, and do no other. May be called from any thread."""
        self.closing.set()

    def tidy(self) -> None:
        """Remove results past their time, and what killed processes left behind."""
        now = self.clock()
        with self.store.write() as session:
            gone = session.operations.expire(now=now)
            kept = session.operations.names()
        self.files.remove(gone)
        self.files.sweep(keep=kept, before=(now - KEEP).timestamp())

    def work_one(self) -> bool:
        """Do the oldest job that waits, and return whether there was one."""
        with self.store.write() as session:
            claim = session.operations.claim(now=self.clock(), until=self.clock() + LEASE)
            taken = session.operations.stored_bytes()
        if claim is None:
            return False
        room = max(0, self.files.max_bytes - taken)
        self._work(
            Job(store=self.store, files=self.files, claim=claim, clock=self.clock, room=room, closing=self.closing)
        )
        return True

    def _work(self, job: Job) -> None:
        operation, work = job.operation, self.work[job.operation.kind]
        if job.claim.fence > MAX_ATTEMPTS:
            self._end(
                job,
                failure=OperationFailure(code="gave-up", detail=f"It was begun {MAX_ATTEMPTS} times and never ended."),
            )
            return
        try:
            result, told = work.run(job)
        except Interrupted:
            with self.store.write() as session:
                session.operations.release(job.claim)
        except Cancelled:
            self._end(job)
        except Refused as exc:
            self._end(job, failure=OperationFailure(code=exc.code, detail=exc.detail))
        except FolderFull:
            fix = "Ask for less, wait until earlier results are removed, or raise GATEHOUSE_EXPORT_MAX_BYTES."
            self._end(
                job, failure=OperationFailure(code="exports-full", detail=f"There is no room for the result. {fix}")
            )
        except StoreUnavailable:
            # Nothing is noted, as nothing could be: the lease runs out, and the job is begun again.
            _log.warning("job_interrupted", operation=operation.id, attempt=job.claim.fence)
        except Exception as exc:  # noqa: BLE001  # a job that cannot be done must not stop those behind it
            _log.error("job_failed", operation=operation.id, kind=operation.kind.value, error=type(exc).__name__)
            detail = f"Something went wrong here ({type(exc).__name__}). The log has more under {operation.id}."
            self._end(job, failure=OperationFailure(code="internal-error", detail=detail))
        else:
            self._end(job, result=result, told=told)

    def _end(
        self,
        job: Job,
        *,
        result: OperationResult | None = None,
        failure: OperationFailure | None = None,
        told: Mapping[str, JSON] | None = None,
    ) -> None:
        operation, now = job.operation, self.clock()
        state = OperationState.CANCELLED
        if result is not None:
            state = OperationState.SUCCEEDED
        elif failure is not None:
            state = OperationState.FAILED
        with self.store.write() as session:
            is_ours = session.operations.end(
                job.claim,
                state=state,
                progress=job.progress,
                at=now,
                expires_at=now + KEEP,
                result=result,
                failure=failure,
            )
            if is_ours and result is not None:
                action = self.work[operation.kind].action
                note(session, _owner(operation), self.clock, action=action, target=operation.id, **(told or {}))
        _log.info("job_ended", operation=operation.id, kind=operation.kind.value, state=state.value, is_ours=is_ours)


def _owner(operation: Operation) -> Principal:
    """Return who asked for the job, as what they were when they did."""
    return Principal(
        tenant=operation.tenant,
        id=operation.created_by,
        name=operation.created_by,
        role=operation.role,
        created_at=operation.created_at,
    )
