# SPDX-License-Identifier: Apache-2.0
"""Who is calling, and may they: bearer tokens, one role each."""

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from controlplane.authz.matrix import Matrix
from controlplane.authz.permissions import Permission
from controlplane.identifiers import Clock, NewId
from controlplane.services.admin_log import note
from controlplane.services.errors import Conflict, Forbidden, Invalid, NotFound, Problem, Refused
from controlplane.services.model import DEFAULT_TENANT, Page, Principal, Role
from controlplane.services.ports import Session, Store
from controlplane.services.scope import BOUND_ROLES

# Tokens are random, so a plain hash of one cannot be guessed back; 32 characters is what init insists on.
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/=-]{32,256}", re.ASCII)


class Unauthenticated(Refused):
    """No usable bearer token came with the request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Finds principals by their token, and asks the matrix what their role may do."""

    store: Store
    matrix: Matrix
    clock: Clock
    new_id: NewId

    def authenticate(self, authorization: str | None) -> Principal:
        """Return the principal of an `Authorization` header. Raises Unauthenticated."""
        if authorization is None:
            raise Unauthenticated("token-missing", "Send a token as 'Authorization: Bearer …'.")
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() == "bearer" and _TOKEN.fullmatch(token):
            with self.store.read() as session:
                principal = session.principals.by_token_hash(hash_token(token))
            if principal is not None:
                return principal
        raise Unauthenticated("token-invalid", "The token is not known.")

    def authorize(self, principal: Principal, permission: Permission) -> None:
        """Raise Forbidden unless the principal's role has `permission`."""
        if permission not in self.matrix[principal.role]:
            raise Forbidden("not-permitted", f"The role {principal.role.value} may not {permission.value}.")

    def permissions(self, role: Role) -> tuple[Permission, ...]:
        return tuple(sorted(self.matrix[role]))

    def page(self, actor: Principal, *, after: str | None, limit: int) -> Page[Principal]:
        with self.store.read() as session:
            return session.principals.page(actor.tenant, after=after, limit=limit)

    def create(
        self,
        actor: Principal,
        *,
        name: str,
        role: Role,
        environments: tuple[str, ...] | None = None,
        person: str | None = None,
    ) -> tuple[Principal, str]:
        """Return a new principal and its token, which is not kept."""
        if role is Role.OPERATOR and actor.tenant != DEFAULT_TENANT:
            raise Forbidden("not-permitted", f"Operators are principals of the tenant {DEFAULT_TENANT!r}.")
        if environments is not None and role not in BOUND_ROLES:
            bound = ", ".join(sorted(BOUND_ROLES))
            message = f"The role {role.value} counts in the whole tenant; bound to environments are {bound}."
            raise Invalid("body-invalid", message, problems=(_at_environments(message),))
        with self.store.write() as session:
            unknown = {*(environments or ())} - {known.id for known in session.environments.all(actor.tenant)}
            if unknown:
                message = f"There is no environment {', '.join(sorted(unknown))}."
                raise Invalid("body-invalid", message, problems=(_at_environments(message),))
            return self.add(session, actor, name=name, role=role, environments=environments, person=person)

    def add(
        self,
        session: Session,
        actor: Principal,
        *,
        name: str,
        role: Role,
        environments: tuple[str, ...] | None = None,
        person: str | None = None,
    ) -> tuple[Principal, str]:
        """Make a principal within the transaction of `session`."""
        token = "ght_" + secrets.token_urlsafe(32)
        principal = Principal(
            tenant=actor.tenant,
            id=self.new_id("prn_"),
            name=name,
            role=role,
            created_at=self.clock(),
            environments=environments,
            person=person,
        )
        session.principals.put(principal, token_hash=hash_token(token))
        note(
            session,
            actor,
            self.clock,
            action="principal_created",
            target=principal.id,
            role=role.value,
            environments=environments,
        )
        return principal, token

    def remove(self, actor: Principal, principal_id: str) -> None:
        with self.store.write() as session:
            # Locked before anything is read, so that of the last two admins no two callers remove one each.
            admins = session.principals.lock_of_role(actor.tenant, Role.ADMIN)
            principal = session.principals.by_id(actor.tenant, principal_id)
            if principal is None:
                raise NotFound("role-binding-unknown", "There is no such role binding.")
            if admins == {principal_id}:
                raise Conflict("last-admin", "The last admin cannot be removed: nobody could add another.")
            session.principals.remove(actor.tenant, principal_id)
            note(session, actor, self.clock, action="principal_removed", target=principal_id, role=principal.role.value)

    def ensure_tokens(self, session: Session, tokens: Mapping[str, str]) -> None:
        """Make sure that the principal named after each role has that role's token of `tokens`."""
        problems = _problems_of(tokens)
        if problems:
            raise Invalid("tokens-invalid", "; ".join(problem.message for problem in problems), problems=problems)
        for name, token in tokens.items():
            principal = Principal(
                tenant=DEFAULT_TENANT,
                id=name,
                name=name,
                role=Role(name),
                created_at=self.clock(),
            )
            known = session.principals.by_token_hash(hash_token(token))
            if known is None:
                session.principals.put(principal, token_hash=hash_token(token))
                note(session, replace(principal, id="init"), self.clock, action="token_set", target=name)
            elif (known.tenant, known.id, known.role) != (principal.tenant, principal.id, principal.role):
                raise Invalid("tokens-invalid", f"The token of {name} is in use by another principal.")


def _at_environments(message: str) -> Problem:
    return Problem(code="body-invalid", message=message, pointer="/environments")


def hash_token(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _problems_of(tokens: Mapping[str, str]) -> tuple[Problem, ...]:
    roles = {role.value for role in Role}
    found = [f"{name!r} is not a role" for name in tokens if name not in roles]
    found += [
        f"the token of {name} is not 32 to 256 token characters"
        for name, t in tokens.items()
        if not _TOKEN.fullmatch(t)
    ]
    if len(set(tokens.values())) != len(tokens):
        found.append("two roles share a token")
    return tuple(Problem(code="tokens-invalid", message=message) for message in found)
