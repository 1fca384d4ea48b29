# SPDX-License-Identifier: Apache-2.0
import json
from copy import deepcopy

import pytest

from policies.contracts.errors import PolicyRejected
from policies.contracts.identity import (
    CertificateField,
    CertificateRule,
    OnRevocation,
    SubjectType,
    TokenAlgorithm,
    TokenGroups,
    TokenSubject,
)
from policies.document.loader import load_documents

ISSUER = {
    "id": "corp",
    "issuer": "https://login.example.com",
    "audiences": ["gatehouse"],
    "algorithms": ["RS256", "EdDSA"],
    "jwks": "discovery",
}
EXACT = {"id": "batch", "field": "san-uri", "exact": "spiffe://example.com/batch", "subject": "service:batch"}
PREFIX = {"id": "workloads", "field": "cn", "prefix": "", "type": "user"}


def load(spec, **members):
    document = {"kind": "identity", "id": "login", "version": "1", "spec": spec} | members
    [loaded] = load_documents({"identity.json": json.dumps(document).encode()})
    return loaded.spec


def codes(spec, **members) -> set[tuple[str, str]]:
    with pytest.raises(PolicyRejected) as caught:
        load(spec, **members)
    assert all(found.fix for found in caught.value.diagnostics)
    return {(found.at.pointer, found.code) for found in caught.value.diagnostics}


def test_an_issuer_has_sane_defaults():
    [issuer] = load({"issuers": [ISSUER]}).issuers
    assert issuer.algorithms == (TokenAlgorithm.RS256, TokenAlgorithm.EDDSA)
    assert (issuer.clock_skew_s, issuer.max_lifetime_s, issuer.max_key_age_s) == (30, 86400, 86400)
    assert issuer.subject == TokenSubject(claim="sub", type=SubjectType.USER, prefix="")
    assert (issuer.groups, issuer.tenant_claim) == (None, "")


@pytest.mark.parametrize(
    ("spec", "want"),
    [
        pytest.param({"issuers": [ISSUER]}, OnRevocation.FINISH, id="left-out"),
        pytest.param({"issuers": [ISSUER], "on_revocation": "cut"}, OnRevocation.CUT, id="cut"),
        pytest.param({"on_revocation": "cut"}, OnRevocation.CUT, id="for-api-keys-alone"),
        pytest.param({"on_revocation": "finish"}, OnRevocation.FINISH, id="finish"),
    ],
)
def test_what_becomes_of_answers_under_way_is_read(spec, want):
    assert load(spec).on_revocation is want


def test_another_word_for_it_is_an_error():
    assert ("/spec/on_revocation", "unknown-value") in codes({"issuers": [ISSUER], "on_revocation": "now"})


def test_everything_that_can_be_said_is_read():
    [issuer] = load(
        {
            "issuers": [
                ISSUER
                | {
                    "clock_skew_s": 0,
                    "max_lifetime_s": 60,
                    "max_key_age_s": 600,
                    "jwks": "https://keys.example.com/v1?p=a",
                    "subject": {"claim": "azp", "type": "service", "prefix": "corp."},
                    "groups": {"claim": "roles", "names": {"/ml/staff": "corp-staff"}},
                    "tenant": {"claim": "tid"},
                }
            ]
        }
    ).issuers
    assert (issuer.clock_skew_s, issuer.max_lifetime_s, issuer.max_key_age_s) == (0, 60, 600)
    assert issuer.subject == TokenSubject(claim="azp", type=SubjectType.SERVICE, prefix="corp.")
    assert issuer.groups == TokenGroups(claim="roles", names={"/ml/staff": "corp-staff"})
    assert (issuer.jwks, issuer.tenant_claim) == ("https://keys.example.com/v1?p=a", "tid")


def test_certificates_name_a_subject_or_the_type_of_what_follows():
    assert load({"certificates": [EXACT, PREFIX]}).certificates == (
        CertificateRule(
            id="batch",
            field=CertificateField.SAN_URI,
            exact="spiffe://example.com/batch",
            subject="service:batch",
        ),
        CertificateRule(id="workloads", field=CertificateField.CN, prefix="", type=SubjectType.USER),
    )


@pytest.mark.parametrize(
    ("changes", "want"),
    [
        pytest.param({"algorithms": ["HS256"]}, ("/algorithms/0", "bad-algorithm"), id="a-shared-secret"),
        pytest.param({"algorithms": ["none"]}, ("/algorithms/0", "bad-algorithm"), id="no-signature"),
        pytest.param({"algorithms": []}, ("/algorithms", "too-few"), id="no-algorithm"),
        pytest.param({"audiences": []}, ("/audiences", "too-few"), id="no-audience"),
        pytest.param({"issuer": "http://login.example.com"}, ("/issuer", "bad-issuer"), id="plain-http"),
        pytest.param({"issuer": "https://a@login.example.com"}, ("/issuer", "bad-issuer"), id="a-user-in-the-url"),
        pytest.param({"issuer": "https://login.example.com/?x"}, ("/issuer", "bad-issuer"), id="a-query"),
        pytest.param({"issuer": "http://127.0.0.1.example.com"}, ("/issuer", "bad-issuer"), id="looks-like-loopback"),
        pytest.param({"jwks": "http://10.0.0.1/keys"}, ("/jwks", "bad-jwks"), id="keys-over-plain-http"),
        pytest.param({"jwks": "file:///etc/keys"}, ("/jwks", "bad-jwks"), id="keys-from-a-file"),
        pytest.param({"jwks": "https://a/#b"}, ("/jwks", "bad-jwks"), id="a-fragment"),
        pytest.param({"clock_skew_s": 301}, ("/clock_skew_s", "out-of-range"), id="too-much-skew"),
        pytest.param({"max_lifetime_s": 0}, ("/max_lifetime_s", "out-of-range"), id="no-lifetime"),
        pytest.param({"subject": {"type": "group"}}, ("/subject/type", "unknown-value"), id="a-group-as-subject"),
        pytest.param({"subject": {"prefix": "a:"}}, ("/subject/prefix", "bad-prefix"), id="a-prefix-no-name-has"),
        pytest.param({"groups": {"claim": "g", "names": {}}}, ("/groups/names", "too-few"), id="no-group"),
        pytest.param({"groups": {"claim": "g"}}, ("/groups", "member-missing"), id="any-group"),
        pytest.param(
            {"groups": {"claim": "g", "names": {"a": "b c"}}}, ("/groups/names/a", "bad-group"), id="bad-group"
        ),
        pytest.param({"leeway": 5}, ("", "unknown-member"), id="another-member"),
    ],
)
def test_an_issuer_that_cannot_be_meant_is_said_with_its_place(changes, want):
    pointer, code = want
    assert (f"/spec/issuers/0{pointer}", code) in codes({"issuers": [deepcopy(ISSUER) | changes]})


@pytest.mark.parametrize(
    ("rule", "want"),
    [
        pytest.param(EXACT | {"prefix": "x"}, "exact-or-prefix", id="both"),
        pytest.param({"id": "a", "field": "cn", "subject": "user:a"}, "exact-or-prefix", id="neither"),
        pytest.param({"id": "a", "field": "cn", "exact": "a"}, "member-missing", id="nobody"),
        pytest.param(PREFIX | {"subject": "user:a"}, "unknown-member", id="a-prefix-for-one-subject"),
        pytest.param(EXACT | {"field": "email"}, "unknown-value", id="another-field"),
        pytest.param(EXACT | {"subject": "group:staff"}, "bad-member", id="a-group"),
    ],
)
def test_a_certificate_rule_that_cannot_be_meant_is_said(rule, want):
    assert want in {code for _, code in codes({"certificates": [rule]})}


def test_everything_wrong_is_said_at_once():
    wrong = {"issuers": [ISSUER | {"algorithms": ["HS256"]}, ISSUER], "certificates": [EXACT, EXACT]}
    assert {code for _, code in codes(wrong, mode="observe")} == {"bad-algorithm", "duplicate-id", "unknown-member"}


def test_nobody_is_no_policy():
    assert codes({}) == {("/spec", "identifies-nobody")}
