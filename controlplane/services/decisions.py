# SPDX-License-Identifier: Apache-2.0
"""Read the decision log: one item for each request, its admission and terminal record joined."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from controlplane.services.errors import Invalid, NotFound, Problem
from controlplane.services.model import Page, Principal
from controlplane.services.ports import Store
from controlplane.services.records import DecisionFilter, LoggedDecision, LoggedRecord
from policies.contracts.record import pseudonym

_SUBJECT: Final = re.compile(r"[a-z]+:[A-Za-z0-9._@-]{1,128}", re.ASCII)
_PSEUDONYM: Final = re.compile(r"p1:[0-9a-f]{32}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionView:
    """One request. `envelope` is that of the terminal record, of the admission record while there is none.

    `subject` and `input` come from the erasable payload: None once it was erased.
    """

    request_id: str
    log_index: int
    envelope: dict[str, Any]
    subject: str | None
    input: dict[str, Any] | None
    admission_index: int | None
    terminal_index: int | None
    records: tuple[LoggedRecord, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    store: Store
    pseudonym_key: bytes

    def find(
        self,
        actor: Principal,
        wanted: DecisionFilter,
        *,
        after: tuple[int, int] | None,
        descending: bool,
        limit: int,
    ) -> Page[DecisionView]:
        """Return a page of decisions in the order of the log. `after` is the last page's `LOG_INDEX AS_OF`.

        All pages of one list are of the log as it was when the first was asked for, so that an auditor who reads
        them while records arrive reads each decision once.
        """
        sought = replace(wanted, subjects=self._pseudonyms(actor, wanted.subjects))
        with self.store.read() as session:
            as_of = session.decisions.size(actor.tenant) if after is None else after[1]
            found = session.decisions.find(
                actor.tenant,
                sought,
                after=None if after is None else after[0],
                as_of=as_of,
                descending=descending,
                limit=limit + 1,
            )
        shown = found[:limit]
        more = len(found) > limit
        return Page(items=tuple(map(_view, shown)), next_key=f"{shown[-1].log_index} {as_of}" if more else None)

    def get(self, actor: Principal, identifier: str) -> DecisionView:
        """Return the decision of a request id, or of the record id of one of its records, with all its records."""
        with self.store.read() as session:
            decision = session.decisions.by_request(actor.tenant, identifier)
            if decision is None:
                request_id = session.decisions.request_of(actor.tenant, identifier)
                decision = None if request_id is None else session.decisions.by_request(actor.tenant, request_id)
            if decision is None:
                raise NotFound("decision-unknown", "No record is of that request or has that id.")
            records = session.decisions.records(actor.tenant, decision.request_id)
        return replace(_view(decision), records=records)

    def _pseudonyms(self, actor: Principal, subjects: Sequence[str]) -> tuple[str, ...]:
        wrong = [
            subject for subject in subjects if not _SUBJECT.fullmatch(subject) and not _PSEUDONYM.fullmatch(subject)
        ]
        if wrong:
            fix = "Write user:NAME, service:NAME, or a pseudonym p1:HEX."
            raise Invalid(
                "query-invalid",
                "A subject is not one.",
                problems=(Problem(code="subject-invalid", message="Not a subject.", pointer="/subject", fix=fix),),
            )
        return tuple(
            subject
            if _PSEUDONYM.fullmatch(subject)
            else pseudonym(self.pseudonym_key, tenant=actor.tenant, subject=subject)
            for subject in subjects
        )


def _view(decision: LoggedDecision) -> DecisionView:
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
