# SPDX-License-Identifier: Apache-2.0
"""`gatehouse release` from draft to approval, and `gatehouse environment rules`."""

import json

import pytest

from tests.control_planes import ACCESS, ROUTES, TOKENS


def shown(result):
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


@pytest.fixture
def released(under_test, gatehouse, home):
    with under_test.store.write() as session:
        session.environments.ensure("default", "staging")
    for source in (ACCESS, ROUTES):
        under_test.call("POST", "/v1/policies", "author", json={"source": source})
    (home / "keys").mkdir()
    (home / "keys" / "bundle-signing.pub.pem").write_bytes(under_test.public_key)
    return shown(gatehouse("release", "make", "--environment", "staging", "-m", "the first", "--json"))["id"]


def test_a_release_is_made_for_an_environment_and_shown(gatehouse, released):
    assert "staging" in gatehouse("release", "list").stdout
    text = gatehouse("release", "show", released).stdout
    for want in ("the first", "0 of 1", "chat-access", "openai-routes"):
        assert want in text
    assert shown(gatehouse("release", "show", released, "--json"))["evidence"] == []
    made = gatehouse("release", "make", "--environment", "staging")
    assert "gatehouse activate rel_" in made.stdout
    assert "--environment staging" in made.stdout


def test_approving_and_rejecting_say_of_what_and_are_listed(gatehouse, released):
    given = gatehouse("release", "approve", released, "-m", "looks right")
    assert "is approved for staging" in given.stdout
    approval = given.stdout.split()[-1]
    assert gatehouse("release", "withdraw", released, approval).stdout == f"{approval} is withdrawn\n"
    assert shown(gatehouse("release", "reject", released, "-m", "too wide", "--json"))["verdict"] == "reject"
    listed = gatehouse("release", "approvals", released).stdout
    assert ("withdrawn" in listed, "too wide" in listed) == (True, True)
    assert shown(gatehouse("release", "show", released, "--json"))["standing"]["rejected_by"] == ["approver"]


def test_an_approval_of_what_somebody_did_not_look_at_is_refused(gatehouse, released):
    refused = gatehouse("release", "approve", released, "--revision", "sha256:0", "--json")
    assert (refused.exit_code, json.loads(refused.stdout)["code"]) == (1, "revision-differs")


def test_a_release_is_promoted(gatehouse, released):
    promoted = shown(gatehouse("release", "promote", released, "production", "--json"))
    assert (promoted["environment"], promoted["promoted_from"]) == ("production", released)


def test_what_was_signed_is_verified(gatehouse, released):
    assert f"{released} is what author released for staging" in gatehouse("release", "verify", released).stdout
    assert shown(gatehouse("release", "verify", released, "--json"))["tests"]["count"] == 1


def test_a_manifest_of_another_key_or_another_release_is_not_believed(under_test, gatehouse, released, home, tmp_path):
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    other = tmp_path / "other.pem"
    other.write_bytes(
        ec.generate_private_key(ec.SECP256R1())
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    assert "signature-invalid" in gatehouse("release", "verify", released, "--public-key", other).stderr
    both = ("--public-key", other, "--public-key", home / "keys" / "bundle-signing.pub.pem")
    assert gatehouse("release", "verify", released, *both).exit_code == 0
    other.write_text("no key")
    assert gatehouse("release", "verify", released, "--public-key", other).exit_code == 1
    from sqlalchemy import update

    from controlplane.store.tables import releases

    with under_test.store._engine.begin() as connection:
        connection.execute(update(releases).values(author="somebody"))
    refused = gatehouse("release", "verify", released)
    assert (refused.exit_code, "author" in refused.stderr) == (1, True)


def test_rules_are_shown_and_changed(gatehouse, released):
    assert "approvals_required" in gatehouse("environment", "rules").stdout
    changes = ("approvals_required=2", "approver_roles=admin,approver", "promote_from=staging", "max_staleness_s=600")
    kept = shown(gatehouse("environment", "rules", "production", *(f"--set={each}" for each in changes), "--json"))
    assert kept["rules"]["approver_roles"] == ["admin", "approver"]
    again = shown(gatehouse("environment", "rules", "production", "--set", "max_staleness_s=null", "--json"))
    assert (again["rules"]["max_staleness_s"], again["rules"]["approvals_required"]) == (None, 2)
    assert gatehouse("environment", "rules", "--set", "nonsense").exit_code == 2
    assert gatehouse("environment", "rules", "--set", "nonsense=1").exit_code == 1
    assert TOKENS["admin"] not in gatehouse("environment", "rules").stdout
