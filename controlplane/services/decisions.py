# SPDX-License-Identifier: Apache-2.0
"""Read the decision log: one item for each request, its admission and terminal record joined."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from controlplane.services.decision_filter import DecisionFilter
from controlplane.services.dimensions import Dimension
from controlplane.services.errors import Invalid, NotFound, Problem
from controlplane.services.explanations import Sources, explain
from controlplane.services.model import Principal
from controlplane.services.payload_state import PayloadState
from controlplane.services.ports import Session, Store
from controlplane.services.records import LoggedDecision, LoggedRecord
from policies.contracts.record import pseudonym

_SUBJECT: Final = re.compile(r"[a-z]+:[A-Za-z0-9._@-]{1,128}", re.ASCII)
_PSEUDONYM: Final = re.compile(r"p1:[0-9a-f]{32}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionView:
    """One request. `envelope` is that of the terminal record, of the admission record while there is none.

    `subject` and `input` come from the erasable payload: None unless it is kept.
    """

    request_id: str
    log_index: int
    envelope: dict[str, Any]
    subject: str | None
    input: dict[str, Any] | None
    payload_state: PayloadState
    admission_index: int | None
    terminal_index: int | None
    records: tuple[LoggedRecord, ...] = ()
    explanation: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionPage:
    """Decisions of the log at size `as_of`. `at` is the index after which the next page begins, None on the last."""

    items: tuple[DecisionView, ...]
    as_of: int
    at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    store: Store
    pseudonym_key: bytes

    def find(
        self,
        actor: Principal,
        wanted: DecisionFilter,
        *,
        after: int | None,
        as_of: int | None,
        descending: bool,
        limit: int,
    ) -> DecisionPage:
        """Return a page of decisions in the order of the log as it was at size `as_of`, at its size now without.

        Raises Invalid where the log never had that size.
        """
        sought = self.sought(actor, wanted)
        with self.store.read() as session:
            size = session.decisions.size(actor.tenant)
            seen = size if as_of is None else as_of
            if seen > size:
                fix = f"Ask with as_of at most {size}, or without."
                raise _invalid("as-of-ahead", f"The log has {size} entries.", pointer="/as_of", fix=fix)
            found = session.decision_index.find(
                actor.tenant, sought, after=after, as_of=seen, descending=descending, limit=limit
            )
        return DecisionPage(items=tuple(map(view_of, found.items)), as_of=seen, at=found.at)

    def sought(self, actor: Principal, wanted: DecisionFilter) -> DecisionFilter:
        """Return the question as it is asked of the store: subjects by their pseudonyms. Raises Invalid."""
        return replace(wanted, values=self._named(actor, wanted.values))

    def get(self, actor: Principal, identifier: str) -> DecisionView:
        """Return the decision of a request id, or of the record id of one of its records, with all its records."""
        with self.store.read() as session:
            as_of = session.decisions.size(actor.tenant)
            index = session.decision_index
            decision = index.by_request(actor.tenant, identifier, as_of=as_of) or index.by_record(
                actor.tenant, identifier, as_of=as_of
            )
            if decision is None:
                raise NotFound("decision-unknown", "No record is of that request or has that id.")
            records = index.records(actor.tenant, decision.request_id, as_of=as_of)
            view = view_of(decision)
            sources = _sources(session, actor.tenant, view.envelope)
        return replace(view, records=records, explanation=explain(view.envelope, sources))

    def named(self, actor: Principal, dimension: Dimension, values: tuple[str, ...]) -> tuple[str, ...]:
        """Return values of a dimension as records have them: for subjects their pseudonyms. Raises Invalid."""
        return self._pseudonyms(actor, values) if dimension is Dimension.SUBJECT else values

    def _named(
        self, actor: Principal, values: Mapping[Dimension, tuple[str, ...]]
    ) -> Mapping[Dimension, tuple[str, ...]]:
        subjects = self._pseudonyms(actor, values.get(Dimension.SUBJECT, ()))
        return {**values, Dimension.SUBJECT: subjects} if subjects else values

    def _pseudonyms(self, actor: Principal, subjects: Sequence[str]) -> tuple[str, ...]:
        wrong = [
            subject for subject in subjects if not _SUBJECT.fullmatch(subject) and not _PSEUDONYM.fullmatch(subject)
        ]
        if wrong:
            fix = "Write user:NAME, service:NAME, or a pseudonym p1:HEX."
            raise _invalid("subject-invalid", "Not a subject.", pointer="/subject", fix=fix)
        return tuple(
            subject
            if _PSEUDONYM.fullmatch(subject)
            else pseudonym(self.pseudonym_key, tenant=actor.tenant, subject=subject)
            for subject in subjects
        )


def _sources(session: Session, tenant: str, envelope: Mapping[str, Any]) -> Sources:
    """Return the sources of the release that was active at the record's serial; none where that is not to be told."""
    environment, serial = envelope.get("environment"), envelope.get("serial")
    if type(environment) is not str or type(serial) is not int:
        return Sources()
    activation = session.activations.at_serial(tenant, environment, serial)
    release = None if activation is None else session.releases.get(tenant, activation.release)
    # The record's revision decides: a serial that names another one is of another history of this database.
    if release is None or release.revision != envelope.get("revision"):
        return Sources()
    stored = {policy: session.policies.revision(tenant, policy, revision) for policy, revision in release.policies}
    return Sources(
        release=release.id,
        policies={
            policy: (kept.revision, kept.filename, kept.source.decode("utf-8", "replace"))
            for policy, kept in stored.items()
            if kept is not None
        },
    )


def _invalid(code: str, message: str, *, pointer: str, fix: str) -> Invalid:
    problem = Problem(code=code, message=message, pointer=pointer, fix=fix)
    return Invalid("query-invalid", message, problems=(problem,))


def view_of(decision: LoggedDecision) -> DecisionView:
    """Return the decision as its newest record describes it."""
    last = decision.terminal or decision.admission
    if last is None:
        raise LookupError("a decision without records")
    envelope: dict[str, Any] = json.loads(last.envelope)
    payload = _payload(last)
    return DecisionView(
        request_id=decision.request_id,
        log_index=decision.log_index,
        envelope=envelope,
        subject=_subject(payload),
        input=payload.get("input"),
        payload_state=last.payload_state,
        admission_index=None if decision.admission is None else decision.admission.log_index,
        terminal_index=None if decision.terminal is None else decision.terminal.log_index,
    )


def _payload(record: LoggedRecord) -> dict[str, Any]:
    """Return the payload, empty where it was erased or is not an object: ingestion vouches for its digest only."""
    try:
        read = json.loads(record.payload or b"{}")
    except (ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}


def _subject(payload: dict[str, Any]) -> str | None:
    match payload.get("subject"):
        case {"type": str() as kind, "id": str() as name}:
            return f"{kind}:{name}"
        case _:
            return None
