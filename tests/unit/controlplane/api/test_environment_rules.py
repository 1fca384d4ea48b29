# SPDX-License-Identifier: Apache-2.0
import pytest

from tests.control_planes import make_plane, sqlite_url

RULES = "/v1/environments/production/rules"


@pytest.fixture
def under_test(tmp_path):
    made = make_plane(sqlite_url(tmp_path))
    with made.store.write() as session:
        session.environments.ensure("default", "staging")
    return made


def put(under_test, body, *, etag="*", role="admin"):
    return under_test.call("PUT", RULES, role, json=body, headers={"If-Match": etag})


def test_without_rules_an_environment_is_as_before_there_were_any(under_test):
    got = under_test.call("GET", RULES, "approver")
    assert (got.status_code, got.headers["ETag"]) == (200, '"0"')
    assert (got.json["version"], got.json["set_by"], got.json["set_at"]) == (0, "", None)
    assert got.json["rules"] == {
        "approvals_required": 1,
        "approver_roles": ["approver"],
        "promote_from": None,
        "gate_suite": False,
        "gate_must_refuse": False,
        "untested_needs_reason": False,
        "acknowledge_within_s": 30,
        "max_staleness_s": None,
        "when_stale": "deny",
        "posture_every_s": 300,
    }


def test_what_is_set_is_kept_and_noted_with_what_changed(under_test):
    body = {"approvals_required": 2, "approver_roles": ["approver", "admin", "admin"], "promote_from": "staging"}
    made = put(under_test, body, etag='"0"')
    assert (made.status_code, made.headers["ETag"]) == (200, '"1"')
    assert made.json["rules"]["approver_roles"] == ["admin", "approver"]
    assert made.json["rules"]["untested_needs_reason"] is True
    assert under_test.call("GET", RULES, "auditor").json == made.json
    event = under_test.call("GET", "/v1/admin-events", "auditor").json["items"][-1]
    assert (event["action"], event["target"], event["detail"]["version"]) == ("environment_rules_set", "production", 1)
    assert event["detail"]["changed"]["approvals_required"] == {"from": 1, "to": 2}
    assert "posture_every_s" not in event["detail"]["changed"]


def test_a_change_says_which_rules_it_starts_from(under_test):
    assert under_test.call("PUT", RULES, "admin", json={}).json["code"] == "if-match-missing"
    assert put(under_test, {}, etag='"0"').status_code == 200
    lost = put(under_test, {"approvals_required": 2}, etag='"0"')
    assert (lost.status_code, lost.json["code"]) == (412, "state-changed")
    assert put(under_test, {}, etag='"1"').headers["ETag"] == '"2"'


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        pytest.param({"promote_from": "production"}, "/promote_from", id="promoted from itself"),
        pytest.param({"promote_from": "nowhere"}, "/promote_from", id="promoted from an environment that is not"),
        pytest.param({"gate_suite": True}, "/gate_suite", id="a gate without a place to pass it"),
        pytest.param({"gate_must_refuse": True}, "/gate_must_refuse", id="the other gate likewise"),
        pytest.param({"approvals_required": 0}, "/approvals_required", id="nobody needs to approve"),
        pytest.param({"approvals_required": 11}, "/approvals_required", id="more than can be found"),
        pytest.param({"approver_roles": []}, "/approver_roles", id="nobody may approve"),
        pytest.param({"approver_roles": ["agent"]}, "/approver_roles/0", id="a program may approve"),
        pytest.param({"untested_needs_reason": 1}, "/untested_needs_reason", id="a number for a truth"),
        pytest.param({"when_stale": "allow"}, "/when_stale", id="an unknown word"),
        pytest.param({"max_staleness_s": 0}, "/max_staleness_s", id="always stale"),
        pytest.param({"approvals": 2}, "/approvals", id="an unknown member"),
    ],
)
def test_rules_that_cannot_be_kept_are_refused_by_name(under_test, body, pointer):
    answer = put(under_test, body)
    assert answer.status_code == 400, answer.text
    assert pointer in [error["pointer"] for error in answer.json["errors"]]
    assert under_test.call("GET", RULES, "admin").headers["ETag"] == '"0"'


def test_rules_are_of_one_environment_that_exists(under_test):
    assert put(under_test, {"approvals_required": 3}).status_code == 200
    assert under_test.call("GET", "/v1/environments/staging/rules", "admin").headers["ETag"] == '"0"'
    for method in ("GET", "PUT"):
        answer = under_test.call(method, "/v1/environments/x/rules", "admin", json={}, headers={"If-Match": "*"})
        assert (answer.status_code, answer.json["code"]) == (404, "environment-unknown")


def test_only_the_admin_sets_rules(under_test):
    for role in ("author", "approver", "auditor"):
        assert put(under_test, {}, role=role).status_code == 403
