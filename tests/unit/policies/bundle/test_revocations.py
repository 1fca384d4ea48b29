# SPDX-License-Identifier: Apache-2.0
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from policies.bundle.credentials import CredentialsDocument, sign_credentials
from policies.bundle.jws import SigningKey, sign
from policies.bundle.revocations import (
    MAX_DOCUMENT_BYTES,
    IssuedBefore,
    RevocationsDocument,
    RevokedToken,
    sign_revocations,
    verify_revocations,
)
from policies.contracts.errors import BundleRejected
from tests.unit.policies.bundle.bundles import KEYS, SIGNER, new_signer, public_pem

AT = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)
SCOPE = {"keys": KEYS, "tenant": "default", "environment": "production"}
DOCUMENT = RevocationsDocument(
    tenant="default",
    environment="production",
    epoch=7,
    issued_at=AT,
    keys=("01A", "01B"),
    subjects=("user:mallory",),
    tokens=(RevokedToken(issuer="https://id.example", jti="a-1"),),
    digests=("a" * 64,),
    issued_before=(IssuedBefore(subject="user:alice", at=AT),),
)


def raw_document(**changes) -> dict:
    return {
        "schema": "gatehouse.revocations/1",
        "tenant": "default",
        "environment": "production",
        "epoch": 7,
        "issued_at": "2026-11-21T18:00:00Z",
        "keys": [],
        "subjects": [],
        "tokens": [],
        "digests": [],
        "issued_before": [],
        **changes,
    }


def code_of(raw: bytes, **scope) -> str:
    with pytest.raises(BundleRejected) as rejected:
        verify_revocations(raw, **(SCOPE | scope))
    return rejected.value.code


def test_what_was_signed_is_what_is_read():
    assert verify_revocations(sign_revocations(DOCUMENT, SIGNER), **SCOPE) == DOCUMENT


def test_one_revocation_takes_a_few_hundred_bytes():
    one = replace(DOCUMENT, subjects=(), tokens=(), digests=(), issued_before=(), keys=("01JZZZZZZZZZZZZZZZZZZZZZZZ",))
    assert len(sign_revocations(one, SIGNER)) < 500


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"schema": "gatehouse.revocations/2"}, id="a-schema-of-later"),
        pytest.param({"schema": "gatehouse.credentials/1"}, id="another-kind-of-document"),
        pytest.param({"epoch": 0}, id="no-epoch"),
        pytest.param({"epoch": -1}, id="an-epoch-below-any"),
        pytest.param({"epoch": True}, id="a-truth-for-an-epoch"),
        pytest.param({"keys": ["02", "01"]}, id="keys-out-of-order"),
        pytest.param({"keys": ["01", "01"]}, id="a-key-twice"),
        pytest.param({"keys": [1]}, id="a-key-that-is-a-number"),
        pytest.param({"keys": "01"}, id="keys-as-one-text"),
        pytest.param({"subjects": [None]}, id="a-subject-that-is-nothing"),
        pytest.param({"tokens": [{"issuer": "https://id.example"}]}, id="a-token-without-its-id"),
        pytest.param({"tokens": [{"issuer": "i", "jti": "1", "exp": 1}]}, id="a-token-that-says-more"),
        pytest.param({"digests": ["A" * 64]}, id="a-digest-in-capitals"),
        pytest.param({"digests": ["a" * 63]}, id="a-digest-too-short"),
        pytest.param({"issued_before": [{"subject": "user:a", "at": "2026-11-21T18:00:00"}]}, id="a-time-without-zone"),
        pytest.param({"keys_given_back": []}, id="a-member-that-nobody-knows"),
    ],
)
def test_what_is_not_of_the_schema_is_refused(changes):
    assert code_of(sign(raw_document(**changes), SIGNER).encode()) == "snapshot-invalid"


@pytest.mark.parametrize(
    ("epoch", "want"),
    [
        pytest.param(2**53 - 1, None, id="the-last-there-is"),
        pytest.param(2**53, "snapshot-invalid", id="one-that-nothing-could-follow"),
        pytest.param(10**400, "snapshot-invalid", id="one-beyond-any-number"),
    ],
)
def test_an_epoch_has_an_end(monkeypatch, epoch, want):
    # A forger who holds the key writes JSON by other means than ours, which knows no such number.
    monkeypatch.setattr("policies.bundle.jws.canonical_bytes", _as_others_write_it)
    raw = sign(raw_document(epoch=epoch), SIGNER).encode()
    if want is None:
        assert verify_revocations(raw, **SCOPE).epoch == epoch
    else:
        assert code_of(raw) == want


def _as_others_write_it(value) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def test_what_it_says_otherwise_is_read():
    assert verify_revocations(sign(raw_document(), SIGNER).encode(), **SCOPE).epoch == 7


@pytest.mark.parametrize(
    "scope",
    [
        pytest.param({"tenant": "another"}, id="another-tenant"),
        pytest.param({"environment": "staging"}, id="another-environment"),
    ],
)
def test_a_document_of_elsewhere_is_refused(scope):
    assert code_of(sign_revocations(DOCUMENT, SIGNER), **scope) == "wrong-scope"


def test_a_credentials_document_is_no_revocations_document():
    credentials = CredentialsDocument(tenant="default", environment="production", epoch=99, issued_at=AT, keys=())
    assert code_of(sign_credentials(credentials, SIGNER)) == "snapshot-invalid"


def test_a_key_of_the_same_id_that_is_not_ours_is_refused():
    other = new_signer()
    assert code_of(sign_revocations(DOCUMENT, SigningKey(id=SIGNER.id, key=other.key))) == "signature-invalid"


def test_a_key_is_taken_only_under_its_own_id():
    other = new_signer()
    keys = {**KEYS, "other": public_pem(other)}
    confused = SigningKey(id="other", key=SIGNER.key)
    assert code_of(sign_revocations(DOCUMENT, confused), keys=keys) == "signature-invalid"


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"a" * (MAX_DOCUMENT_BYTES + 1), id="too-large"),
        pytest.param("ä.b.c".encode(), id="not-ascii"),
        pytest.param(b"", id="nothing"),
        # {"alg":"none","typ":"JWT"} and {"alg":"HS256","kid":…}: whatever is not the very header of ES256.
        pytest.param(b"eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.e30.", id="no-algorithm"),
        pytest.param(b"eyJhbGciOiJIUzI1NiIsImtpZCI6ImdhdGVob3VzZS0xIiwidHlwIjoiSldUIn0.e30.AAAA", id="a-shared-secret"),
    ],
)
def test_what_is_not_signed_by_us_is_refused(raw):
    assert code_of(raw) == "signature-invalid"
