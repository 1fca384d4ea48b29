# SPDX-License-Identifier: Apache-2.0
"""What `controlplane.services.revocation` promises of a store, on every database."""

from dataclasses import replace
from datetime import timedelta

from controlplane.services.model import Artifact
from controlplane.services.revocation import RevokedToken
from tests.contract.test_store_contract import api_key
from tests.records import NOON

T, ENVIRONMENT = "default", "production"
SCOPE = (T, ENVIRONMENT)
TOKEN = RevokedToken(
    tenant=T,
    environment=ENVIRONMENT,
    id="rev_1",
    issuer="https://id.example",
    jti="a-1",
    sha256=None,
    subject=None,
    issued_before=None,
    expires_at=NOON,
    reason="",
    revoked_by="admin",
    revoked_at=NOON,
)


def test_revoked_tokens_are_listed_counted_pruned_and_taken_back(store):
    other = replace(TOKEN, id="rev_2", expires_at=None, subject="user:a", issued_before=NOON, issuer=None, jti=None)
    with store.write() as session:
        session.environments.ensure(*SCOPE)
        session.revocations.add(TOKEN)
        session.revocations.add(other)
        session.revocations.add(replace(TOKEN, environment="staging", id="rev_3"))
        assert session.revocations.count(*SCOPE) == 2
        assert session.revocations.page(*SCOPE, after=None, limit=1).next_key == "rev_1"
        session.revocations.prune(*SCOPE, expired_before=NOON)
        assert session.revocations.of_environment(*SCOPE) == (TOKEN, other)
        session.revocations.prune(*SCOPE, expired_before=NOON + timedelta(seconds=1))
        assert session.revocations.of_environment(*SCOPE) == (other,)
        session.revocations.remove(T, "rev_2")
        assert session.revocations.get(T, "rev_2") is None


def test_a_revoked_key_is_named_for_as_long_as_it_could_be_let_in(store):
    ended = NOON - timedelta(days=2)
    keys = {
        "01": api_key("01", revoked_at=NOON),
        "02": api_key("02", revoked_at=NOON, expires_at=ended),
        "03": api_key("03", revoked_at=NOON, expires_at=ended, replaced_by="04"),
        "04": api_key("04"),
        "05": api_key("05", revoked_at=NOON, environment="staging"),
    }
    with store.write() as session:
        for key in keys.values():
            session.api_keys.add(key)
        assert session.revocations.revoked_keys(*SCOPE, expired_before=NOON) == ("01", "03")
        of_alice = session.revocations.keys_of(*SCOPE, "user:alice", made_before=NOON + timedelta(seconds=1))
        assert of_alice == (keys["04"],)
        assert session.revocations.keys_of(*SCOPE, "user:alice", made_before=NOON) == ()


def test_the_newest_document_is_kept_and_moves_the_head(store):
    with store.write() as session:
        session.environments.ensure(*SCOPE)
        assert (session.revocations.document(*SCOPE), session.revocations.epoch(*SCOPE)) == (None, 0)
        session.revocations.put(*SCOPE, Artifact(etag="a", content=b"a"), epoch=1, credentials_due=False)
        assert session.revocations.due() == ()
        session.revocations.put(*SCOPE, Artifact(etag="b", content=b"b"), epoch=2, credentials_due=True)
        assert session.revocations.due() == (SCOPE,)
        session.revocations.settle(*SCOPE)
    with store.read() as session:
        assert session.revocations.document(*SCOPE) == Artifact(etag="b", content=b"b")
        assert (session.revocations.epoch(*SCOPE), session.revocations.due()) == (2, ())
        assert session.environments.heads()[SCOPE][-1] == 2
