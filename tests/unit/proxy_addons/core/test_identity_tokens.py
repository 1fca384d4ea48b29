# SPDX-License-Identifier: Apache-2.0
"""Attack 24 of the corpus, row by row, and that no change to a good token gives another one."""

import base64
import hmac
import json
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import RSAKey

from policies.contracts.identity import SubjectType, TokenAlgorithm, TokenSubject
from policies.contracts.request import Subject
from proxy_addons.core.exchange import Credential, CredentialKind
from proxy_addons.core.identity_tokens import MAX_TOKEN_BYTES, TokenVerifier
from proxy_addons.core.issuer_keys import read_jwks
from proxy_addons.core.refused import Refused
from tests.tokens import EC, KEYS, NOW, RSA, URL, Told, claims, encoded, issuer, jwks, key_set, signed, token

AT = int(NOW.timestamp())


def verifier(*, told: Told | None = None, keys: dict[str, Any] | None = None, **changes: Any) -> TokenVerifier:
    return TokenVerifier(
        [issuer(**changes)], [key_set(published=keys)], tenant="default", on_unknown_key=told or Told()
    )


def code(text: str, *, now=NOW, **changes: Any) -> str | None:
    try:
        verifier(**changes).authenticate(text, now=now)
    except Refused as refused:
        return refused.code
    return None


@pytest.mark.parametrize(
    ("kid", "algorithm"),
    [
        ("rsa-1", "RS256"),
        ("rsa-1", "RS384"),
        ("rsa-1", "RS512"),
        ("rsa-1", "PS256"),
        ("rsa-1", "PS384"),
        ("rsa-1", "PS512"),
        ("ec-1", "ES256"),
        ("ec-384", "ES384"),
        ("ed-1", "EdDSA"),
    ],
)
def test_every_algorithm_of_the_issuer_is_verified(kid, algorithm):
    good = token(kid=kid, algorithm=algorithm)
    assert code(good) is None
    others = tuple(name for name in TokenAlgorithm if name != algorithm)
    assert code(good, algorithms=others) == "credentials-invalid"
    head, _, signature = good.rpartition(".")
    flipped = encoded(
        bytes([base64.urlsafe_b64decode(signature + "==")[0] ^ 1]) + base64.urlsafe_b64decode(signature + "==")[1:]
    )
    assert code(f"{head}.{flipped}") == "credentials-invalid"


def test_a_token_names_its_subject_and_groups():
    found = verifier().authenticate(token(groups=["/ml/staff", "/nobody", "/ml/leads", "/ml/staff"]), now=NOW)
    assert found.subject == Subject(type="user", id="alice", groups=("corp-leads", "corp-staff"))
    assert found.kind is CredentialKind.TOKEN
    assert found.key_id.startswith("corp:")
    assert "rsa-1" not in found.key_id


PUBLIC_PEM = RSA.public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
ATTACKER = RSAKey.generate_key(2048)
PUBLIC_JWK = ATTACKER.as_dict(private=False)
OVER = signed({"alg": "RS256", "kid": "rsa-1"}, claims(pad="x" * MAX_TOKEN_BYTES), RSA, algorithm="RS256")
TWICE_IN_HEADER = b'{"alg":"RS256","kid":"attacker","kid":"rsa-1"}'
TWICE_IN_CLAIMS = json.dumps(claims()).encode()[:-1] + b',"sub":"root"}'


def with_secret(secret: bytes) -> str:
    """Sign with a shared secret: with what a verifier that trusts the header would take its public key for."""
    signed_text = unsigned("HS256").rpartition(".")[0]
    return f"{signed_text}.{encoded(hmac.digest(secret, signed_text.encode(), 'sha256'))}"


def unsigned(algorithm: str) -> str:
    header = encoded(json.dumps({"alg": algorithm, "kid": "rsa-1"}).encode())
    return f"{header}.{encoded(json.dumps(claims()).encode())}."


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(unsigned("none"), id="alg-none"),
        pytest.param(unsigned("None"), id="alg-none-in-another-case"),
        pytest.param(token(header={"alg": "none"}), id="alg-none-with-a-signature"),
        pytest.param(with_secret(PUBLIC_PEM), id="hs256-with-the-public-key-as-its-secret"),
        pytest.param(token(key=ATTACKER), id="a-key-of-the-attackers-own"),
        pytest.param(token(key=ATTACKER, header={"jwk": PUBLIC_JWK}), id="a-key-in-the-header"),
        pytest.param(token(header={"jku": "https://evil.example/keys"}), id="jku"),
        pytest.param(token(header={"x5u": "https://evil.example/cert"}), id="x5u"),
        pytest.param(token(header={"x5c": ["MIIB"]}), id="x5c"),
        pytest.param(token(header={"crit": ["exp"]}), id="crit"),
        pytest.param(token(header={"crit": ["b64"], "b64": False}), id="unencoded-payload"),
        pytest.param(token(header={"kid": "../../keys/rsa-1"}), id="kid-is-a-path"),
        pytest.param(token(header={"kid": "https://evil.example/rsa-1"}), id="kid-is-a-url"),
        pytest.param(token(header={"kid": "rsa-1\u0000"}), id="kid-with-nul"),
        pytest.param(token(header={"kid": "RSA-1"}), id="kid-in-another-case"),
        pytest.param(token(header={"kid": ["rsa-1"]}), id="kid-is-a-list"),
        pytest.param(token(header={"kid": None}), id="kid-is-null"),
        pytest.param(signed({"alg": "RS256"}, claims(), RSA, algorithm="RS256"), id="no-kid"),
        pytest.param(token(header={"kid": "ec-1"}), id="kid-of-another-kind-of-key"),
        pytest.param(token(header={"alg": "ES256"}), id="algorithm-that-does-not-fit-the-key"),
        pytest.param(token(header={"alg": "PS256"}), id="another-padding-than-signed"),
        pytest.param(token(header={"alg": ["RS256"]}), id="alg-is-a-list"),
        pytest.param(token(header={"typ": "logout+jwt"}), id="another-kind-of-token"),
        pytest.param(token(header={"typ": 1}), id="typ-is-a-number"),
        pytest.param(signed(TWICE_IN_HEADER, claims(), RSA, algorithm="RS256"), id="member-twice-in-the-header"),
        pytest.param(
            signed({"alg": "RS256", "kid": "rsa-1"}, TWICE_IN_CLAIMS, RSA, algorithm="RS256"),
            id="member-twice-in-claims",
        ),
        pytest.param(signed({"alg": "RS256", "kid": "rsa-1"}, b"[]", RSA, algorithm="RS256"), id="claims-are-a-list"),
        pytest.param(
            signed({"alg": "RS256", "kid": "rsa-1"}, b"\xff", RSA, algorithm="RS256"), id="claims-are-no-text"
        ),
        pytest.param(
            signed(b'\xef\xbb\xbf{"alg":"RS256","kid":"rsa-1"}', claims(), RSA, algorithm="RS256"), id="byte-order-mark"
        ),
        pytest.param(OVER, id="too-large"),
        pytest.param(token(exp=None), id="no-exp"),
        pytest.param(token(iat=None), id="no-iat"),
        pytest.param(token(aud=None), id="no-aud"),
        pytest.param(token(iss=None), id="no-iss"),
        pytest.param(token(sub=None), id="no-sub"),
        pytest.param(token(iss=URL + "/"), id="issuer-with-a-slash"),
        pytest.param(token(iss=["https://login.example.com"]), id="issuer-is-a-list"),
        pytest.param(token(aud="gatehouse2"), id="audience-of-another"),
        pytest.param(token(aud=["x", 1]), id="audiences-of-others"),
        pytest.param(token(aud={"gatehouse": 1}), id="audience-is-an-object"),
        pytest.param(token(exp=str(AT + 600)), id="exp-is-a-text"),
        pytest.param(token(exp=True), id="exp-is-true"),
        pytest.param(token(exp=2**62), id="exp-beyond-the-calendar"),
        pytest.param(token(exp=-1), id="exp-before-1970"),
        pytest.param(token(exp=AT - 1, iat=AT), id="exp-before-iat"),
        pytest.param(token(exp=AT + 3601), id="a-lifetime-above-the-issuers"),
        pytest.param(token(iat=AT + 31), id="issued-in-the-future"),
        pytest.param(token(nbf=AT + 31), id="not-valid-yet"),
        pytest.param(token(nbf="now"), id="nbf-is-a-text"),
        pytest.param(token(sub=""), id="no-name"),
        pytest.param(token(sub="alice\n"), id="a-name-with-a-line-end"),
        pytest.param(token(sub="alice:admin"), id="a-name-with-a-colon"),
        pytest.param(token(sub="group:staff"), id="a-group-as-name"),
        pytest.param(token(sub="*"), id="everybody-as-name"),
        pytest.param(token(sub="a" * 129), id="a-name-too-long"),
        pytest.param(token(sub="аlice"), id="a-name-in-cyrillic"),
        pytest.param(token(sub={"x": 1}), id="a-name-that-is-an-object"),
        pytest.param(token(groups=[{"a": 1}]), id="a-group-that-is-an-object"),
        pytest.param(token(groups={"/ml/staff": True}), id="groups-are-an-object"),
        pytest.param(token() + ".", id="four-parts"),
        pytest.param(token() + "=", id="padding"),
        pytest.param(token().replace(".", "..", 1), id="an-empty-part"),
        pytest.param(token().replace(".", ". ", 1), id="a-space"),
        pytest.param("a.b.c", id="no-json"),
        pytest.param("..", id="nothing"),
        pytest.param("é.b.c", id="no-ascii"),
    ],
)
def test_what_is_not_a_good_token_of_the_issuer_is_invalid(text):
    assert code(text) == "credentials-invalid"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(token(), id="plain"),
        pytest.param(token(header={"typ": "at+jwt"}), id="an-access-token"),
        pytest.param(token(header={"typ": "JwT"}), id="typ-in-another-case"),
        pytest.param(signed({"alg": "RS256", "kid": "rsa-1"}, claims(), RSA, algorithm="RS256"), id="no-typ"),
        pytest.param(token(aud=["x", "other"]), id="one-of-several-audiences"),
        pytest.param(token(nbf=AT + 30, iat=AT + 30, exp=AT + 60), id="as-early-as-the-skew-permits"),
        pytest.param(token(iat=AT - 600, exp=AT - 29), id="as-late-as-the-skew-permits"),
        pytest.param(token(exp=AT + 600.5), id="half-a-second"),
        pytest.param(token(groups="/ml/staff"), id="one-group-as-a-text"),
        pytest.param(token(x5t="abc", header={"x5t": "abc"}), id="a-thumbprint-that-nobody-follows"),
    ],
)
def test_what_is_good_is_taken(text):
    assert code(text) is None


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param(token(iat=AT - 600, exp=AT - 30), "credentials-expired", id="expired-beyond-the-skew"),
        pytest.param(token(iat=AT - 600, exp=AT - 30, key=ATTACKER), "credentials-invalid", id="forged-and-expired"),
        pytest.param(token(iat=AT - 600, exp=AT - 30, aud="x"), "credentials-invalid", id="of-another-and-expired"),
    ],
)
def test_only_the_holder_of_a_token_is_told_that_it_expired(text, want):
    assert code(text) == want


def test_the_tenant_must_be_ours_where_tokens_name_one():
    assert code(token(tenant="default"), tenant_claim="tenant") is None
    for other in ("default2", None, ["default"]):
        assert code(token(tenant=other), tenant_claim="tenant") == "credentials-invalid"


def test_a_prefix_keeps_the_subjects_of_an_issuer_apart():
    subject = TokenSubject(claim="azp", type=SubjectType.SERVICE, prefix="corp.")
    found = verifier(subject=subject).authenticate(token(azp="ci"), now=NOW)
    assert str(found.subject) == "service:corp.ci"
    assert code(token(azp="a" * 124), subject=subject) == "credentials-invalid"


def test_without_keys_or_with_old_ones_the_issuer_is_unavailable():
    without = TokenVerifier([issuer()], [], tenant="default", on_unknown_key=Told())
    with pytest.raises(Refused) as refused:
        without.authenticate(token(), now=NOW)
    assert refused.value.code == "issuer-unavailable"
    late = NOW + timedelta(seconds=600)
    fresh = token(iat=AT + 600, exp=AT + 900)
    assert code(fresh, now=late, max_key_age_s=601) is None
    assert code(fresh, now=late, max_key_age_s=600) == "issuer-unavailable"


def test_keys_of_another_source_are_not_those_that_policy_trusts():
    assert code(token(), jwks="https://login.example.com/keys") == "issuer-unavailable"


def test_a_remembered_token_ends_with_itself_and_with_its_keys():
    remembering = verifier(max_key_age_s=620)
    good = token(exp=AT + 600)
    first = remembering.authenticate(good, now=NOW)
    assert remembering.authenticate(good, now=NOW + timedelta(seconds=619)) is first
    with pytest.raises(Refused) as refused:
        remembering.authenticate(good, now=NOW + timedelta(seconds=620))
    assert refused.value.code == "issuer-unavailable"
    short = verifier()
    short.authenticate(good, now=NOW)
    with pytest.raises(Refused) as refused:
        short.authenticate(good, now=NOW + timedelta(seconds=630))
    assert refused.value.code == "credentials-expired"


def test_what_is_remembered_is_the_whole_token():
    remembering = verifier()
    good = token()
    remembering.authenticate(good, now=NOW)
    for other in (good[:-1], good + "A", good[:-4] + "AAAA", good.swapcase()):
        with pytest.raises(Refused):
            remembering.authenticate(other, now=NOW)


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr("proxy_addons.core.identity_tokens._MAX_REMEMBERED", 3)
    bounded = verifier()
    for number in range(10):
        bounded.authenticate(token(kid="ed-1", algorithm="EdDSA", jti=str(number)), now=NOW)
    assert len(bounded._remembered) == 3


def test_an_unknown_key_is_told_once_a_second_and_only_of_a_known_issuer():
    told = Told()
    asked = verifier(told=told)
    for seconds, text in (
        (0, token(iss="https://evil.example", header={"kid": "x"})),
        (0, token(header={"kid": "a"})),
        (0.9, token(header={"kid": "b"})),
        (1.0, token(header={"kid": "c"})),
        (1.1, token(header={"alg": "HS256", "kid": "d"})),
    ):
        with pytest.raises(Refused):
            asked.authenticate(text, now=NOW + timedelta(seconds=seconds))
    assert told.issuers == [URL, URL]


def test_a_key_for_one_algorithm_signs_no_other():
    rs512 = json.loads(jwks({"rsa-1": RSA}))
    rs512["keys"][0]["alg"] = "RS512"

    keys = key_set(keys=None)
    keys = type(keys)(issuer=URL, source="discovery", fetched_at=NOW, keys=read_jwks(json.dumps(rs512).encode()))
    only = TokenVerifier([issuer()], [keys], tenant="default", on_unknown_key=Told())
    assert only.authenticate(token(algorithm="RS512"), now=NOW).subject.id == "alice"
    with pytest.raises(Refused):
        only.authenticate(token(), now=NOW)


GOOD = {kid: token(kid=kid, algorithm=name) for kid, name in (("rsa-1", "RS256"), ("ec-1", "ES256"), ("ed-1", "EdDSA"))}
MUTATED = verifier()


@given(kid=st.sampled_from(sorted(GOOD)), place=st.integers(0, 10**6), bit=st.integers(0, 6))
def test_no_flipped_bit_verifies(kid, place, bit):
    good = GOOD[kid].encode()
    flipped = bytearray(good)
    flipped[place % len(good)] ^= 1 << bit
    with pytest.raises(Refused):
        MUTATED.authenticate(flipped.decode("latin-1"), now=NOW)


@given(
    kid=st.sampled_from(sorted(GOOD)),
    swaps=st.dictionaries(
        st.sampled_from(["alg", "kid", "typ", "jku", "x", "crit"]),
        st.one_of(st.none(), st.sampled_from([*TokenAlgorithm, "none", "HS256", *KEYS, "JWT", "a"]), st.booleans()),
        min_size=1,
    ),
)
def test_no_other_header_verifies(kid, swaps):
    header, payload, signature = GOOD[kid].split(".")
    before = json.loads(base64.urlsafe_b64decode(header + "=="))
    if before | swaps == before:
        return
    with pytest.raises(Refused):
        MUTATED.authenticate(f"{encoded(json.dumps(before | swaps).encode())}.{payload}.{signature}", now=NOW)


@given(first=st.sampled_from(sorted(GOOD)), second=st.sampled_from(sorted(GOOD)), part=st.integers(0, 2))
def test_no_part_of_another_token_fits(first, second, part):
    if first == second:
        return
    parts, others = GOOD[first].split("."), GOOD[second].split(".")
    if parts[part] == others[part]:
        return
    parts[part] = others[part]
    with pytest.raises(Refused):
        MUTATED.authenticate(".".join(parts), now=NOW)


def test_a_credential_does_not_show_what_it_came_from():
    found = verifier().authenticate(GOOD["ec-1"], now=NOW)
    assert isinstance(found, Credential)
    assert GOOD["ec-1"] not in repr(found)
    assert EC.thumbprint() not in repr(found)
