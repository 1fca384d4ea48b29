# SPDX-License-Identifier: Apache-2.0
"""API keys of the data plane: shown once, kept hashed, published to the proxies as a signed document.

Every change bumps the environment's epoch and signs the whole document anew, in one transaction: what a proxy
authenticates by is always one state, and never an older one than it has.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from controlplane.identifiers import Clock, NewId
from controlplane.services.admin_log import note
from controlplane.services.errors import Invalid, NotFound, Problem
from controlplane.services.model import ApiKey, Page, Principal
from controlplane.services.ports import Session, Store
from controlplane.services.publishing import Publisher

SUBJECT: Final = re.compile(r"^(?:user|service):[A-Za-z0-9._@-]{1,128}$", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeys:
    store: Store
    publisher: Publisher
    clock: Clock
    new_id: NewId
    published: Callable[[], None]

    def create(
        self,
        actor: Principal,
        *,
        subject: str,
        environment: str,
        expires_at: datetime | None,
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
                self.publish(session, actor.tenant, key.environment)
                note(session, actor, self.clock, action="api_key_revoked", target=key_id, subject=key.subject)
        self.published()

    def page(self, actor: Principal, *, after: str | None, limit: int) -> Page[ApiKey]:
        with self.store.read() as session:
            return session.api_keys.page(actor.tenant, after=after, limit=limit)

    def publish(self, session: Session, tenant: str, environment: str) -> None:
        """Sign the environment's keys as its next epoch, within the transaction of `session`."""
        before = session.environments.lock(tenant, environment)
        if before is None:
            raise NotFound("environment-unknown", "There is no such environment.")
        epoch = before.epoch + 1
        keys = session.api_keys.of_environment(tenant, environment)
        document = self.publisher.sign_credentials(tenant, environment, epoch=epoch, keys=keys)
        session.environments.set_credentials(tenant, environment, epoch, document)
