# SPDX-License-Identifier: Apache-2.0
"""The signed manifest of a release (`docs/spec/life-cycle.md`): what was released, by whom, and how it was tested."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self

from policies.bundle.jws import SigningKey, VerificationKeys, open_signed, sign
from policies.contracts.codec import JSON
from policies.contracts.errors import BundleRejected

SCHEMA: Final = "gatehouse.release/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseManifest:
    """`policies` are (policy, revision); `tests` is the digest of what each test gave; `untested` are the enforcing
    rules, as POLICY/RULE, that no passing test tried, and `untested_reason` why that is well.
    """

    tenant: str
    environment: str
    policy_set: str
    id: str
    revision: str
    policies: tuple[tuple[str, str], ...]
    tests: str
    test_count: int
    untested: tuple[str, ...]
    untested_reason: str
    promoted_from: str | None
    author: str
    created_at: datetime

    def to_json(self) -> dict[str, JSON]:
        return {
            "schema": SCHEMA,
            "tenant": self.tenant,
            "environment": self.environment,
            "policy_set": self.policy_set,
            "id": self.id,
            "revision": self.revision,
            "policies": dict(self.policies),
            "tests": {"digest": self.tests, "count": self.test_count},
            "untested": {"rules": list(self.untested), "reason": self.untested_reason},
            "promoted_from": self.promoted_from,
            "author": self.author,
            "created_at": self.created_at.isoformat().replace("+00:00", "Z"),
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote. Raises KeyError, TypeError, ValueError or AttributeError for anything else."""
        read = cls(
            tenant=raw["tenant"],
            environment=raw["environment"],
            policy_set=raw["policy_set"],
            id=raw["id"],
            revision=raw["revision"],
            policies=tuple(sorted(raw["policies"].items())),
            tests=raw["tests"]["digest"],
            test_count=raw["tests"]["count"],
            untested=tuple(raw["untested"]["rules"]),
            untested_reason=raw["untested"]["reason"],
            promoted_from=raw["promoted_from"],
            author=raw["author"],
            created_at=datetime.fromisoformat(raw["created_at"]),
        )
        if read.to_json() != raw:
            raise ValueError("a member is unknown, missing or of another type")
        return read


def sign_release(manifest: ReleaseManifest, signer: SigningKey) -> str:
    """Return the compact JWS of `manifest`."""
    return sign(manifest.to_json(), signer)


def verify_release(token: str, keys: VerificationKeys) -> ReleaseManifest:
    """Return the manifest of `token`. Raises BundleRejected: `signature-invalid` or `snapshot-invalid`."""
    opened = open_signed(token, keys)
    try:
        return ReleaseManifest.from_json(opened)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise BundleRejected("snapshot-invalid", "the manifest of the release is not of a schema known here") from None
