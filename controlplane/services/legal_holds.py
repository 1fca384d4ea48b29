# SPDX-License-Identifier: Apache-2.0
"""Legal holds: what a hold covers is neither erased nor dropped while it stands.

Theory: placing a hold, a slice of an erasure and a slice of a drop each take the tenant's lock, and the latter two read
the holds behind it. So once a hold is placed, nothing that it covers goes; what went before it was placed is gone.
"""

from dataclasses import dataclass
from datetime import datetime

from controlplane.identifiers import Clock, NewId
from controlplane.services.admin_log import note
from controlplane.services.errors import Conflict, Invalid, NotFound, Problem
from controlplane.services.keeping import LegalHold
from controlplane.services.model import Page, Principal
from controlplane.services.ports import Store
from controlplane.services.subjects import as_pseudonym


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldScope:
    """What to hold: the members that are given all hold. `subject` is `user:NAME` or a pseudonym."""

    since: datetime | None = None
    until: datetime | None = None
    subject: str | None = None
    request_ids: tuple[str, ...] = ()
    policy: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LegalHolds:
    store: Store
    clock: Clock
    new_id: NewId
    pseudonym_key: bytes

    def place(self, actor: Principal, scope: HoldScope, *, reason: str) -> LegalHold:
        """Return the new hold, which nothing that it covers is lost behind."""
        if not (scope.since or scope.until or scope.subject or scope.request_ids or scope.policy):
            fix = "Give from, to, subject, request_ids or policy; to hold everything, give from: 1970-01-01T00:00:00Z."
            problem = Problem(code="hold-without-scope", message="Nothing says what to hold.", fix=fix)
            raise Invalid("hold-without-scope", "A hold says what it holds. " + fix, problems=(problem,))
        if scope.since and scope.until and scope.since >= scope.until:
            problem = Problem(code="period-empty", message="It ends before it begins.", pointer="/to")
            raise Invalid("period-empty", "The period has no moment in it.", problems=(problem,))
        hold = LegalHold(
            tenant=actor.tenant,
            id=self.new_id("hold_"),
            reason=reason,
            since=scope.since,
            until=scope.until,
            subject=as_pseudonym(self.pseudonym_key, actor.tenant, scope.subject),
            request_ids=scope.request_ids,
            policy=scope.policy,
            placed_by=actor.id,
            placed_at=self.clock(),
        )
        with self.store.write() as session:
            session.legal_holds.lock(actor.tenant)
            session.legal_holds.add(hold)
            note(session, actor, self.clock, action="legal_hold_placed", target=hold.id, subject=hold.subject)
        return hold

    def release(self, actor: Principal, hold_id: str) -> LegalHold:
        """End a hold. Nobody ends one that they placed."""
        with self.store.write() as session:
            session.legal_holds.lock(actor.tenant)
            hold = session.legal_holds.get(actor.tenant, hold_id)
            if hold is None:
                raise NotFound("legal-hold-unknown", "There is no such hold.")
            if hold.placed_by == actor.id:
                raise Conflict("own-hold", "Somebody else than who placed a hold releases it.")
            if not session.legal_holds.release(actor.tenant, hold_id, by=actor.id, at=self.clock()):
                raise Conflict("legal-hold-released", "That hold was released already.")
            note(session, actor, self.clock, action="legal_hold_released", target=hold_id, placed_by=hold.placed_by)
            released = session.legal_holds.get(actor.tenant, hold_id)
        return released or hold

    def get(self, actor: Principal, hold_id: str) -> LegalHold:
        with self.store.read() as session:
            hold = session.legal_holds.get(actor.tenant, hold_id)
        if hold is None:
            raise NotFound("legal-hold-unknown", "There is no such hold.")
        return hold

    def page(self, actor: Principal, *, after: str | None, limit: int) -> Page[LegalHold]:
        with self.store.read() as session:
            return session.legal_holds.page(actor.tenant, after=after, limit=limit)
