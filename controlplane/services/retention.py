# SPDX-License-Identifier: Apache-2.0
"""Keep what the log holds for as long as policy says: days that are past it are dropped, and the log says so before.

Theory: a drop is announced, in the log with day, indexes and count; nothing goes before the announcement has its place
there. Then the day goes: on PostgreSQL as a table where that can be, else in slices between which others write. Each
slice holds the tenant's lock and looks at the holds behind it, so that what a hold covers stays from the moment that it
is placed. A day of which a hold kept something is looked at again once a day, and whenever somebody applies policies.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from controlplane.identifiers import Clock, NewId
from controlplane.services.admin_log import note
from controlplane.services.keeping import Drop, DropState, LegalHold, RetentionClass, RetentionPolicy, holding
from controlplane.services.model import Page, Principal
from controlplane.services.ports import Session, Store
from controlplane.services.system import system
from policies.contracts.codec import JSON

ANNOUNCED: Final = "retention_drop_announced"
# Others wait for a slice: tens of milliseconds on SQLite. Where holds are looked at, each envelope is read.
_SLICE: Final = 10_000
_SLICE_UNDER_HOLDS: Final = 2_000
# For an announcement's place in the log, which it gets within a second.
_WAIT_S: Final = 5.0
_LOOK_EVERY_S: Final = 0.1
_BY_POLICY: Final = "retention"
_LOOKED_AT_AGAIN: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """`timer` counts seconds, `sleep` waits some."""

    store: Store
    clock: Clock
    new_id: NewId
    timer: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def policies(self, actor: Principal) -> tuple[RetentionPolicy, ...]:
        """Return the policy of every class; one that nobody set keeps for good."""
        with self.store.read() as session:
            found = {policy.of: policy for policy in session.retention.policies(actor.tenant)}
        return tuple(found.get(each) or self._unset(actor.tenant, each) for each in RetentionClass)

    def set_policy(self, actor: Principal, of: RetentionClass, *, days: int | None) -> RetentionPolicy:
        """Keep `days` whole days before today of a class, or all for good. Nothing is dropped by this itself."""
        policy = RetentionPolicy(tenant=actor.tenant, of=of, days=days, set_by=actor.id, set_at=self.clock())
        with self.store.write() as session:
            before = {each.of: each.days for each in session.retention.policies(actor.tenant)}.get(of)
            session.retention.put_policy(policy)
            note(session, actor, self.clock, action="retention_policy_set", target=of, days=days, days_before=before)
        return policy

    def page(self, actor: Principal, *, after: str | None, limit: int) -> Page[Drop]:
        with self.store.read() as session:
            return session.retention.page(actor.tenant, after=after, limit=limit)

    def apply(self, actor: Principal) -> tuple[Drop, ...]:
        """Announce what is due and drop it, as far as its announcements get their place in the log in time."""
        due = self.announce(actor)
        until = self.timer() + _WAIT_S
        while not all(self._is_logged(drop) for drop in due) and self.timer() < until:
            self.sleep(_LOOK_EVERY_S)
        return tuple(self.carry_out(drop) for drop in due)

    def announce(self, actor: Principal) -> tuple[Drop, ...]:
        """Announce what is due, and return all that was announced and is not done."""
        with self.store.write() as session:
            session.legal_holds.lock(actor.tenant)
            today, log_day = self.clock().date(), session.log.head(actor.tenant).day
            for policy in session.retention.policies(actor.tenant):
                if policy.days is None or log_day is None:
                    continue
                # The day that the log is in still grows, whatever the clock says.
                kept_from = min(today - timedelta(days=policy.days), log_day)
                known = session.retention.known(actor.tenant, policy.of)
                for day in session.log.days(actor.tenant):
                    if day.day < kept_from and day.day not in known:
                        drop = Drop(
                            tenant=actor.tenant,
                            id=self.new_id("drop_"),
                            of=policy.of,
                            day=day.day,
                            first_index=day.first_index,
                            end_index=day.end_index,
                            state=DropState.ANNOUNCED,
                            announced_by=actor.id,
                            announced_at=self.clock(),
                            position=day.first_index,
                        )
                        session.retention.add(drop)
                        self._note(session, actor, drop, ANNOUNCED)
        return self._open(actor.tenant)

    def go_on(self) -> None:
        """Announce what is due by every tenant's policies, and drop what was announced before."""
        with self.store.read() as session:
            tenants = {policy.tenant for policy in session.retention.policies()}
        for tenant in sorted(tenants):
            self.announce(system(tenant, _BY_POLICY, self.clock))
        for drop in self._open(None):
            if drop.finished_at is None or self.clock() - drop.finished_at >= _LOOKED_AT_AGAIN:
                self.carry_out(drop)

    def carry_out(self, drop: Drop) -> Drop:
        """Drop what was announced; nothing while the announcement has no place in the log."""
        if not self._is_logged(drop):
            return drop
        drop = self._begin(drop)
        while drop.state is DropState.ANNOUNCED:
            drop = self._slice(drop)
        if drop.state is DropState.DONE:
            self.store.scrub_keys()
        return drop

    def _begin(self, drop: Drop) -> Drop:
        """Return the drop as it stands; from its beginning where a hold kept something that may be released by now."""
        with self.store.write() as session:
            session.legal_holds.lock(drop.tenant)
            stored = session.retention.get(drop.tenant, drop.id) or drop
            if stored.state is DropState.PARTIAL:
                stored = replace(stored, state=DropState.ANNOUNCED, position=stored.first_index, kept_count=0)
                session.retention.put(stored)
            return stored

    def _slice(self, begun: Drop) -> Drop:
        with self.store.write() as session:
            session.legal_holds.lock(begun.tenant)
            drop = session.retention.get(begun.tenant, begun.id) or begun
            if drop.state is not DropState.ANNOUNCED:  # another replica was faster
                return drop
            holds = session.legal_holds.active(drop.tenant)
            if holds:
                after = self._slice_under(holds, session, drop)
            else:
                if drop.position == drop.first_index:
                    session.retention.drop_partitions(drop)
                end = min(drop.position + _SLICE, drop.end_index)
                session.retention.delete_range(drop, drop.position, end)
                after = replace(drop, position=end)
            if after.position >= after.end_index:
                after = self._finish(session, after)
            session.retention.put(after)
            return after

    def _slice_under(self, holds: tuple[LegalHold, ...], session: Session, drop: Drop) -> Drop:
        end = min(drop.position + _SLICE_UNDER_HOLDS, drop.end_index)
        there = session.retention.envelopes(drop, drop.position, end)
        going = [index for index, envelope in there if holding(holds, envelope) is None]
        session.retention.delete(drop, going)
        return replace(drop, position=end, kept_count=drop.kept_count + len(there) - len(going))

    def _finish(self, session: Session, drop: Drop) -> Drop:
        if drop.kept_count:
            done = replace(drop, state=DropState.PARTIAL, finished_at=self.clock())
        else:
            done = replace(drop, state=DropState.DONE, finished_at=self.clock())
            session.payloads.destroy(drop.tenant, drop.day, at=self.clock())
            session.payloads.blank_quarantine(drop.tenant, drop.day)
            session.retention.delete_index(drop)
        actor = system(drop.tenant, drop.announced_by, self.clock)
        self._note(session, actor, done, "retention_drop_done", kept=done.kept_count)
        return done

    def _note(self, session: Session, actor: Principal, drop: Drop, action: str, **more: int) -> None:
        detail: dict[str, JSON] = {
            "class": drop.of,
            "day": drop.day.isoformat(),
            "first_index": drop.first_index,
            "last_index": drop.end_index - 1,
            "count": drop.end_index - drop.first_index,
            **more,
        }
        note(session, actor, self.clock, action=action, target=drop.id, **detail)

    def _open(self, tenant: str | None) -> tuple[Drop, ...]:
        with self.store.read() as session:
            return tuple(drop for drop in session.retention.open() if tenant in (None, drop.tenant))

    def _is_logged(self, drop: Drop) -> bool:
        with self.store.read() as session:
            return session.retention.is_logged(drop, ANNOUNCED)

    def _unset(self, tenant: str, of: RetentionClass) -> RetentionPolicy:
        return RetentionPolicy(tenant=tenant, of=of, days=None, set_by="", set_at=self.clock())
