# SPDX-License-Identifier: Apache-2.0
"""What makes signed bytes: a port, so that use cases hold no key."""

from collections.abc import Sequence
from typing import Protocol

from controlplane.services.model import ApiKey, Artifact
from policies.bundle.environment import EnvironmentDocument
from policies.bundle.release import ReleaseManifest
from policies.bundle.revocations import RevocationsDocument
from policies.contracts.snapshot import PolicySnapshot


class Publisher(Protocol):
    """Packs and signs (`docs/spec/bundle.md`)."""

    def pack(self, snapshot: PolicySnapshot, *, serial: int) -> Artifact:
        """Return the signed bundle of `snapshot` at `serial`."""

    def sign_credentials(
        self, tenant: str, environment: str, *, epoch: int, keys: Sequence[ApiKey], blocked: Sequence[str]
    ) -> Artifact:
        """Return the signed credentials document of `epoch`, in which the subjects `blocked` are nobody."""

    def discovery(self) -> Artifact:
        """Return the signed bundle that tells a stock OPA what to fetch and where to report."""

    def sign_revocations(self, document: RevocationsDocument) -> Artifact:
        """Return the signed form of `document`."""

    def sign_environment(self, document: EnvironmentDocument) -> Artifact:
        """Return the signed form of `document`."""

    def sign_release(self, manifest: ReleaseManifest) -> str:
        """Return the signed manifest of a release."""

    def new_key(self, key_id: str) -> tuple[str, str]:
        """Return a fresh API key with that id, and the hash under which it is kept."""
