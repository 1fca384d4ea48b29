# SPDX-License-Identifier: Apache-2.0
"""Sign what nodes must know of how their environment is run (`docs/spec/environment-document.md`).

Theory: a document says what the database says, so that whoever changes what it says signs the next one in the same
transaction: behind the environment's lock, which gives each document a number of its own.
"""

from dataclasses import dataclass

from controlplane.identifiers import Clock
from controlplane.services.model import Artifact
from controlplane.services.ports import Session, Store
from controlplane.services.publishing import Publisher
from policies.bundle.environment import Candidate, EnvironmentDocument, Staleness, WhenStale


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentDocuments:
    store: Store
    publisher: Publisher
    clock: Clock

    def publish(self, session: Session, tenant: str, environment: str) -> Artifact | None:
        """Sign the next document within the transaction of `session`. None, and nothing done, for no environment."""
        if session.environments.lock(tenant, environment) is None:
            return None
        rules = session.environment_rules.get(tenant, environment)
        number = session.environment_documents.number(tenant, environment) + 1
        candidate = _candidate(session, tenant, environment)
        document = self.publisher.sign_environment(
            EnvironmentDocument(
                tenant=tenant,
                environment=environment,
                number=number,
                issued_at=self.clock(),
                staleness=Staleness(max_s=rules.max_staleness_s, then=WhenStale(rules.when_stale.value)),
                posture_every_s=rules.posture_every_s,
                candidate=candidate,
            ),
        )
        session.environment_documents.put(
            tenant, environment, document, number=number, candidate=None if candidate is None else candidate.serial
        )
        return document

    def current(self, tenant: str, environment: str) -> Artifact | None:
        """Return the document in force, signed now where there was none. None where there is no such environment."""
        with self.store.read() as session:
            document = session.environment_documents.get(tenant, environment)
            if document is not None or session.environments.get(tenant, environment) is None:
                return document
        with self.store.write() as session:
            session.environments.lock(tenant, environment)
            # Another replica may have been asked at the same moment: behind the lock there is one of them.
            return session.environment_documents.get(tenant, environment) or self.publish(session, tenant, environment)


def _candidate(session: Session, tenant: str, environment: str) -> Candidate | None:
    rollout = session.rollouts.candidate(tenant, environment)
    published = None if rollout is None else session.activations.get(tenant, rollout.id)
    return None if rollout is None or published is None else rollout.candidate(published.etag)
