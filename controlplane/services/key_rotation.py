# SPDX-License-Identifier: Apache-2.0
"""Sign everything that is published by the signing key of now (`docs/how-to/rotate-the-bundle-key.md`).

What is in force is put in force again at the next serial, so that a node takes the new signature: it refuses another
bundle at the serial that it has.
"""

from collections.abc import Callable
from dataclasses import dataclass

from controlplane.identifiers import Clock
from controlplane.services.admin_log import note
from controlplane.services.environment_documents import EnvironmentDocuments
from controlplane.services.ports import Session, Store
from controlplane.services.revocations import Revocations
from controlplane.services.rollout import Asked
from controlplane.services.rollout_steps import Steps, the_system


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRotation:
    store: Store
    steps: Steps
    revocations: Revocations
    documents: EnvironmentDocuments
    clock: Clock
    published: Callable[[], None]

    def rotate(self, key_id: str) -> tuple[str, ...]:
        """Sign what every environment has, each in a transaction of its own, and return `TENANT/ENVIRONMENT` of each.

        Done again, after a crash or not, it signs once more. A candidate that is tried ends.
        """
        with self.store.read() as session:
            heads = sorted(session.environments.heads())
        for tenant, environment in heads:
            with self.store.write() as session:
                self._sign(session, tenant, environment, key_id)
            self.published()
        return tuple(f"{tenant}/{environment}" for tenant, environment in heads)

    def _sign(self, session: Session, tenant: str, environment: str, key_id: str) -> None:
        head = session.environments.lock(tenant, environment)
        if head is None:
            return
        actor, why = the_system(tenant, self.clock), f"signed by the key {key_id}"
        current = session.activations.at_serial(tenant, environment, head.serial)
        release = None if current is None else session.releases.get(tenant, current.release)
        if release is not None:
            rollout = self.steps.ask(session, actor, release, Asked(), why=why)
            self.steps.start(session, actor, rollout, head)
        # A step signs it where a candidate came or went, and only there.
        self.documents.publish(session, tenant, environment)
        self.revocations.publish_both(session, tenant, environment)
        note(session, actor, self.clock, action="bundle_key_rotated", target=environment, key_id=key_id)
