# SPDX-License-Identifier: Apache-2.0
"""One key for the logs of all tenants."""

import pytest

from controlplane.audit.note_keys import KeyKind, KeyMalformed, SignerKey, VerifierKey
from controlplane.services.log_key import LogKey, new_log_key


def test_the_name_is_the_keys_own_and_the_file_is_one_line():
    text = new_log_key()
    key = LogKey.parse(text + "\n")
    assert key.name == f"gatehouse-{key.signer('default').verifier.public.hex()[:8]}.local"
    assert "\n" not in text


def test_a_tenants_log_is_signed_under_its_origin():
    key = LogKey.parse(new_log_key())
    assert key.origin("acme") == f"{key.name}/acme"
    assert VerifierKey.parse(key.vkey("acme")) == key.signer("acme").verifier
    assert key.signer("acme").verifier.id != key.signer("other").verifier.id


def test_a_name_that_is_given_takes_the_place_of_the_files():
    key = LogKey.parse(new_log_key(), name="audit.example.com")
    assert key.vkey("acme").startswith("audit.example.com/acme+")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        pytest.param("not a key", None, id="no-key"),
        pytest.param(new_log_key(), "with space", id="a-name-with-a-space"),
        pytest.param(new_log_key(), "with+plus", id="a-name-with-a-plus"),
        pytest.param(SignerKey.generate("w", KeyKind.COSIGNATURE).to_text(), None, id="a-cosigners-key"),
    ],
)
def test_what_cannot_sign_a_log_is_refused(text, name):
    with pytest.raises(KeyMalformed):
        LogKey.parse(text, name=name)


def test_a_tenant_that_no_line_can_name_is_refused():
    with pytest.raises(KeyMalformed, match="tenant"):
        LogKey.parse(new_log_key()).signer("a tenant")


def test_the_key_is_never_shown():
    assert "seed" not in repr(LogKey.parse(new_log_key()))
