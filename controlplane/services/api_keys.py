# SPDX-License-Identifier: Apache-2.0
"""API keys of the data plane: shown once, kept hashed, published to the proxies as a signed document.

Every change bumps the environment's epoch and signs the whole document anew, in one transaction: what a proxy
authenticates by is always one state, and never an older one than it has.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from controlplane.identifiers import Clock, NewId
from controlplane.services.admin_log import note
from controlplane.services.errors import Conflict, Invalid, NotFound, Problem
from controlplane.services.model import ApiKey, Page, Principal
from controlplane.services.ports import Session, Store
from controlplane.services.publishing import Publisher
from policies.contracts.scope import UNSCOPED, Scope

SUBJECT: Final = re.compile(r"^(?:user|service):[A-Za-z0-9._@-]{1,128}$", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeys:
    """`revoked` says to nodes what is revoked, within the transaction of the session it is given."""

    store: Store
    publisher: Publisher
    clock: Clock
    new_id: NewId
    published: Callable[[], None]
    revoked: Callable[[Session, str, str], None]

    def create(
        self,
        actor: Principal,
        *,
        subject: str,
        environment: str,
        expires_at: datetime | None,
        scope: Scope = UNSCOPED,
    ) -> tuple[ApiKey, str]:
        """Return what is kept of a new key, and the key, which is not."""
        now = self.clock()
        problems = []
        if SUBJECT.fullmatch(subject) is None:
            fix = "Write user:NAME or service:NAME."
            problems.append(Problem(code="subject-invalid", message="Not a subject.", pointer="/subject", fix=fix))
        if expires_at is not None and expires_at <= now:
            problems.append(Problem(code="time-passed", message="That time has passed.", pointer="/expires_at"))
        if problems:
            raise Invalid("body-invalid", "The key cannot be made.", problems=tuple(problems))
        key_id = self.new_id("")
        key, key_hash = self.publisher.new_key(key_id)
        kept = ApiKey(
            tenant=actor.tenant,
            environment=environment,
            id=key_id,
            subject=subject,
            hash=key_hash,
            created_by=actor.id,
            created_at=now,
            expires_at=expires_at,
            revoked_at=None,
            scope=_in_order(scope),
        )
        with self.store.write() as session:
            session.environments.lock(actor.tenant, environment)
            session.api_keys.add(kept)
            self.publish(session, actor.tenant, environment)
            note(session, actor, self.clock, action="api_key_created", target=key_id, subject=subject)
        self.published()
        return kept, key

    def revoke(self, actor: Principal, key_id: str) -> None:
        """Revoke a key. Revoking it again changes nothing."""
        with self.store.write() as session:
            key = session.api_keys.get(actor.tenant, key_id)
            if key is None:
                raise NotFound("api-key-unknown", "There is no such API key.")
            session.environments.lock(actor.tenant, key.environment)
            if key.revoked_at is None:
                session.api_keys.revoke(actor.tenant, key_id, self.clock())
                self.revoked(session, actor.tenant, key.environment)
                note(session, actor, self.clock, action="api_key_revoked", target=key_id, subject=key.subject)
        self.published()

    def rotate(self, actor: Principal, key_id: str, *, overlap_s: int) -> tuple[ApiKey, str]:
        """Return what is kept of a new key in place of an old one, and the new key.

        The new one is for the same subject and scope, and lives as long as the old one was meant to. The old one holds
        for `overlap_s` more, unless it expires before that. A key is replaced once: who lost the new key rotates that.
        """
        with self.store.write() as session:
            old = session.api_keys.get(actor.tenant, key_id)
            if old is None:
                raise NotFound("api-key-unknown", "There is no such API key.")
            session.environments.lock(actor.tenant, old.environment)
            # Read again behind the lock: another call may have rotated or revoked it meanwhile.
            old, now = session.api_keys.get(actor.tenant, key_id) or old, self.clock()
            _check_in_force(old, now)
            new_id = self.new_id("")
            key, key_hash = self.publisher.new_key(new_id)
            new = replace(
                old,
                id=new_id,
                hash=key_hash,
                created_by=actor.id,
                created_at=now,
                expires_at=None if old.expires_at is None else now + (old.expires_at - old.created_at),
            )
            ends_at = now + timedelta(seconds=overlap_s)
            if old.expires_at is not None:
                ends_at = min(ends_at, old.expires_at)
            session.api_keys.add(new)
            session.api_keys.replace(actor.tenant, key_id, by=new_id, expires_at=ends_at)
            self.publish(session, actor.tenant, old.environment)
            note(
                session,
                actor,
                self.clock,
                action="api_key_rotated",
                target=key_id,
                subject=old.subject,
                replaced_by=new_id,
                overlap_s=overlap_s,
            )
        self.published()
        return new, key

    def page(self, actor: Principal, *, after: str | None, limit: int) -> Page[ApiKey]:
        with self.store.read() as session:
            return session.api_keys.page(actor.tenant, after=after, limit=limit)

    def publish(self, session: Session, tenant: str, environment: str) -> None:
        """Sign the environment's keys as its next epoch, within the transaction of `session`."""
        publish_credentials(session, self.publisher, tenant, environment)


def publish_credentials(session: Session, publisher: Publisher, tenant: str, environment: str) -> None:
    """Sign all keys of an environment as its next epoch, within the transaction of `session`."""
    before = session.environments.lock(tenant, environment)
    if before is None:
        raise NotFound("environment-unknown", "There is no such environment.")
    epoch = before.epoch + 1
    document = publisher.sign_credentials(
        tenant,
        environment,
        epoch=epoch,
        keys=session.api_keys.of_environment(tenant, environment),
        blocked=[each.subject for each in session.blocked_subjects.of_environment(tenant, environment)],
    )
    session.environments.set_credentials(tenant, environment, epoch, document)


def _check_in_force(key: ApiKey, now: datetime) -> None:
    if key.revoked_at is not None:
        raise Conflict("api-key-revoked", "A revoked key is not rotated. Make a new one.")
    if key.replaced_by is not None:
        raise Conflict(
            "api-key-rotated", f"The key was rotated before. Rotate the one in its place: {key.replaced_by}."
        )
    if key.expires_at is not None and key.expires_at <= now:
        raise Conflict("api-key-expired", "An expired key is not rotated. Make a new one.")


def _in_order(scope: Scope) -> Scope:
    return Scope(operations=_sorted(scope.operations), models=_sorted(scope.models))


def _sorted(names: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(sorted(set(names)))
