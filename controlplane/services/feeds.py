# SPDX-License-Identifier: Apache-2.0
"""What the proxies fetch: the bundle in force, the candidate, and what they must know beside, each under an ETag."""

from dataclasses import dataclass
from enum import StrEnum

from controlplane.services.environment_documents import EnvironmentDocuments
from controlplane.services.model import Artifact
from controlplane.services.ports import Store
from controlplane.services.publishing import Publisher


class Feed(StrEnum):
    BUNDLE = "bundle"
    CREDENTIALS = "credentials"
    ENVIRONMENT = "environment"
    CANDIDATE = "candidate"
    DISCOVERY = "discovery"
    REVOCATIONS = "revocations"


@dataclass(frozen=True, slots=True, kw_only=True)
class Feeds:
    store: Store
    documents: EnvironmentDocuments
    publisher: Publisher

    def artifact(self, feed: Feed, *, tenant: str, environment: str, serial: int | None = None) -> Artifact | None:
        """Return what the feed serves now; None where nothing was published. `serial` is a candidate's."""
        if feed is Feed.ENVIRONMENT:
            return self.documents.current(tenant, environment)
        with self.store.read() as session:
            if feed is Feed.DISCOVERY:
                known = session.environments.get(tenant, environment) is not None
                return self.publisher.discovery() if known else None
            if feed is Feed.CREDENTIALS or feed is Feed.REVOCATIONS:
                of = session.revocations.document if feed is Feed.REVOCATIONS else session.environments.credentials
                return of(tenant, environment)
            if feed is Feed.CANDIDATE:
                named = session.environment_documents.candidate(tenant, environment)
                # Whoever asks for another has an older document, and is about to be told of the newest.
                if serial is None or serial != named:
                    return None
                return session.activations.bundle(tenant, environment, serial)
            head = session.environments.get(tenant, environment)
            return None if head is None else session.activations.bundle(tenant, environment, head.serial)

    def heads(self) -> dict[tuple[str, str], tuple[int, ...]]:
        """Return numbers by (tenant, environment): cheap, and others as soon as a feed has something else."""
        with self.store.read() as session:
            return session.environments.heads()
