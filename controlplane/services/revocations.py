# SPDX-License-Identifier: Apache-2.0
"""Revoke keys, subjects and tokens by the small document that nodes look everything up in, and say who enforces it.

Theory: a revocation and the document that says it are one transaction. The credentials document also says which keys
are revoked, for nodes of the release before; to sign it anew takes a second with 100,000 keys, so that it follows
later, once for all that was revoked meanwhile, unless a live node would learn of it from nowhere else.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from controlplane.identifiers import Clock, NewId
from controlplane.services.acknowledgements import LIVE_FOR
from controlplane.services.admin_log import note
from controlplane.services.api_keys import SUBJECT
from controlplane.services.errors import Conflict, Invalid, NotFound, Problem
from controlplane.services.model import Page, Principal
from controlplane.services.ports import Session, Store
from controlplane.services.publishing import Publisher
from controlplane.services.revocation import RevokedToken
from policies.bundle.revocations import IssuedBefore, RevocationsDocument
from policies.bundle.revocations import RevokedToken as PublishedToken

# Clocks of nodes and issuers may differ: what has expired for them is not revoked any more only a day later.
_KEPT_AFTER_EXPIRY: Final = timedelta(days=1)
# A "before" in the future would go on refusing what is issued after this.
_CLOCKS_DIFFER: Final = timedelta(minutes=5)
# With as many keys a document stays below what nodes take.
_MOST_TOKENS: Final = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRevocations:
    """What one worker of a live node enforces; `epoch` is None where its node follows no revocations."""

    node: str
    slot: str
    epoch: int | None
    enforces: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RevocationsView:
    """The document in force and who enforces it. `enforced`: every worker of every live node does."""

    environment: str
    epoch: int
    document_bytes: int
    keys: int
    subjects: int
    tokens: int
    enforced: bool
    workers: tuple[WorkerRevocations, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocations:
    """`publish_credentials` signs the environment's credentials anew, within the session it is given."""

    store: Store
    publisher: Publisher
    clock: Clock
    new_id: NewId
    publish_credentials: Callable[[Session, str, str], None]
    published: Callable[[], None]

    def revoke(
        self,
        actor: Principal,
        *,
        environment: str,
        issuer: str | None,
        jti: str | None,
        sha256: str | None,
        subject: str | None,
        issued_before: datetime | None,
        expires_at: datetime | None,
        reason: str,
    ) -> RevokedToken:
        """Refuse a token, or all that a subject was given before a time: then its API keys too, which stay revoked."""
        now = self.clock()
        revoked = RevokedToken(
            tenant=actor.tenant,
            environment=environment,
            id=self.new_id("rev_"),
            issuer=issuer,
            jti=jti,
            sha256=sha256,
            subject=subject,
            issued_before=issued_before,
            expires_at=expires_at,
            reason=reason,
            revoked_by=actor.id,
            revoked_at=now,
        )
        _check(revoked, now)
        with self.store.write() as session:
            if session.environments.lock(actor.tenant, environment) is None:
                raise NotFound("environment-unknown", "There is no such environment.")
            session.revocations.prune(actor.tenant, environment, expired_before=now - _KEPT_AFTER_EXPIRY)
            if session.revocations.count(actor.tenant, environment) >= _MOST_TOKENS:
                raise Conflict("revocations-full", "Too many tokens are revoked one by one: block their subjects.")
            session.revocations.add(revoked)
            if subject is not None and issued_before is not None:
                keys = session.revocations.keys_of(actor.tenant, environment, subject, made_before=issued_before)
                for key in keys:
                    session.api_keys.revoke(actor.tenant, key.id, now)
                    note(session, actor, self.clock, action="api_key_revoked", target=key.id, subject=subject)
            note(
                session,
                actor,
                self.clock,
                action="token_revoked",
                target=revoked.id,
                environment=environment,
                by="jti" if jti else "sha256" if sha256 else "issued_before",
                reason=reason,
            )
            self.publish(session, actor.tenant, environment)
        self.published()
        return revoked

    def take_back(self, actor: Principal, revoked_id: str) -> None:
        """Let a token count again, where nothing else refuses it. API keys that went with it stay revoked."""
        with self.store.write() as session:
            revoked = session.revocations.get(actor.tenant, revoked_id)
            if revoked is None:
                raise NotFound("revocation-unknown", "There is no such revocation.")
            session.environments.lock(actor.tenant, revoked.environment)
            session.revocations.remove(actor.tenant, revoked_id)
            note(
                session,
                actor,
                self.clock,
                action="token_revocation_taken_back",
                target=revoked_id,
                environment=revoked.environment,
            )
            self.publish(session, actor.tenant, revoked.environment)
        self.published()

    def page(self, actor: Principal, *, environment: str, after: str | None, limit: int) -> Page[RevokedToken]:
        with self.store.read() as session:
            return session.revocations.page(actor.tenant, environment, after=after, limit=limit)

    def publish(self, session: Session, tenant: str, environment: str) -> None:
        """Sign what is revoked as the next epoch, within the transaction of `session`; maybe the credentials too."""
        if session.environments.lock(tenant, environment) is None:
            raise NotFound("environment-unknown", "There is no such environment.")
        follows = self._all_follow(session, tenant, environment)
        if not follows:
            self.publish_credentials(session, tenant, environment)
        self._sign(session, tenant, environment, credentials_due=follows)

    def publish_both(self, session: Session, tenant: str, environment: str) -> None:
        """As `publish`, with the credentials at once: what counts again does so when neither document refuses it."""
        self.publish_credentials(session, tenant, environment)
        self._sign(session, tenant, environment, credentials_due=False)

    def begin(self, session: Session, tenant: str, environment: str) -> None:
        """Sign the first document of an environment, so that nodes need not ask whether there is one."""
        session.environments.lock(tenant, environment)
        if session.revocations.document(tenant, environment) is None:
            self._sign(session, tenant, environment, credentials_due=False)

    def _sign(self, session: Session, tenant: str, environment: str, *, credentials_due: bool) -> None:
        epoch = session.revocations.epoch(tenant, environment) + 1
        document = self.publisher.sign_revocations(self._document(session, tenant, environment, epoch))
        session.revocations.put(tenant, environment, document, epoch=epoch, credentials_due=credentials_due)

    def follow_up(self) -> None:
        """Sign the credentials documents that do not say yet what was revoked. For the housekeeping."""
        with self.store.read() as session:
            due = session.revocations.due()
        for tenant, environment in due:
            with self.store.write() as session:
                session.environments.lock(tenant, environment)
                self.publish_credentials(session, tenant, environment)
                session.revocations.settle(tenant, environment)
            self.published()

    def view(self, actor: Principal, environment: str) -> RevocationsView:
        with self.store.read() as session:
            if session.environments.get(actor.tenant, environment) is None:
                raise NotFound("environment-unknown", "There is no such environment.")
            epoch = session.revocations.epoch(actor.tenant, environment)
            signed = session.revocations.document(actor.tenant, environment)
            now = self._document(session, actor.tenant, environment, max(epoch, 1))
            agents = session.agents.of_environment(actor.tenant, environment)
        workers = tuple(
            WorkerRevocations(
                node=agent.id,
                slot=worker.slot,
                epoch=worker.revocations_epoch,
                enforces=(worker.revocations_epoch or 0) >= epoch,
            )
            for agent in agents
            if agent.reported_at >= self.clock() - LIVE_FOR
            for worker in agent.workers
        )
        return RevocationsView(
            environment=environment,
            epoch=epoch,
            document_bytes=0 if signed is None else len(signed.content),
            keys=len(now.keys),
            subjects=len(now.subjects),
            tokens=len(now.tokens) + len(now.digests) + len(now.issued_before),
            enforced=all(worker.enforces for worker in workers),
            workers=workers,
        )

    def _document(self, session: Session, tenant: str, environment: str, epoch: int) -> RevocationsDocument:
        kept_from = self.clock() - _KEPT_AFTER_EXPIRY
        tokens = [
            each
            for each in session.revocations.of_environment(tenant, environment)
            if each.expires_at is None or each.expires_at >= kept_from
        ]
        return RevocationsDocument(
            tenant=tenant,
            environment=environment,
            epoch=epoch,
            issued_at=self.clock(),
            keys=session.revocations.revoked_keys(tenant, environment, expired_before=kept_from),
            subjects=tuple(each.subject for each in session.blocked_subjects.of_environment(tenant, environment)),
            tokens=tuple(
                PublishedToken(issuer=each.issuer, jti=each.jti)
                for each in tokens
                if each.issuer is not None and each.jti is not None
            ),
            digests=tuple(each.sha256 for each in tokens if each.sha256 is not None),
            issued_before=tuple(
                IssuedBefore(subject=each.subject, at=each.issued_before)
                for each in tokens
                if each.subject is not None and each.issued_before is not None
            ),
        )

    def _all_follow(self, session: Session, tenant: str, environment: str) -> bool:
        """Tell whether there are live nodes, and each of their workers enforces revocations of its own accord."""
        live = [
            agent
            for agent in session.agents.of_environment(tenant, environment)
            if agent.reported_at >= self.clock() - LIVE_FOR
        ]
        return bool(live) and all(worker.revocations_epoch is not None for agent in live for worker in agent.workers)


def _check(revoked: RevokedToken, now: datetime) -> None:
    """Raise Invalid unless the token is named in exactly one of the three ways."""
    ways = (
        (revoked.issuer, revoked.jti),
        (revoked.sha256,),
        (revoked.subject, revoked.issued_before),
    )
    given = [way for way in ways if any(member is not None for member in way)]
    problems = []
    if len(given) != 1 or None in given[0]:
        fix = "Send issuer and jti, or sha256, or subject and issued_before."
        problems.append(Problem(code="token-ambiguous", message="Not one way to name a token.", pointer="", fix=fix))
    if revoked.subject is not None and SUBJECT.fullmatch(revoked.subject) is None:
        fix = "Write user:NAME or service:NAME."
        problems.append(Problem(code="subject-invalid", message="Not a subject.", pointer="/subject", fix=fix))
    if revoked.issued_before is not None and revoked.issued_before > now + _CLOCKS_DIFFER:
        fix = "To refuse what is issued from now on too, block the subject."
        problems.append(Problem(code="time-to-come", message="That is to come.", pointer="/issued_before", fix=fix))
    if revoked.expires_at is not None and revoked.expires_at <= now:
        problems.append(Problem(code="time-passed", message="That time has passed.", pointer="/expires_at"))
    if problems:
        raise Invalid("body-invalid", "The token cannot be revoked.", problems=tuple(problems))
