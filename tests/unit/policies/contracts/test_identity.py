# SPDX-License-Identifier: Apache-2.0
import json
from dataclasses import replace

import pytest

from policies.contracts.codec import canonical_bytes
from policies.contracts.identity import (
    CertificateField,
    CertificateRule,
    IdentityPolicy,
    Issuer,
    OnRevocation,
    SubjectType,
    TokenAlgorithm,
    TokenGroups,
    TokenSubject,
)
from policies.contracts.snapshot import PolicySnapshot
from tests.unit.policies.bundle.bundles import make_snapshot

POLICY = IdentityPolicy(
    id="login",
    version="1",
    issuers=(
        Issuer(
            id="corp",
            issuer="https://login.example.com",
            audiences=("gatehouse",),
            algorithms=(TokenAlgorithm.RS256,),
            jwks="discovery",
            clock_skew_s=30,
            max_lifetime_s=60,
            max_key_age_s=600,
            subject=TokenSubject(type=SubjectType.SERVICE),
            groups=TokenGroups(claim="groups", names={"a": "b"}),
            tenant_claim="",
        ),
    ),
    certificates=(CertificateRule(id="a", field=CertificateField.CN, prefix="", type=SubjectType.USER),),
)


def as_read(snapshot: PolicySnapshot) -> dict:
    return json.loads(canonical_bytes(snapshot.to_json()))


def test_identity_survives_the_way_through_the_bundle():
    snapshot = replace(make_snapshot(), identity=(POLICY,))
    assert PolicySnapshot.from_json(as_read(snapshot)) == snapshot


def test_a_snapshot_without_identity_is_what_it_was_before_there_was_such_a_kind():
    assert "identity" not in make_snapshot().to_json()
    assert PolicySnapshot.from_json(as_read(make_snapshot())) == make_snapshot()


def test_what_is_cut_is_said_only_where_it_is():
    cutting = replace(make_snapshot(), identity=(replace(POLICY, on_revocation=OnRevocation.CUT),))
    assert PolicySnapshot.from_json(as_read(cutting)) == cutting
    assert as_read(cutting)["identity"][0]["on_revocation"] == "cut"
    assert "on_revocation" not in as_read(replace(make_snapshot(), identity=(POLICY,)))["identity"][0]


def test_another_word_for_what_becomes_of_answers_is_refused():
    raw = as_read(replace(make_snapshot(), identity=(POLICY,)))
    raw["identity"][0]["on_revocation"] = "wait"
    with pytest.raises(ValueError, match="valid"):
        PolicySnapshot.from_json(raw)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda issuer: issuer.update(algorithms=["HS256"]), id="another-algorithm"),
        pytest.param(lambda issuer: issuer.update(trust_all=True), id="an-unknown-member"),
        pytest.param(lambda issuer: issuer.pop("max_lifetime_s"), id="a-missing-member"),
        pytest.param(lambda issuer: issuer["subject"].update(type="group"), id="another-type"),
    ],
)
def test_what_is_not_known_is_refused(change):
    raw = as_read(replace(make_snapshot(), identity=(POLICY,)))
    change(raw["identity"][0]["issuers"][0])
    with pytest.raises(ValueError, match=r"member|valid"):
        PolicySnapshot.from_json(raw)
