# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from policies.bundle.jws import SigningKey, sign
from policies.bundle.release import ReleaseManifest, sign_release, verify_release
from policies.contracts.errors import BundleRejected

MANIFEST = ReleaseManifest(
    tenant="default",
    environment="production",
    policy_set="default",
    id="rel_1",
    revision="sha256:1",
    policies=(("chat-access", "sha256:a"), ("routes", "sha256:b")),
    tests="sha256:t",
    test_count=2,
    untested=("routes/chat",),
    untested_reason="a route allows nothing by itself",
    promoted_from=None,
    author="author",
    created_at=datetime(2026, 11, 20, 18, tzinfo=UTC),
)
SIGNER = SigningKey(id="k1", key=ec.generate_private_key(ec.SECP256R1()))
KEYS = {
    "k1": SIGNER.key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
}


@pytest.mark.parametrize("manifest", [MANIFEST, replace(MANIFEST, promoted_from="rel_0", untested=())])
def test_a_manifest_is_what_was_signed(manifest):
    assert verify_release(sign_release(manifest, SIGNER), KEYS) == manifest


def test_a_manifest_of_another_key_is_not_believed():
    other = SigningKey(id="k1", key=ec.generate_private_key(ec.SECP256R1()))
    with pytest.raises(BundleRejected, match="signature-invalid"):
        verify_release(sign_release(MANIFEST, other), KEYS)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"schema": "gatehouse.credentials/1"}, id="another document of the same key"),
        pytest.param({"approved": True}, id="a member more"),
        pytest.param({"policies": []}, id="another type"),
        pytest.param({"tests": {"digest": "sha256:t"}}, id="a member less"),
        pytest.param({"created_at": "2026-11-20"}, id="a time that is a day"),
    ],
)
def test_what_is_signed_and_no_manifest_is_refused(changes):
    with pytest.raises(BundleRejected, match="snapshot-invalid"):
        verify_release(sign(MANIFEST.to_json() | changes, SIGNER), KEYS)
