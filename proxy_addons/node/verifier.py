# SPDX-License-Identifier: Apache-2.0
"""What the control plane signs for this node, verified: with the configured keys, for the node's own scope."""

from dataclasses import dataclass

from policies.bundle.credentials import verify_credentials
from policies.bundle.environment import EnvironmentDocument, verify_environment
from policies.bundle.jws import VerificationKeys
from policies.bundle.verify import verify
from proxy_addons.node.bundle_activation import Verified
from proxy_addons.node.credentials import Verified as VerifiedCredentials


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifier:
    """Each of its functions raises BundleRejected."""

    keys: VerificationKeys
    tenant: str
    environment: str

    def bundle(self, content: bytes, newer_than: int) -> Verified:
        return verify(content, keys=self.keys, tenant=self.tenant, environment=self.environment, newer_than=newer_than)

    def credentials(self, content: bytes) -> VerifiedCredentials:
        return verify_credentials(content, keys=self.keys, tenant=self.tenant, environment=self.environment)

    def environment_document(self, content: bytes) -> EnvironmentDocument:
        return verify_environment(content, keys=self.keys, tenant=self.tenant, environment=self.environment)
