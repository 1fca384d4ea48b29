# SPDX-License-Identifier: Apache-2.0
"""Erase payloads: of a day by destroying its keys, of a subject or a request by deleting them. Envelopes stay.

Theory: an erasure is written down before anything goes, and goes on in slices, each a transaction of its own that holds
the tenant's lock, looks at the holds, erases and writes how far it came. So it survives a restart, keeps others waiting
for no longer than a slice, and stops before a hold that is placed in between.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from controlplane.identifiers import Clock, NewId
from controlplane.services.admin_log import note
from controlplane.services.decision_filter import DecisionFilter
from controlplane.services.dimensions import Dimension
from controlplane.services.errors import Conflict, NotFound
from controlplane.services.keeping import Erasure, ErasureKind, ErasureState, LegalHold, holding
from controlplane.services.model import Page, Principal
from controlplane.services.ports import Session, Store
from controlplane.services.records import FoundDecisions, LogDay, LoggedRecord
from controlplane.services.subjects import as_pseudonym
from controlplane.services.system import system

# A slice keeps other writers waiting: some milliseconds on SQLite.
_SLICE: Final = 200
_ENTRIES_AT_ONCE: Final = 2_000
# What is not done by then goes on behind the answer.
_IN_THE_CALL_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Going:
    """Records whose payloads are to go next, and the index after which there are more; None where there are none."""

    records: tuple[LoggedRecord, ...]
    at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasures:
    """`timer` counts seconds."""

    store: Store
    clock: Clock
    new_id: NewId
    pseudonym_key: bytes
    timer: Callable[[], float] = time.monotonic

    def erase_period(self, actor: Principal, day: date) -> Erasure:
        return self._erase(actor, ErasureKind.PERIOD, day.isoformat())

    def erase_subject(self, actor: Principal, subject: str) -> Erasure:
        """Erase what is kept of `subject`, up to the log's end of now. The name itself is neither kept nor noted."""
        return self._erase(actor, ErasureKind.SUBJECT, as_pseudonym(self.pseudonym_key, actor.tenant, subject))

    def erase_request(self, actor: Principal, request_id: str) -> Erasure:
        return self._erase(actor, ErasureKind.REQUEST, request_id)

    def get(self, actor: Principal, erasure_id: str) -> Erasure:
        with self.store.read() as session:
            erasure = session.erasures.get(actor.tenant, erasure_id)
        if erasure is None:
            raise NotFound("erasure-unknown", "There is no such erasure.")
        return erasure

    def page(self, actor: Principal, *, after: str | None, limit: int) -> Page[Erasure]:
        with self.store.read() as session:
            return session.erasures.page(actor.tenant, after=after, limit=limit)

    def go_on(self) -> None:
        """Carry on with every erasure that was begun and is not done."""
        with self.store.read() as session:
            running = session.erasures.running()
        for erasure in running:
            self._carry_out(erasure, until=None)

    def _erase(self, actor: Principal, kind: ErasureKind, target: str) -> Erasure:
        erasure = Erasure(
            tenant=actor.tenant,
            id=self.new_id("era_"),
            kind=kind,
            target=target,
            state=ErasureState.RUNNING,
            requested_by=actor.id,
            requested_at=self.clock(),
        )
        with self.store.read() as session:
            self._refuse_unknown(session, erasure)
            hold = _first_hold(session, erasure)
        if hold is not None:
            raise Conflict("held", f"The hold {hold.id} covers some of it. Nothing was erased.")
        with self.store.write() as session:
            session.erasures.add(erasure)
            note(session, actor, self.clock, action="erasure_requested", target=erasure.id, kind=kind, of=target)
        return self._carry_out(erasure, until=self.timer() + _IN_THE_CALL_S)

    def _carry_out(self, erasure: Erasure, *, until: float | None) -> Erasure:
        while erasure.state is ErasureState.RUNNING and (until is None or self.timer() < until):
            erasure = self._slice(erasure)
        if erasure.kind is ErasureKind.PERIOD and erasure.state is ErasureState.DONE:
            self.store.scrub_keys()
        return erasure

    def _slice(self, erasure: Erasure) -> Erasure:
        # Records never change, so that they are looked for before anybody is kept waiting.
        with self.store.read() as session:
            going = None if erasure.kind is ErasureKind.PERIOD else _going(session, erasure)
        with self.store.write() as session:
            session.legal_holds.lock(erasure.tenant)
            stored = session.erasures.get(erasure.tenant, erasure.id) or replace(erasure, state=ErasureState.DONE)
            if stored.state is not ErasureState.RUNNING or stored.position != erasure.position:
                return stored  # another replica was faster
            if going is None:
                after = self._slice_of_day(session, stored)
            else:
                after = self._slice_of_decisions(session, stored, going)
            if after.state is not ErasureState.RUNNING:
                after = replace(after, finished_at=self.clock())
                note(
                    session,
                    system(after.tenant, after.requested_by, self.clock),
                    self.clock,
                    action="payloads_erased" if after.state is ErasureState.DONE else "erasure_held",
                    target=after.id,
                    kind=after.kind,
                    of=after.target,
                    payloads=after.payload_count,
                    keys=after.key_count,
                    **({} if after.held_by is None else {"hold": after.held_by}),
                )
            session.erasures.put(after)
            return after

    def _slice_of_day(self, session: Session, erasure: Erasure) -> Erasure:
        """Destroy the keys of the day, first thing; then delete what an earlier release stored of it in plain."""
        hold = _hold_of_day(session, erasure)
        if hold is not None:
            return replace(erasure, state=ErasureState.HELD, held_by=hold.id)
        keys = 0
        if erasure.position == 0:  # not again: what arrives meanwhile came after the erasure, under a key of its own
            keys = session.payloads.destroy(erasure.tenant, erasure.day, at=self.clock())
            session.payloads.blank_quarantine(erasure.tenant, erasure.day)
        day = _day(session, erasure)
        if day is None:
            return replace(erasure, state=ErasureState.DONE, key_count=erasure.key_count + keys)
        first = max(day.first_index, erasure.position)
        end = min(first + _ENTRIES_AT_ONCE, day.end_index)
        count, more = session.payloads.delete_plain(erasure.tenant, first, end)
        return replace(
            erasure,
            state=ErasureState.RUNNING if more and end < day.end_index else ErasureState.DONE,
            key_count=erasure.key_count + keys,
            payload_count=erasure.payload_count + count,
            position=end,
        )

    def _slice_of_decisions(self, session: Session, erasure: Erasure, going: _Going) -> Erasure:
        hold = _hold_of(session.legal_holds.active(erasure.tenant), going.records)
        if hold is not None:
            return replace(erasure, state=ErasureState.HELD, held_by=hold.id)
        count = session.payloads.delete(erasure.tenant, [record.log_index for record in going.records])
        return replace(
            erasure,
            state=ErasureState.DONE if going.at is None else ErasureState.RUNNING,
            payload_count=erasure.payload_count + count,
            position=erasure.position if going.at is None else going.at + 1,
        )

    def _refuse_unknown(self, session: Session, erasure: Erasure) -> None:
        if erasure.kind is ErasureKind.PERIOD and _day(session, erasure) is None:
            raise NotFound("day-unknown", "The log has no entries of that day.")
        if erasure.kind is ErasureKind.REQUEST and not _decisions(session, erasure, after=-1).items:
            raise NotFound("decision-unknown", "No record is of that request.")


def _first_hold(session: Session, erasure: Erasure) -> LegalHold | None:
    """Return a hold that covers something of what is to be erased."""
    held = session.legal_holds.active(erasure.tenant)
    if not held:
        return None
    if erasure.kind is ErasureKind.PERIOD:
        return _hold_of_day(session, erasure)
    after: int | None = -1
    while after is not None:
        found = _decisions(session, erasure, after=after)
        hold = _hold_of(held, _records(session, erasure.tenant, found))
        if hold is not None:
            return hold
        after = found.at
    return None


def _going(session: Session, erasure: Erasure) -> _Going:
    found = _decisions(session, erasure, after=erasure.position - 1)
    return _Going(records=tuple(_records(session, erasure.tenant, found)), at=found.at)


def _hold_of(held: Sequence[LegalHold], records: Iterable[LoggedRecord]) -> LegalHold | None:
    return next((hold for record in records if (hold := holding(held, record.envelope))), None)


def _records(session: Session, tenant: str, found: FoundDecisions) -> Iterator[LoggedRecord]:
    """Yield all records of the decisions found, those that repeat one included."""
    as_of = session.decisions.size(tenant)
    for decision in found.items:
        yield from session.decision_index.records(tenant, decision.request_id, as_of=as_of)


def _hold_of_day(session: Session, erasure: Erasure) -> LegalHold | None:
    held = session.legal_holds.active(erasure.tenant)
    day = _day(session, erasure) if held else None
    if day is None:
        return None
    entries = session.log.entries(erasure.tenant, day.first_index, day.end_index - 1)
    return next((hold for entry in entries if (hold := holding(held, entry.envelope))), None)


def _day(session: Session, erasure: Erasure) -> LogDay | None:
    return next((day for day in session.log.days(erasure.tenant) if day.day == erasure.day), None)


def _decisions(session: Session, erasure: Erasure, *, after: int) -> FoundDecisions:
    wanted = (
        DecisionFilter(values={Dimension.SUBJECT: (erasure.target,)})
        if erasure.kind is ErasureKind.SUBJECT
        else DecisionFilter(request_ids=(erasure.target,))
    )
    as_of = session.decisions.size(erasure.tenant)
    return session.decision_index.find(erasure.tenant, wanted, after=after, as_of=as_of, descending=False, limit=_SLICE)
