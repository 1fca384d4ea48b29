# SPDX-License-Identifier: Apache-2.0
"""Tenants and their environments: made here, and never taken away, since the log of what they decided stays.

Rules: an operator makes tenants and sees nothing of what is in them. Operators are principals of the tenant `default`,
whose first tokens `init` sets. A tenant begins with one environment and one admin, whose token is shown once.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from controlplane.identifiers import Clock
from controlplane.services.access import Access
from controlplane.services.admin_log import note
from controlplane.services.errors import Conflict, Forbidden
from controlplane.services.model import DEFAULT_ENVIRONMENT, DEFAULT_TENANT, Environment, Principal, Role
from controlplane.services.ports import Session, Store

# Each has feeds that nodes wait at, and a document that is signed when keys change.
MOST_ENVIRONMENTS: Final = 100
MOST_TENANTS: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenancy:
    """`publish` sign the first documents of an environment, each within the transaction that makes it."""

    store: Store
    access: Access
    clock: Clock
    publish: tuple[Callable[[Session, str, str], None], ...]
    published: Callable[[], None]

    def create_environment(self, actor: Principal, environment: str) -> Environment:
        """Make an environment of the caller's tenant. Nothing is in force in it."""
        with self.store.write() as session:
            # Of two callers at once the second waits for the first, and finds what it made.
            session.principals.lock_of_role(actor.tenant, Role.ADMIN)
            known = session.environments.all(actor.tenant)
            if any(one.id == environment for one in known):
                raise Conflict("environment-exists", f"There is an environment {environment!r} already.")
            if len(known) >= MOST_ENVIRONMENTS:
                raise Conflict("too-many-environments", f"A tenant has at most {MOST_ENVIRONMENTS} environments.")
            made = self._environment(session, actor.tenant, environment)
            note(session, actor, self.clock, action="environment_created", target=environment)
        self.published()
        return made

    def create_tenant(self, actor: Principal, tenant: str) -> tuple[Principal, str]:
        """Return the first admin of a new tenant, with the token, which is not kept."""
        _require_operator(actor)
        with self.store.write() as session:
            session.principals.lock_of_role(DEFAULT_TENANT, Role.OPERATOR)
            known = session.environments.tenants()
            if tenant in known:
                raise Conflict("tenant-exists", f"There is a tenant {tenant!r} already.")
            if len(known) >= MOST_TENANTS:
                raise Conflict("too-many-tenants", f"There are at most {MOST_TENANTS} tenants.")
            self._environment(session, tenant, DEFAULT_ENVIRONMENT)
            # Noted in both logs: each must tell where its tenant, or its operator's act, came from.
            note(session, actor, self.clock, action="tenant_created", target=tenant)
            of_tenant = replace(actor, tenant=tenant)
            note(session, of_tenant, self.clock, action="tenant_created", target=tenant)
            made = self.access.add(session, of_tenant, name="admin", role=Role.ADMIN)
        self.published()
        return made

    def tenants(self, actor: Principal) -> tuple[str, ...]:
        _require_operator(actor)
        with self.store.read() as session:
            return session.environments.tenants()

    def _environment(self, session: Session, tenant: str, environment: str) -> Environment:
        session.environments.ensure(tenant, environment)
        for publish in self.publish:
            publish(session, tenant, environment)
        found = session.environments.get(tenant, environment)
        if found is None:
            raise LookupError("an environment is not there right after it was made")
        return found


def _require_operator(actor: Principal) -> None:
    """Raise Forbidden for an operator of another tenant than the default one: it could make itself any other."""
    if actor.tenant != DEFAULT_TENANT:
        raise Forbidden("not-permitted", f"Tenants are made by operators of the tenant {DEFAULT_TENANT!r}.")
