# SPDX-License-Identifier: Apache-2.0
"""Evidence packs: an archive of a period with all that an auditor asks beside it (`docs/how-to/evidence-pack.md`).

Theory: the entries and their proofs are the evidence; everything else in the pack is told from them, or from what the
control plane keeps of policies and of administration, at the time when the pack is made. The entries are read twice,
once to be counted and once to be written, so that memory does not grow with the period.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import IO, Any, Final, cast

from controlplane.audit.archive import archive_files
from controlplane.audit.archive_files import write_zip
from controlplane.evidence.controls import controls_csv, controls_page
from controlplane.evidence.pages import to_html, to_markdown
from controlplane.evidence.summary import Enforced, PackHead, completeness_json, summary_json, summary_page
from controlplane.evidence.tally import Tally
from controlplane.services.archives import MEDIA_TYPE, Archives, index_at, slices
from controlplane.services.errors import Invalid, NotFound
from controlplane.services.jobs import Job
from controlplane.services.model import Activation, AdminEvent, Principal, Release
from controlplane.services.operation import Operation, OperationKind, OperationResult
from controlplane.services.operations import Operations
from controlplane.services.ports import Session, Store
from controlplane.services.times import format_time, parse_time
from policies.contracts.codec import JSON

_EVENTS_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidencePacks:
    store: Store
    operations: Operations

    def start(self, actor: Principal, *, environment: str, since: datetime, until: datetime) -> Operation:
        """Begin a pack of what the log received from `since` to before `until`.

        Raises Invalid for a period that has no length, NotFound for an environment there is none of.
        """
        if since >= until:
            raise Invalid("body-invalid", "The period ends before it begins: turn 'from' and 'to' round.")
        with self.store.write() as session:
            if session.environments.get(actor.tenant, environment) is None:
                raise NotFound("environment-unknown", "There is no such environment.")
            first = index_at(session.log, actor.tenant, since, begins=True)
            question: dict[str, JSON] = {
                "environment": environment,
                "from": format_time(since),
                "to": format_time(until),
                "first": first,
                "end": max(first, index_at(session.log, actor.tenant, until, begins=False)),
            }
            operation = self.operations.begin(
                session, actor, OperationKind.EVIDENCE_PACK, question, action="evidence_pack_requested", **question
            )
        self.operations.asked()
        return operation


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceWork:
    """Writes evidence packs."""

    store: Store
    archives: Archives
    action: str = "evidence_pack_made"

    def run(self, job: Job) -> tuple[OperationResult, Mapping[str, JSON]]:
        question: Any = job.operation.question
        tenant, first, end = job.operation.tenant, question["first"], question["end"]
        signed = self.archives.checkpoint(job, end)
        head = PackHead(
            tenant=tenant,
            environment=question["environment"],
            since=parse_time(question["from"]),
            until=parse_time(question["to"]),
            first=first,
            end=end,
            made_at=job.clock(),
            made_by=job.operation.created_by,
        )
        others = self._others(head, self._tally(job, head, size=signed.size))
        whole = self.archives.head(tenant, signed, first=first, end=end, others=others)
        with job.begin("evidence.zip") as file:
            entries = self.archives.entries(job, first, end, payloads=False)
            write_zip(cast("IO[bytes]", file), archive_files(whole, entries))
            result = job.kept(file, MEDIA_TYPE)
        told = {"size": signed.size, "count": end - first, "digest": result.digest, "bytes": result.size_bytes}
        return result, {**question, **told}

    def _tally(self, job: Job, head: PackHead, *, size: int) -> Tally:
        tally = Tally(environment=head.environment, from_first=head.first == 0, to_last=head.end == size)
        for entry in slices(self.store, job, head.first, head.end):
            tally.add(entry.log_index, entry.envelope, has_payload=entry.payload is not None)
        return tally

    def _others(self, head: PackHead, tally: Tally) -> dict[str, bytes]:
        """Return the files of the pack beside its entries and proofs, by name."""
        completeness = tally.completeness()
        with self.store.read() as session:
            activations = tuple(_enforced(session, head))
            events = tuple(_events(session, head))
            files = dict(_policy_files(session, head.tenant, activations))
        enforced = tuple(each for each, _, _ in activations)
        by_action = Counter(event.action for event in events)
        page = summary_page(head, tally, completeness, enforced, by_action)
        return {
            "summary.md": to_markdown(page),
            "summary.html": to_html(page),
            "summary.json": _json(summary_json(head, tally, enforced, by_action)),
            "completeness.json": _json(completeness_json(completeness)),
            "controls.md": to_markdown(controls_page()),
            "controls.csv": controls_csv(),
            "activations.json": _json([_shown(each) for each in enforced]),
            "admin-events.ndjson": b"".join(_line(event) for event in events),
            **files,
        }


def _enforced(session: Session, head: PackHead) -> Iterator[tuple[Enforced, Activation, Release]]:
    """Yield what was in force within the period, the earliest first."""
    tenant, environment = head.tenant, head.environment
    activation = session.activations.in_force(tenant, environment, head.since)
    if activation is None:
        activation = session.activations.next_in_force(tenant, environment, 0)
    while activation is not None and (since := activation.in_force_at) is not None and since < head.until:
        after = session.activations.next_in_force(tenant, environment, activation.serial)
        release = session.releases.get(tenant, activation.release)
        if release is not None:
            yield (
                Enforced(
                    serial=activation.serial,
                    release=release.id,
                    revision=release.revision,
                    author=release.author,
                    approver=activation.by,
                    since=since,
                    active_at=activation.active_at,
                    until=None if after is None else after.in_force_at,
                    policies=release.policies,
                ),
                activation,
                release,
            )
        activation = after


def _events(session: Session, head: PackHead) -> Iterator[AdminEvent]:
    """Yield the administrative events of the period, in their order."""
    after: int | None = None
    while True:
        page = session.admin_events.page(head.tenant, after=after, limit=_EVENTS_AT_ONCE)
        yield from (event for event in page.items if head.since <= event.at < head.until)
        if page.next_key is None:
            return
        after = int(page.next_key)


def _policy_files(
    session: Session, tenant: str, activations: tuple[tuple[Enforced, Activation, Release], ...]
) -> Iterator[tuple[str, bytes]]:
    """Yield each release once, with its snapshot, and each policy revision that one pins, in its source."""
    releases = {release.id: release for _, _, release in activations}
    for release in releases.values():
        yield f"releases/{release.id}.json", _json(_release(release))
        yield f"releases/{release.id}.snapshot.json", release.snapshot
    pinned = {pin for release in releases.values() for pin in release.policies}
    for policy, revision in sorted(pinned):
        kept = session.policies.revision(tenant, policy, revision)
        if kept is not None:
            yield f"policies/{policy}/{revision.removeprefix('sha256:')}.yaml", kept.source


def _release(release: Release) -> dict[str, JSON]:
    return {
        "id": release.id,
        "environment": release.environment,
        "revision": release.revision,
        "author": release.author,
        "created_at": format_time(release.created_at),
        "description": release.description,
        "policies": [{"policy": policy, "revision": revision} for policy, revision in release.policies],
        "tests": [asdict(test) for test in release.tests],
    }


def _shown(each: Enforced) -> dict[str, Any]:
    times = {"since": each.since, "active_at": each.active_at, "until": each.until}
    shown = {name: None if at is None else format_time(at) for name, at in times.items()}
    pins = [{"policy": policy, "revision": revision} for policy, revision in each.policies]
    return {**asdict(each), **shown, "policies": pins}


def _line(event: AdminEvent) -> bytes:
    members = asdict(event) | {"at": format_time(event.at)}
    return json.dumps(members, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def _json(value: object) -> bytes:
    return json.dumps(value, indent=2, sort_keys=True).encode() + b"\n"
