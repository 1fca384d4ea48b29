# SPDX-License-Identifier: Apache-2.0
"""What the proxies fetch: the bundle in force and the credentials, each under a strong ETag."""

from dataclasses import dataclass
from enum import StrEnum

from controlplane.services.model import Artifact
from controlplane.services.ports import Store


class Feed(StrEnum):
    BUNDLE = "bundle"
    CREDENTIALS = "credentials"


@dataclass(frozen=True, slots=True, kw_only=True)
class Feeds:
    store: Store

    def artifact(self, feed: Feed, *, tenant: str, environment: str) -> Artifact | None:
        """Return what the feed serves now; None where nothing was published."""
        with self.store.read() as session:
            if feed is Feed.CREDENTIALS:
                return session.environments.credentials(tenant, environment)
            head = session.environments.get(tenant, environment)
            return None if head is None else session.activations.bundle(tenant, environment, head.serial)

    def heads(self) -> dict[tuple[str, str], tuple[int, int]]:
        """Return serial and epoch by (tenant, environment): cheap, and different as soon as a feed is."""
        with self.store.read() as session:
            return session.environments.heads()
