# SPDX-License-Identifier: Apache-2.0
"""Who would know the caller, and whether the credential's scope has the request."""

import pytest

from policies.contracts.identity import (
    DISCOVERY,
    CertificateField,
    CertificateRule,
    IdentityPolicy,
    Issuer,
    SubjectType,
    TokenAlgorithm,
    TokenSubject,
)
from policies.contracts.scope import Scope
from policies.evaluation.explaining_credentials import AskedCredential, credential_stages
from tests.unit.policies.evaluation.test_pipeline import REQUEST, snapshot

ISSUER = Issuer(
    id="corp",
    issuer="https://id.example",
    audiences=("gatehouse",),
    algorithms=(TokenAlgorithm.ES256,),
    jwks=DISCOVERY,
    clock_skew_s=60,
    max_lifetime_s=3600,
    max_key_age_s=3600,
    subject=TokenSubject(),
    groups=None,
    tenant_claim="",
)
JOBS = CertificateRule(id="jobs", field=CertificateField.SAN_DNS, prefix="job-", type=SubjectType.SERVICE)
ROOT = CertificateRule(id="root", field=CertificateField.CN, exact="root", subject="user:root")
POLICY = snapshot(identity=(IdentityPolicy(id="people", version="1", issuers=(ISSUER,), certificates=(JOBS, ROOT)),))


@pytest.mark.parametrize(
    ("credential", "rules"),
    [
        pytest.param({"issuer": "https://id.example"}, ["corp"], id="its-issuer"),
        pytest.param({"issuer": "https://id.example", "audience": "gatehouse"}, ["corp"], id="for-us"),
        pytest.param({"issuer": "https://id.example", "audience": "others"}, [], id="for-others"),
        pytest.param({"issuer": "https://evil.example"}, [], id="another-issuer"),
        pytest.param({"field": CertificateField.SAN_DNS, "name": "job-1"}, ["jobs"], id="a-prefix"),
        pytest.param({"field": CertificateField.SAN_DNS, "name": "job-"}, [], id="no-name-behind-the-prefix"),
        pytest.param({"field": CertificateField.CN, "name": "job-1"}, [], id="another-field"),
        pytest.param({"field": CertificateField.CN, "name": "root"}, ["root"], id="exact"),
    ],
)
def test_the_rules_that_know_the_caller_are_named(credential, rules):
    identity, _ = credential_stages(AskedCredential(**credential), REQUEST, POLICY)
    assert [rule.rule for said in identity.said for rule in said.rules] == rules
    assert (identity.verdict, identity.reason is None) == (("pass", True) if rules else ("refuse", False))


@pytest.mark.parametrize(
    ("scope", "verdict"),
    [
        pytest.param(Scope(), "pass", id="none"),
        pytest.param(Scope(operations=("chat.completions",), models=("parrot",)), "pass", id="within"),
        pytest.param(Scope(operations=("embeddings",)), "refuse", id="another-operation"),
        pytest.param(Scope(models=("owl",)), "refuse", id="another-model"),
    ],
)
def test_the_scope_of_a_key_narrows(scope, verdict):
    identity, of_scope = credential_stages(AskedCredential(scope=scope), REQUEST, POLICY)
    assert (identity.verdict, of_scope.verdict) == ("pass", verdict)
    assert (of_scope.reason is None) == (verdict == "pass")
