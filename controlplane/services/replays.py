# SPDX-License-Identifier: Apache-2.0
"""Replays: a release over recorded decisions (`docs/spec/life-cycle.md`, "Replay").

Facts: like an export, a replay is of the log as it was at `as_of` entries and read in slices, each in a transaction of
its own. It stores nothing but its report, which names subjects by their pseudonyms and has no text.
"""

import asyncio
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from controlplane.replays.run import ReplayRun
from controlplane.services.decision_filter import DecisionFilter
from controlplane.services.decision_index import DescribedDecision
from controlplane.services.decisions import Decisions
from controlplane.services.dimensions import Dimension
from controlplane.services.errors import Conflict, Forbidden, Invalid, NotFound, Problem
from controlplane.services.exports import beyond_log
from controlplane.services.filter_json import filter_from_json, filter_to_json
from controlplane.services.jobs import Job
from controlplane.services.model import Principal, Release, Role
from controlplane.services.operation import Operation, OperationKind, OperationResult
from controlplane.services.operations import Operations
from controlplane.services.ports import Session, Store
from controlplane.services.rego_engines import OpaNotStarted, RegoEngines
from policies.contracts.codec import JSON, canonical_bytes
from policies.contracts.errors import EvaluationFailed
from policies.contracts.snapshot import PolicySnapshot
from policies.engines.rego_plan import RegoRefused

RECORDED: Final = "recorded"
IN_FORCE: Final = "in-force"
MEDIA_TYPE: Final = "application/json"
# Some ten megabytes, and less than a tenth of a second of one transaction.
_SLICE: Final = 4_000
# Who may ask for decisions by the names of subjects: to all others a pseudonym stays one.
_KNOW_SUBJECTS: Final = frozenset({Role.AUDITOR, Role.INVESTIGATOR})


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayQuestion:
    """`against` is RECORDED, IN_FORCE, or the id of a release. At most `examples` requests of each kind are told."""

    release: str
    wanted: DecisionFilter
    against: str
    as_of: int | None
    examples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Replays:
    store: Store
    operations: Operations
    decisions: Decisions

    def start(self, actor: Principal, asked: ReplayQuestion) -> Operation:
        """Begin a replay. Without a filter for environments, decisions are of the one that the release is for.

        Raises NotFound, Invalid, Forbidden.
        """
        _refuse_names(actor, asked.wanted)
        with self.store.write() as session:
            release = _release(session, actor.tenant, asked.release)
            size = session.log.size(actor.tenant)
            if asked.as_of is not None and asked.as_of > size:
                raise beyond_log("as_of", size)
            wanted = asked.wanted
            if not wanted.values.get(Dimension.ENVIRONMENT):
                values = {**wanted.values, Dimension.ENVIRONMENT: (release.environment,)}
                wanted = replace(wanted, values=values)
            question: dict[str, JSON] = {
                "release": _named(release),
                "against": self._against(session, release, asked.against),
                "as_of": size if asked.as_of is None else asked.as_of,
                "examples": asked.examples,
                "filter": filter_to_json(self.decisions.sought(actor, wanted)),
            }
            operation = self.operations.begin(
                session, actor, OperationKind.REPLAY, question, action="replay_requested", **_told(question)
            )
        self.operations.asked()
        return operation

    def _against(self, session: Session, release: Release, against: str) -> dict[str, JSON]:
        """Return what the release is compared with, and what is in force: latencies are compared with that."""
        in_force = _in_force(session, release)
        if against == RECORDED:
            return {"kind": RECORDED, "release": None if in_force is None else _named(in_force)}
        if against == IN_FORCE:
            if in_force is None:
                raise NotFound("nothing-published", "Nothing has been published for this environment.")
            return {"kind": IN_FORCE, "release": _named(in_force)}
        return {"kind": "release", "release": _named(_release(session, release.tenant, against, pointer="/against"))}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayWork:
    """Makes the report of a replay."""

    store: Store
    rego: RegoEngines
    action: str = "replay_made"

    def run(self, job: Job) -> tuple[OperationResult, Mapping[str, JSON]]:
        question: Any = job.operation.question
        against = question["against"]
        with self.store.read() as session:
            tenant = job.operation.tenant
            snapshot = _snapshot(_release(session, tenant, question["release"]["id"]))
            other = (
                None if against["release"] is None else _snapshot(_release(session, tenant, against["release"]["id"]))
            )
        run = ReplayRun(
            rego=self.rego,
            snapshot=snapshot,
            baseline=other,
            compares_baseline=against["kind"] != RECORDED,
            most_examples=question["examples"],
            in_force_then=lambda environment, serial, revision: self._then(tenant, environment, serial, revision),
        )
        try:
            counted = asyncio.run(run.over(self._slices(job, question)))
        except (RegoRefused, OpaNotStarted, EvaluationFailed) as exc:
            raise Conflict("not-evaluable", f"The engine did not answer for the release: {exc}.") from exc
        report = {"schema": "gatehouse.replay/1", **question, **counted}
        with job.begin("replay.json") as file:
            file.write(json.dumps(report, ensure_ascii=False, indent=1).encode())
            result = job.kept(file, MEDIA_TYPE)
        changes = {name: change["count"] for name, change in counted["changes"].items()}
        told = {"count": counted["decisions"], "compared": counted["compared"], "changes": changes}
        return result, {**_told(question), **told, "digest": result.digest}

    def _slices(self, job: Job, question: Mapping[str, Any]) -> Iterator[Sequence[DescribedDecision]]:
        wanted, as_of = filter_from_json(question["filter"]), question["as_of"]
        after: int | None = None
        count = 0
        while True:
            with self.store.read() as session:
                found = session.decision_index.described(
                    job.operation.tenant, wanted, after=after, as_of=as_of, limit=_SLICE
                )
            yield found.items
            count += len(found.items)
            after = found.at
            job.advance(done=as_of if after is None else after + 1, total=as_of, rows=count)
            if after is None:
                return

    def _then(self, tenant: str, environment: str, serial: int, revision: str) -> PolicySnapshot | None:
        """Return the snapshot that decided; None where it is of another history."""
        with self.store.read() as session:
            activation = session.activations.at_serial(tenant, environment, serial)
            release = None if activation is None else session.releases.get(tenant, activation.release)
        return None if release is None or release.revision != revision else _snapshot(release)


def _refuse_names(actor: Principal, wanted: DecisionFilter) -> None:
    """Refuse to find decisions by a subject's name for whoever may not read decisions by it."""
    named = [subject for subject in wanted.values.get(Dimension.SUBJECT, ()) if not subject.startswith("p1:")]
    if named and actor.role not in _KNOW_SUBJECTS:
        raise Forbidden(
            "subject-not-permitted",
            "Whose decisions they are is for auditors: filter by a pseudonym (p1:…), as reports have them.",
        )


def _release(session: Session, tenant: str, release_id: str, *, pointer: str = "/release") -> Release:
    release = session.releases.get(tenant, release_id)
    if release is None:
        problem = Problem(code="release-unknown", message="There is no such release.", pointer=pointer)
        raise Invalid("release-unknown", "There is no such release.", problems=(problem,))
    return release


def _in_force(session: Session, release: Release) -> Release | None:
    environment = session.environments.get(release.tenant, release.environment)
    if environment is None:
        return None
    activation = session.activations.at_serial(release.tenant, environment.id, environment.serial)
    return None if activation is None else session.releases.get(release.tenant, activation.release)


def _snapshot(release: Release) -> PolicySnapshot:
    return PolicySnapshot.from_json(json.loads(release.snapshot))


def _named(release: Release) -> dict[str, JSON]:
    return {"id": release.id, "revision": release.revision, "environment": release.environment}


def _told(question: Mapping[str, Any]) -> dict[str, JSON]:
    """Return what the administrative events say of a question: its filters only as a digest, for they name subjects."""
    against = question["against"]
    return {
        "release": question["release"]["id"],
        "revision": question["release"]["revision"],
        "against": against["kind"] if against["release"] is None else f"{against['kind']} {against['release']['id']}",
        "as_of": question["as_of"],
        "filter_digest": "sha256:" + hashlib.sha256(canonical_bytes(question["filter"])).hexdigest(),
    }
