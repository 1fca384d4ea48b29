# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from policies.bundle.revocations import IssuedBefore, RevocationsDocument, RevokedToken
from policies.contracts.request import Subject
from proxy_addons.core.exchange import Credential, CredentialKind
from proxy_addons.core.revocations import Revocations

AT = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)
ALICE = Subject(type="user", id="alice")
KEY = Credential(key_id="01A", subject=ALICE)
TOKEN = Credential(
    key_id="login:0a",
    subject=ALICE,
    kind=CredentialKind.TOKEN,
    token_id=("https://id.example", "a-1"),
    digests=("a" * 64, "b" * 64),
    issued_at=AT,
)
CERTIFICATE = replace(TOKEN, kind=CredentialKind.CERTIFICATE, token_id=None, digests=("c" * 64,))


def revocations(**members) -> Revocations:
    return Revocations.of(
        RevocationsDocument(tenant="default", environment="production", epoch=3, issued_at=AT, **members)
    )


@pytest.mark.parametrize(
    ("credential", "members", "want"),
    [
        pytest.param(KEY, {"keys": ("01A",)}, True, id="a-key"),
        pytest.param(KEY, {"keys": ("01B",)}, False, id="another-key"),
        pytest.param(KEY, {"subjects": ("user:alice",)}, True, id="a-key-of-a-subject"),
        pytest.param(KEY, {"subjects": ("service:alice",)}, False, id="a-key-of-a-service-of-that-name"),
        pytest.param(TOKEN, {"keys": ("login:0a",)}, False, id="a-token-whose-key-id-is-that-of-a-key"),
        pytest.param(TOKEN, {"subjects": ("user:alice",)}, True, id="a-token-of-a-subject"),
        pytest.param(TOKEN, {"tokens": (RevokedToken(issuer="https://id.example", jti="a-1"),)}, True, id="a-token"),
        pytest.param(
            TOKEN, {"tokens": (RevokedToken(issuer="https://other.example", jti="a-1"),)}, False, id="of-another-issuer"
        ),
        pytest.param(TOKEN, {"digests": ("a" * 64,)}, True, id="a-token-by-what-is-signed"),
        pytest.param(TOKEN, {"digests": ("b" * 64,)}, True, id="a-token-by-all-of-it"),
        pytest.param(TOKEN, {"digests": ("c" * 64,)}, False, id="another-digest"),
        pytest.param(CERTIFICATE, {"digests": ("c" * 64,)}, True, id="a-certificate"),
        pytest.param(
            TOKEN,
            {"issued_before": (IssuedBefore(subject="user:alice", at=AT + timedelta(seconds=1)),)},
            True,
            id="a-token-issued-before",
        ),
        pytest.param(
            TOKEN, {"issued_before": (IssuedBefore(subject="user:alice", at=AT),)}, False, id="a-token-issued-then"
        ),
        pytest.param(
            TOKEN,
            {
                "issued_before": (
                    IssuedBefore(subject="user:alice", at=AT - timedelta(hours=1)),
                    IssuedBefore(subject="user:alice", at=AT + timedelta(hours=1)),
                )
            },
            True,
            id="the-latest-of-two-times",
        ),
        pytest.param(
            replace(TOKEN, issued_at=None),
            {"issued_before": (IssuedBefore(subject="user:alice", at=AT),)},
            True,
            id="one-that-does-not-say-when",
        ),
        pytest.param(
            TOKEN, {"issued_before": (IssuedBefore(subject="user:bob", at=AT + timedelta(days=1)),)}, False, id="of-bob"
        ),
        pytest.param(TOKEN, {}, False, id="nothing-is-revoked"),
    ],
)
def test_what_is_named_is_refused_and_nothing_else(credential, members, want):
    assert revocations(**members).revoke(credential) is want


def test_without_a_document_nothing_is_revoked():
    assert not Revocations().revoke(TOKEN)
    assert Revocations().epoch == 0
