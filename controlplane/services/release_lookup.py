# SPDX-License-Identifier: Apache-2.0
"""Find a release, or what of releases is in force."""

from controlplane.services.errors import NotFound
from controlplane.services.model import DEFAULT_POLICY_SET, Principal, Release
from controlplane.services.ports import Session


def check_set(policy_set: str) -> None:
    """Raise NotFound for another set than the one there is."""
    if policy_set != DEFAULT_POLICY_SET:
        raise NotFound("policy-set-unknown", f"There is one policy set, {DEFAULT_POLICY_SET!r}.")


def release_of(session: Session, actor: Principal, policy_set: str, release_id: str) -> Release:
    """Return a release of the actor's tenant. Raises NotFound."""
    check_set(policy_set)
    release = session.releases.get(actor.tenant, release_id)
    if release is None:
        raise NotFound("release-unknown", "There is no such release.")
    return release


def pins_in_force(session: Session, tenant: str, environment: str) -> frozenset[tuple[str, str]]:
    """Return each policy and its revision that the environment enforces; none before its first activation."""
    found = session.environments.get(tenant, environment)
    activation = None if found is None else session.activations.at_serial(tenant, environment, found.serial)
    return frozenset() if activation is None else frozenset(session.releases.pins(tenant, activation.release))
