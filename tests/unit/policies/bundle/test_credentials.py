# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from policies.bundle.credentials import (
    ApiKey,
    CredentialsDocument,
    format_api_key,
    hash_api_key,
    parse_api_key,
    sign_credentials,
    verify_credentials,
)
from policies.bundle.jws import open_signed, sign
from policies.bundle.pack import pack
from policies.contracts.errors import BundleRejected
from policies.contracts.request import Subject
from policies.contracts.scope import Scope
from tests.unit.policies.bundle.bundles import KEYS, SIGNER, make_snapshot, new_signer, public_pem

AT = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)
SCOPE = {"keys": KEYS, "tenant": "default", "environment": "production"}
DOCUMENT = CredentialsDocument(
    tenant="default",
    environment="production",
    epoch=12,
    issued_at=AT,
    keys=(
        ApiKey(id="01A", hash="a" * 64, subject=Subject(type="user", id="alice"), expires_at=AT),
        ApiKey(id="01B", hash="b" * 64, subject=Subject(type="service", id="batch"), revoked=True),
    ),
)


SCOPED = replace(
    DOCUMENT,
    keys=(replace(DOCUMENT.keys[0], scope=Scope(operations=("chat.completions",))), DOCUMENT.keys[1]),
    blocked=("user:mallory",),
)
SCOPED_KEY = {
    "id": "01A",
    "hash": "a" * 64,
    "subject": {"type": "user", "id": "alice"},
    "expires_at": None,
    "revoked": False,
    "scope": {"operations": ["chat.completions", "completions"], "models": None},
}


def raw_document(**changes) -> dict:
    return {
        "schema": "gatehouse.credentials/1",
        "tenant": "default",
        "environment": "production",
        "epoch": 12,
        "issued_at": "2026-11-20T18:00:00Z",
        "keys": [],
        **changes,
    }


def test_what_was_signed_is_what_is_read():
    assert verify_credentials(sign_credentials(DOCUMENT, SIGNER), **SCOPE) == DOCUMENT


@pytest.mark.parametrize(
    ("document", "want"),
    [
        pytest.param(DOCUMENT, "gatehouse.credentials/1", id="what-the-release-before-reads-too"),
        pytest.param(replace(SCOPED, blocked=()), "gatehouse.credentials/2", id="a-scope"),
        pytest.param(replace(DOCUMENT, blocked=("user:mallory",)), "gatehouse.credentials/2", id="a-blocked-subject"),
    ],
)
def test_a_document_is_of_the_first_schema_that_can_say_it(document, want):
    raw = sign_credentials(document, SIGNER)
    assert open_signed(raw.decode(), KEYS)["schema"] == want
    assert verify_credentials(raw, **SCOPE) == document


def scoped_document(**changes) -> bytes:
    key = {**SCOPED_KEY, **changes.pop("key", {})}
    members = {"schema": "gatehouse.credentials/2", "keys": [key], "blocked": [], **changes}
    return sign(raw_document(**members), SIGNER).encode()


def test_a_scoped_document_is_read():
    [key] = verify_credentials(scoped_document(), **SCOPE).keys
    assert key.scope == Scope(operations=("chat.completions", "completions"))


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"schema": "gatehouse.credentials/1"}, id="a-scope-in-schema-1"),
        pytest.param({"keys": []}, id="schema-2-that-schema-1-could-say"),
        pytest.param({"blocked": "user:mallory"}, id="blocked-is-a-text"),
        pytest.param({"blocked": ["b", "a"]}, id="blocked-out-of-order"),
        pytest.param({"key": {"scope": None}}, id="no-scope-at-all"),
        pytest.param({"key": {"scope": {"operations": ["chat"]}}}, id="half-a-scope"),
        pytest.param({"key": {"scope": {"operations": "chat", "models": None}}}, id="operations-are-a-text"),
        pytest.param({"key": {"scope": {"operations": ["b", "a"], "models": None}}}, id="operations-out-of-order"),
        pytest.param({"key": {"scope": {"operations": ["a"], "models": None, "hosts": None}}}, id="an-unknown-measure"),
    ],
)
def test_a_scope_in_another_form_is_refused(changes):
    with pytest.raises(BundleRejected) as caught:
        verify_credentials(scoped_document(**changes), **SCOPE)
    assert caught.value.code == "snapshot-invalid"


@pytest.mark.parametrize(
    ("raw", "scope", "want"),
    [
        pytest.param(sign_credentials(DOCUMENT, SIGNER), {"tenant": "other"}, "wrong-scope", id="another-tenant"),
        pytest.param(
            sign_credentials(DOCUMENT, SIGNER),
            {"keys": {"gatehouse-1": public_pem(new_signer())}},
            "signature-invalid",
            id="another-key",
        ),
        pytest.param(b"\xff", {}, "signature-invalid", id="no-text"),
        pytest.param(b"a.b.c", {}, "signature-invalid", id="no-jws"),
        pytest.param(
            sign(raw_document(extra=1), SIGNER).encode(), {}, "snapshot-invalid", id="a-member-that-is-not-known"
        ),
        pytest.param(sign(raw_document(epoch=True), SIGNER).encode(), {}, "snapshot-invalid", id="an-epoch-of-true"),
        pytest.param(sign(raw_document(schema="x/2"), SIGNER).encode(), {}, "snapshot-invalid", id="another-schema"),
        pytest.param(
            sign_credentials(replace(DOCUMENT, keys=(DOCUMENT.keys[0],) * 2), SIGNER),
            {},
            "snapshot-invalid",
            id="a-key-twice",
        ),
        pytest.param(sign({"files": []}, SIGNER).encode(), {}, "snapshot-invalid", id="the-signature-of-a-bundle"),
    ],
)
def test_refuses_everything_else(raw, scope, want):
    with pytest.raises(BundleRejected) as caught:
        verify_credentials(raw, **{**SCOPE, **scope})
    assert want == caught.value.code


def test_every_flipped_byte_is_refused():
    raw = sign_credentials(SCOPED, SIGNER)
    for place in range(len(raw)):
        flipped = bytearray(raw)
        flipped[place] ^= 1 << (place % 8)
        with pytest.raises(BundleRejected):
            verify_credentials(bytes(flipped), **SCOPE)


def test_a_key_is_its_id_and_its_secret():
    key = format_api_key("01JABC", bytes(range(32)))
    assert parse_api_key(key) == "01JABC"
    assert hash_api_key(b"p" * 32, key) != hash_api_key(b"q" * 32, key)


@pytest.mark.parametrize("text", ["", "gh_", "gh_01_short", "gh_0 1_" + "a" * 43, "gh_01_" + "a" * 44, "x" * 99])
def test_what_is_no_key_has_no_id(text):
    assert parse_api_key(text) is None


def test_a_short_secret_makes_no_key():
    with pytest.raises(ValueError, match="32 random bytes"):
        format_api_key("01JABC", b"short")


def test_a_bundle_is_no_credentials_document():
    with pytest.raises(BundleRejected):
        verify_credentials(pack(make_snapshot(), serial=1, signer=SIGNER).content, **SCOPE)
