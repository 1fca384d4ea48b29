# SPDX-License-Identifier: Apache-2.0
"""What is signed of a release."""

from controlplane.services.model import Release
from policies.bundle.release import ReleaseManifest
from policies.contracts.codec import digest


def manifest_of(release: Release) -> ReleaseManifest:
    """Return what the manifest of `release` says."""
    return ReleaseManifest(
        tenant=release.tenant,
        environment=release.environment,
        policy_set=release.policy_set,
        id=release.id,
        revision=release.revision,
        policies=tuple(sorted(release.policies)),
        tests=digest([{"policy": one.policy, "name": one.name, "passed": one.passed} for one in release.tests]),
        test_count=len(release.tests),
        untested=release.untested,
        untested_reason=release.untested_reason,
        promoted_from=release.promoted_from,
        author=release.author,
        created_at=release.created_at,
    )
