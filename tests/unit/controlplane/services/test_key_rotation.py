# SPDX-License-Identifier: Apache-2.0
"""After a rotation everything that is fed verifies by the new key alone, and is newer than what was there before."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from controlplane.bootstrap import assemble
from controlplane.services.feeds import Feed
from policies.bundle.credentials import verify_credentials
from policies.bundle.environment import verify_environment
from policies.bundle.revocations import verify_revocations
from policies.bundle.verify import verify
from policies.contracts.errors import BundleRejected
from tests.control_planes import make_plane, sqlite_url

SCOPE = {"tenant": "default", "environment": "production"}
READ = {
    Feed.BUNDLE: lambda raw, keys: verify(raw, keys=keys, newer_than=None, **SCOPE).serial,
    Feed.CREDENTIALS: lambda raw, keys: verify_credentials(raw, keys=keys, **SCOPE).epoch,
    Feed.REVOCATIONS: lambda raw, keys: verify_revocations(raw, keys=keys, **SCOPE).epoch,
    Feed.ENVIRONMENT: lambda raw, keys: verify_environment(raw, keys=keys, **SCOPE).number,
}


def fed(plane, keys) -> dict[Feed, int]:
    return {feed: read(plane.feeds.artifact(feed, **SCOPE).content, keys) for feed, read in READ.items()}


def test_everything_is_signed_anew_and_newer(tmp_path):
    under_test = make_plane(sqlite_url(tmp_path))
    under_test.activate(under_test.release()["id"])
    old = {"gatehouse-1": under_test.public_key}
    before = fed(under_test.plane, old)
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    settings = replace(under_test.settings, signing_key=pem, signing_key_id="gatehouse-2")
    plane = assemble(settings, under_test.plane.store, clock=under_test.plane.revocations.clock)
    assert plane.key_rotation.rotate("gatehouse-2") == ("default/production",)
    after = fed(plane, {"gatehouse-2": public})
    assert all(after[feed] > before[feed] for feed in READ)
    with pytest.raises(BundleRejected):
        fed(plane, old)
    events = under_test.call("GET", "/v1/admin-events", "auditor").json["items"]
    assert "bundle_key_rotated" in {event["action"] for event in events}
