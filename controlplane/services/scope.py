# SPDX-License-Identifier: Apache-2.0
"""In which environments a principal's role counts.

Rules: a principal is of one tenant and has one role, everywhere in it or in the environments it is bound to. Only roles
that act on an environment can be bound: what the others read and keep (the log, holds, keys) is the tenant's as a
whole. Whoever has different roles in different environments has a principal for each; `person` says that they are one,
so that nobody approves what they wrote as another principal.
"""

from typing import Final

from controlplane.services.errors import Forbidden
from controlplane.services.model import Principal, Role

BOUND_ROLES: Final = frozenset({Role.AUTHOR, Role.APPROVER, Role.AGENT, Role.PEP})


def is_in_scope(principal: Principal, environment: str) -> bool:
    """Return whether the role of `principal` counts in `environment`."""
    return principal.environments is None or environment in principal.environments


def require_scope(actor: Principal, environment: str) -> None:
    """Raise Forbidden unless the role of `actor` counts in `environment`."""
    if not is_in_scope(actor, environment):
        bound = ", ".join(actor.environments or ())
        raise Forbidden("outside-scope", f"This principal is bound to {bound}; ask whoever is bound to {environment}.")
