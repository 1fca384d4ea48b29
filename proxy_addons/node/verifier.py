# SPDX-License-Identifier: Apache-2.0
"""What the control plane signs for this node, verified: with the keys that there are now, for the node's own scope."""

from typing import Protocol

from policies.bundle.credentials import CredentialsDocument, verify_credentials
from policies.bundle.environment import EnvironmentDocument, verify_environment
from policies.bundle.revocations import RevocationsDocument, verify_revocations
from policies.bundle.verify import VerifiedBundle, verify
from proxy_addons.bundle_keys import read_bundle_keys
from proxy_addons.key_places import KeyPlaces


class Scoped(KeyPlaces, Protocol):
    """Where keys are looked for, and for whom documents must be."""

    @property
    def tenant(self) -> str: ...
    @property
    def environment(self) -> str: ...


class Verifier:
    """Verifies what the control plane signed for this node. Each method raises BundleRejected."""

    def __init__(self, settings: Scoped) -> None:
        self._settings = settings

    def bundle(self, content: bytes, newer_than: int) -> VerifiedBundle:
        settings = self._settings
        return verify(
            content,
            keys=read_bundle_keys(settings),
            tenant=settings.tenant,
            environment=settings.environment,
            newer_than=newer_than,
        )

    def credentials(self, content: bytes) -> CredentialsDocument:
        settings = self._settings
        return verify_credentials(
            content, keys=read_bundle_keys(settings), tenant=settings.tenant, environment=settings.environment
        )

    def revocations(self, content: bytes) -> RevocationsDocument:
        settings = self._settings
        return verify_revocations(
            content, keys=read_bundle_keys(settings), tenant=settings.tenant, environment=settings.environment
        )

    def environment_document(self, content: bytes) -> EnvironmentDocument:
        settings = self._settings
        return verify_environment(
            content, keys=read_bundle_keys(settings), tenant=settings.tenant, environment=settings.environment
        )
