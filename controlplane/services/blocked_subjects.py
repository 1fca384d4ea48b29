# SPDX-License-Identifier: Apache-2.0
"""Subjects whom no credential identifies any more, whatever its kind: the way to stop a token before it expires.

An API key can be revoked by itself; a token or a certificate was given out by somebody else, so that what is refused
here is its subject.
"""

from collections.abc import Callable
from dataclasses import dataclass

from controlplane.identifiers import Clock
from controlplane.services.admin_log import note
from controlplane.services.api_keys import SUBJECT
from controlplane.services.errors import Invalid, NotFound, Problem
from controlplane.services.model import BlockedSubject, Page, Principal
from controlplane.services.ports import Session, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockedSubjects:
    """`blocked` tells nodes who is blocked, `unblocked` who is no more, within the session that they are given."""

    store: Store
    clock: Clock
    blocked: Callable[[Session, str, str], None]
    unblocked: Callable[[Session, str, str], None]
    published: Callable[[], None]

    def block(self, actor: Principal, *, environment: str, subject: str) -> None:
        """Refuse every credential of `subject`. Blocking it again changes nothing."""
        if SUBJECT.fullmatch(subject) is None:
            fix = "Write user:NAME or service:NAME."
            wrong = Problem(code="subject-invalid", message="Not a subject.", fix=fix)
            raise Invalid("subject-invalid", "That is not a subject. " + fix, problems=(wrong,))
        blocked = BlockedSubject(
            tenant=actor.tenant,
            environment=environment,
            subject=subject,
            blocked_by=actor.id,
            blocked_at=self.clock(),
        )
        with self.store.write() as session:
            self._lock(session, actor, environment)
            if session.blocked_subjects.add(blocked):
                self.blocked(session, actor.tenant, environment)
                note(session, actor, self.clock, action="subject_blocked", target=subject, environment=environment)
        self.published()

    def unblock(self, actor: Principal, *, environment: str, subject: str) -> None:
        """Let the credentials of `subject` count again."""
        with self.store.write() as session:
            self._lock(session, actor, environment)
            if not session.blocked_subjects.remove(actor.tenant, environment, subject):
                raise NotFound("subject-not-blocked", "That subject is not blocked.")
            self.unblocked(session, actor.tenant, environment)
            note(session, actor, self.clock, action="subject_unblocked", target=subject, environment=environment)
        self.published()

    def page(self, actor: Principal, *, environment: str, after: str | None, limit: int) -> Page[BlockedSubject]:
        with self.store.read() as session:
            return session.blocked_subjects.page(actor.tenant, environment, after=after, limit=limit)

    def _lock(self, session: Session, actor: Principal, environment: str) -> None:
        if session.environments.lock(actor.tenant, environment) is None:
            raise NotFound("environment-unknown", "There is no such environment.")
