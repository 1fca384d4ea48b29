# SPDX-License-Identifier: Apache-2.0
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OKPKey

from policies.contracts.identity import TokenAlgorithm
from proxy_addons.core.issuer_keys import KeysInvalid, from_bytes, read_discovery, read_jwks, to_bytes
from tests.tokens import EC, ED, KEYS, NOW, RSA, URL, encoded, jwks, key_set


def jwk(key: Any = EC, **changes: Any) -> dict[str, Any]:
    stated = key.as_dict(private=False) | {"kid": "k"} | changes
    return {name: value for name, value in stated.items() if value is not None}


def usable(*keys: Any) -> list[str]:
    return [key.kid for key in read_jwks(json.dumps({"keys": keys}).encode())]


def test_keys_of_every_kind_are_read_for_the_algorithms_that_fit_them():
    algorithms = {key.kid: key.algorithms for key in read_jwks(jwks())}
    assert set(algorithms) == set(KEYS)
    assert algorithms["ec-1"] == {TokenAlgorithm.ES256}
    assert algorithms["ec-384"] == {TokenAlgorithm.ES384}
    assert algorithms["ed-1"] == {TokenAlgorithm.EDDSA}
    assert len(algorithms["rsa-1"]) == 6


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(jwk(use="enc"), id="for-encryption"),
        pytest.param(jwk(key_ops=["sign"]), id="not-for-verification"),
        pytest.param(jwk(key_ops="verify"), id="operations-are-a-text"),
        pytest.param(jwk(kid=None), id="without-id"),
        pytest.param(jwk(kid=""), id="empty-id"),
        pytest.param(jwk(kid="k" * 257), id="too-long-an-id"),
        pytest.param(jwk(alg="ES384"), id="for-an-algorithm-that-does-not-fit"),
        pytest.param(jwk(alg="HS256"), id="for-a-shared-secret"),
        pytest.param({"kty": "oct", "kid": "k", "k": "c2VjcmV0"}, id="a-shared-secret"),
        pytest.param(jwk(RSA, n=encoded(b"\xff" * 128)), id="a-short-rsa-key"),
        pytest.param(jwk(RSA, e="AAAA"), id="an-even-exponent"),
        pytest.param(jwk(RSA, e="AQAAAAAB"), id="an-exponent-that-takes-long"),
        pytest.param(jwk(RSA, n="_" * 1500), id="a-modulus-that-takes-long"),
        pytest.param(jwk(RSA, n=None), id="half-a-key"),
        pytest.param(jwk(ECKey.generate_key("P-521")), id="another-curve"),
        pytest.param(jwk(OKPKey.generate_key("X25519")), id="a-curve-for-key-agreement"),
        pytest.param(jwk(EC, x="AAAA"), id="a-point-off-the-curve"),
        pytest.param(jwk(EC, crv=7), id="a-curve-that-is-a-number"),
        pytest.param(jwk(EC, crv="Ed25519"), id="a-curve-of-another-kind-of-key"),
        pytest.param(jwk(ED, crv="P-256"), id="a-kind-of-key-for-another-curve"),
        pytest.param("k", id="a-text"),
    ],
)
def test_a_key_that_cannot_be_used_is_passed_over(other):
    assert usable(other, jwk(ED, kid="good")) == ["good"]


@pytest.mark.parametrize(
    ("body", "want"),
    [
        pytest.param(b"", "keys-not-json", id="nothing"),
        pytest.param(b"[]", "keys-not-json", id="a-list"),
        pytest.param(b"{}", "keys-not-a-set", id="no-keys"),
        pytest.param(b'{"keys":{}}', "keys-not-a-set", id="keys-are-an-object"),
        pytest.param(b'{"keys":[]}', "no-usable-key", id="an-empty-set"),
        pytest.param(b'{"keys":[],"keys":[]}', "keys-not-json", id="a-member-twice"),
        pytest.param(json.dumps({"keys": [jwk(), jwk(ED)]}).encode(), "key-id-twice", id="one-id-for-two-keys"),
        pytest.param(json.dumps({"keys": [jwk()] * 65}).encode(), "keys-not-a-set", id="too-many"),
        pytest.param(b" " * (256 * 1024) + b"{}", "keys-too-large", id="too-large"),
    ],
)
def test_a_set_that_cannot_be_used_is_refused_whole(body, want):
    with pytest.raises(KeysInvalid, match=want):
        read_jwks(body)


ODD = st.one_of(
    st.sampled_from([None, "", "A", "AAAA", "=", "ü", 1.5, True, [], {}, "EC", "OKP", "RSA", "verify", ["verify"]]),
    st.sampled_from(["P-256", "P-384", "Ed25519", "X25519", "P-521", "secp256k1", "oct", "ES256", "sig"]),
    st.text(max_size=8),
)
MEMBERS = st.sampled_from(["kty", "crv", "x", "y", "n", "e", "alg", "use", "key_ops", "kid", "d", "x5c"])


@given(key=st.sampled_from(sorted(KEYS)), changes=st.dictionaries(MEMBERS, ODD, min_size=1, max_size=3))
def test_whatever_an_issuer_serves_is_read_or_refused(key, changes):
    published = KEYS[key].as_dict(private=False) | {"kid": key} | changes
    try:
        keys = read_jwks(json.dumps({"keys": [published]}).encode())
    except KeysInvalid:
        return
    assert all(each.algorithms for each in keys)
    assert from_bytes(to_bytes([key_set(keys=keys)]))[0].keys == keys


def test_private_members_are_not_kept():
    published = {**RSA.as_dict(private=True), "kid": "rsa-1"}
    kept = to_bytes([key_set(keys=read_jwks(json.dumps({"keys": [published]}).encode()))])
    assert published["d"].encode() not in kept
    assert set(json.loads(kept)["issuers"][0]["keys"][0]) == {"kty", "kid", "n", "e"}


def test_what_is_kept_is_what_is_read():
    assert from_bytes(to_bytes([key_set()])) == (key_set(),)


@pytest.mark.parametrize("content", [b"", b"{}", b'{"schema":"x/1","issuers":[]}', b"\xff", to_bytes([key_set()])[:-9]])
def test_a_file_that_went_bad_holds_no_key(content):
    with pytest.raises(KeysInvalid):
        from_bytes(content)


def test_a_time_without_zone_is_no_time():
    with pytest.raises(KeysInvalid):
        from_bytes(to_bytes([key_set()]).replace(NOW.isoformat().encode(), b"2026-11-20T18:00:00"))


def test_discovery_names_the_keys_of_the_issuer_it_is_of():
    stated = {"issuer": URL, "jwks_uri": f"{URL}/keys", "token_endpoint": f"{URL}/token"}
    assert read_discovery(json.dumps(stated).encode(), issuer=URL) == f"{URL}/keys"


@pytest.mark.parametrize(
    ("stated", "want"),
    [
        pytest.param({"issuer": URL + "/", "jwks_uri": "https://a"}, "another-issuer", id="of-another-issuer"),
        pytest.param({"jwks_uri": "https://a"}, "another-issuer", id="of-nobody"),
        pytest.param({"issuer": URL}, "without-keys", id="no-keys"),
        pytest.param({"issuer": URL, "jwks_uri": ["https://a"]}, "without-keys", id="keys-are-a-list"),
    ],
)
def test_discovery_of_another_kind_is_refused(stated, want):
    with pytest.raises(KeysInvalid, match=want):
        read_discovery(json.dumps(stated).encode(), issuer=URL)
