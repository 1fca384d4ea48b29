# SPDX-License-Identifier: Apache-2.0
"""A process that dies between any two statements of a revocation or of a rotation leaves a state that goes on."""

from contextlib import suppress
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from controlplane.bootstrap import assemble
from controlplane.services.feeds import Feed
from policies.bundle.credentials import verify_credentials
from policies.bundle.environment import verify_environment
from policies.bundle.jws import SigningKey, public_pem
from policies.bundle.revocations import verify_revocations
from policies.bundle.verify import verify
from tests.control_planes import make_plane
from tests.dying_stores import Crash, DyingStore

SCOPE = {"tenant": "default", "environment": "production"}
READ = {
    Feed.BUNDLE: lambda raw, keys: verify(raw, keys=keys, newer_than=None, **SCOPE).serial,
    Feed.CREDENTIALS: lambda raw, keys: verify_credentials(raw, keys=keys, **SCOPE).epoch,
    Feed.REVOCATIONS: lambda raw, keys: verify_revocations(raw, keys=keys, **SCOPE).epoch,
    Feed.ENVIRONMENT: lambda raw, keys: verify_environment(raw, keys=keys, **SCOPE).number,
}
_MOST_STATEMENTS = 60


@pytest.fixture
def under_test(engine):
    made = make_plane(engine.url.render_as_string(hide_password=False))
    made.activate(made.release()["id"])
    yield made
    made.store.close()


def fed(plane, *keys):
    """Return what the feeds have, each by the number that only grows, and by whichever of `keys` verifies all."""
    pems = {each.id: public_pem(each).encode() for each in keys}
    return {feed: read(plane.feeds.artifact(feed, **SCOPE).content, pems) for feed, read in READ.items()}


def deaths(under_test, settings):
    """Yield control planes over the same database, the first of which dies at once and each a statement later."""
    for after in range(_MOST_STATEMENTS):
        yield assemble(settings, DyingStore(under_test.store, after=after), clock=under_test.clock)
    pytest.fail("it never ended")


def revoked_somewhere(under_test):
    """Return what says that something is revoked: the document, the credentials, the list, and the admin log."""
    plane, keys = under_test.plane, {"gatehouse-1": under_test.public_key}
    document = verify_revocations(plane.feeds.artifact(Feed.REVOCATIONS, **SCOPE).content, keys=keys, **SCOPE)
    credentials = verify_credentials(plane.feeds.artifact(Feed.CREDENTIALS, **SCOPE).content, keys=keys, **SCOPE)
    events = under_test.call("GET", "/v1/admin-events?limit=500", "auditor").json["items"]
    return (
        document.issued_before,
        document.keys,
        tuple(key.id for key in credentials.keys if key.revoked),
        tuple(event["action"] for event in events if "revoked" in event["action"]),
    )


def test_a_revocation_is_there_with_all_that_says_so_or_not_at_all(under_test):
    made = under_test.call("POST", "/v1/api-keys", "admin", json={"subject": "user:alice"}).json
    under_test.clock.turn(60)
    with under_test.store.read() as session:
        admin = next(
            each for each in session.principals.page("default", after=None, limit=100).items if each.name == "admin"
        )
    before = revoked_somewhere(under_test)
    deaths_before_it_was = 0
    for dying in deaths(under_test, under_test.settings):
        with suppress(Crash):
            dying.revocations.revoke(
                admin,
                environment="production",
                issuer=None,
                jti=None,
                sha256=None,
                subject="user:alice",
                issued_before=under_test.clock(),
                expires_at=None,
                reason="left",
            )
            break
        deaths_before_it_was += 1
        assert revoked_somewhere(under_test) == before
    issued_before, keys, in_credentials, actions = revoked_somewhere(under_test)
    assert [each.subject for each in issued_before] == ["user:alice"]
    assert (keys, in_credentials) == ((made["id"],), (made["id"],))
    assert sorted(actions) == ["api_key_revoked", "token_revoked"]
    assert deaths_before_it_was > 3


def test_a_rotation_that_died_anywhere_is_ended_by_doing_it_again(under_test):
    before = fed(under_test.plane, signer(under_test.settings))
    new = SigningKey(id="gatehouse-2", key=ec.generate_private_key(ec.SECP256R1()))
    settings = replace(under_test.settings, signing_key=private_pem(new), signing_key_id=new.id)
    deaths_before_it_was = 0
    for dying in deaths(under_test, settings):
        with suppress(Crash):
            dying.key_rotation.rotate(new.id)
            break
        deaths_before_it_was += 1
        # All is as it was signed before: no node that still has the old key alone is left without a document.
        assert fed(under_test.plane, signer(under_test.settings)) == before
    after = fed(under_test.plane, new)
    assert {feed: after[feed] - before[feed] for feed in READ} == dict.fromkeys(READ, 1)
    assert deaths_before_it_was > 5


def signer(settings):
    key = serialization.load_pem_private_key(settings.signing_key, password=None)
    return SigningKey(id=settings.signing_key_id, key=key)


def private_pem(key):
    return key.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
