# SPDX-License-Identifier: Apache-2.0
"""Exports: the decisions that a question finds, as a file.

Facts: an export is of the log as it was at `as_of` entries: what arrives later is not in it, nor the terminal record of
a request that was still running. It is read in slices, each in a transaction of its own, so that no transaction
stays open for minutes and nothing of the database is held back meanwhile.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from controlplane.exports.columns import Content
from controlplane.exports.formats import FORMATS
from controlplane.exports.rows import ExportRow, content_of
from controlplane.services.archives import Archives, index_at
from controlplane.services.decision_filter import DecisionFilter
from controlplane.services.decisions import Decisions
from controlplane.services.errors import Invalid, Problem
from controlplane.services.filter_json import filter_from_json, filter_to_json
from controlplane.services.jobs import Job
from controlplane.services.model import Principal
from controlplane.services.operation import Operation, OperationKind, OperationResult
from controlplane.services.operations import Operations
from controlplane.services.ports import Store
from controlplane.services.records import LoggedDecision
from policies.contracts.codec import JSON, canonical_bytes

# A decision has at most some 16 KiB of envelopes, and payloads that are nearly always small.
_SLICE: Final = 200


ARCHIVE: Final = "archive"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveRange:
    """Entries from `first` to before `end`, or those received from `since` to before `until`; None is open."""

    first: int | None = None
    end: int | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exports:
    store: Store
    operations: Operations
    decisions: Decisions

    def start(
        self,
        actor: Principal,
        wanted: DecisionFilter,
        *,
        format_name: str,
        include: Collection[Content],
        as_of: int | None,
    ) -> Operation:
        """Begin an export of the decisions that `wanted` finds among the first `as_of` entries; all, unless said."""
        sought = filter_to_json(self.decisions.sought(actor, wanted))
        with self.store.write() as session:
            size = session.log.size(actor.tenant)
            if as_of is not None and as_of > size:
                raise beyond_log("as_of", size)
            question: dict[str, JSON] = {
                "format": format_name,
                "include": sorted(include),
                "as_of": size if as_of is None else as_of,
                "filter": sought,
            }
            operation = self.operations.begin(
                session,
                actor,
                OperationKind.EXPORT,
                question,
                action="export_requested",
                **_told(question),
            )
        self.operations.asked()
        return operation

    def start_archive(self, actor: Principal, wanted: ArchiveRange, *, payloads: bool) -> Operation:
        """Begin an archive of a range of the log; all of it, unless said. Raises Invalid."""
        with self.store.write() as session:
            log = session.log
            size = log.size(actor.tenant)
            first, end = wanted.first, wanted.end
            if wanted.since is not None:
                first = index_at(log, actor.tenant, wanted.since, begins=True)
            if wanted.until is not None:
                end = index_at(log, actor.tenant, wanted.until, begins=False)
            for name, index in (("first", first), ("end", end)):
                if index is not None and index > size:
                    raise beyond_log(f"range/{name}", size)
            question: dict[str, JSON] = {
                "format": ARCHIVE,
                "first": min(first or 0, size if end is None else end),
                "end": end,
                "as_of": size,
                "payloads": payloads,
            }
            operation = self.operations.begin(
                session, actor, OperationKind.EXPORT, question, action="export_requested", **question
            )
        self.operations.asked()
        return operation


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportWork:
    """Writes the file of an export."""

    store: Store
    archives: Archives
    action: str = "export_made"

    def run(self, job: Job) -> tuple[OperationResult, Mapping[str, JSON]]:
        question: Any = job.operation.question
        if question["format"] == ARCHIVE:
            return self.archives.run(job)
        written = FORMATS[question["format"]]
        include = [Content(name) for name in question["include"]]
        with job.begin(written.suffix) as file:
            for part in written.encode(self._rows(job, question), include=include):
                file.write(part)
            result = job.kept(file, written.media_type)
        told = _told(question) | {"count": job.progress.rows, "digest": result.digest, "bytes": result.size_bytes}
        return result, told

    def _rows(self, job: Job, question: Mapping[str, Any]) -> Iterator[ExportRow]:
        wanted, as_of = filter_from_json(question["filter"]), question["as_of"]
        after: int | None = None
        count = 0
        while True:
            with self.store.read() as session:
                found = session.decision_index.find(
                    job.operation.tenant,
                    wanted,
                    after=after,
                    as_of=as_of,
                    descending=False,
                    limit=_SLICE,
                )
            for decision in found.items:
                if (row := row_of(decision)) is not None:
                    count += 1
                    yield row
            after = found.at
            job.advance(done=as_of if after is None else after + 1, total=as_of, rows=count)
            if after is None:
                return


def row_of(decision: LoggedDecision) -> ExportRow | None:
    """Return the row of a decision; None where retention has dropped its records."""
    shown = decision.terminal or decision.admission
    if shown is None:
        return None
    subject, asked = content_of(shown.payload)
    return ExportRow(
        log_index=shown.log_index,
        first_index=decision.log_index,
        received_at=shown.received_at,
        envelope=shown.envelope,
        subject=subject,
        input=asked,
    )


def beyond_log(name: str, size: int) -> Invalid:
    """Return the refusal of a position that the log has not reached."""
    return Invalid(
        "body-invalid",
        "The log does not go that far.",
        problems=(
            Problem(
                code="beyond-log",
                message=f"The log has {size} entries.",
                pointer=f"/{name}",
                fix=f"Leave it out, or name a number up to {size}.",
            ),
        ),
    )


def _told(question: Mapping[str, Any]) -> dict[str, JSON]:
    """Return what the administrative events say of a question: its filters only as a digest, for they name subjects."""
    digest = "sha256:" + hashlib.sha256(canonical_bytes(question["filter"])).hexdigest()
    return {
        "format": question["format"],
        "include": question["include"],
        "as_of": question["as_of"],
        "filter_digest": digest,
    }
