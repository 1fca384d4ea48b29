# SPDX-License-Identifier: Apache-2.0
"""What is in force in an environment: its serial, its snapshot, and who is blocked there."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from controlplane.services.ports import Store
from policies.contracts.snapshot import PolicySnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentPolicy:
    """Scopes are (tenant, environment)."""

    store: Store

    def heads(self) -> Mapping[tuple[str, str], tuple[int, ...]]:
        """Return serial, epoch and more of every scope; another epoch may be another list of who is blocked."""
        with self.store.read() as session:
            return session.environments.heads()

    def snapshot(self, scope: tuple[str, str], serial: int) -> PolicySnapshot:
        """Return what was put to work at `serial`. Raises LookupError, or ValueError where it is not what was released.

        The revision is computed from what is stored: what was altered there has another one.
        """
        tenant, environment = scope
        with self.store.read() as session:
            activation = session.activations.at_serial(tenant, environment, serial)
            release = None if activation is None else session.releases.get(tenant, activation.release)
        if activation is None or release is None:
            raise LookupError(f"serial {serial} of {environment} has no release")
        snapshot = PolicySnapshot.from_json(json.loads(release.snapshot))
        if (snapshot.revision, snapshot.tenant, snapshot.environment) != (activation.revision, tenant, environment):
            raise ValueError(f"the snapshot of serial {serial} is not the one that was put to work")
        return snapshot

    def blocked(self, scope: tuple[str, str]) -> frozenset[str]:
        """Return the subjects (`TYPE:ID`) that no credential identifies any more."""
        with self.store.read() as session:
            return frozenset(blocked.subject for blocked in session.blocked_subjects.of_environment(*scope))
