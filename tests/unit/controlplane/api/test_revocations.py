# SPDX-License-Identifier: Apache-2.0
"""What is revoked stands in a small document of its own, in one transaction, and it is said who enforces it."""

from datetime import timedelta

import pytest

from controlplane.services.feeds import Feed
from policies.bundle.revocations import RevocationsDocument, RevokedToken, verify_revocations
from tests.control_planes import make_plane, sqlite_url
from tests.unit.controlplane.api.test_api_keys import published

JTI = {"issuer": "https://id.example", "jti": "a-1"}
DIGEST = "a" * 64


@pytest.fixture
def under_test(tmp_path):
    return make_plane(sqlite_url(tmp_path))


def revoked(under_test) -> RevocationsDocument:
    artifact = under_test.plane.feeds.artifact(Feed.REVOCATIONS, tenant="default", environment="production")
    keys = {"gatehouse-1": under_test.public_key}
    return verify_revocations(artifact.content, keys=keys, tenant="default", environment="production")


def make_key(under_test, **members) -> str:
    return under_test.call("POST", "/v1/api-keys", "admin", json={"subject": "user:alice", **members}).json["id"]


def revoke(under_test, role="admin", **members):
    return under_test.call("POST", "/v1/revoked-tokens", role, json=members)


def report(under_test, epoch: int | None) -> None:
    worker = {"slot": 0, "pid": 1, "serial": 1, "revision": "r", "epoch": 1, "error": None}
    told = {"node_id": "node-1", "version": "1", "guard_engine": "opa"}
    workers = [worker if epoch is None else worker | {"revocations_epoch": epoch}]
    answer = under_test.call("POST", "/v1/agents/node-1/status", "agent", json=told | {"workers": workers})
    assert answer.status_code == 200, answer.json


def test_a_new_environment_has_revoked_nothing_at_epoch_1(under_test):
    document = revoked(under_test)
    assert (document.epoch, document.keys, document.subjects, document.tokens) == (1, (), (), ())


def test_a_revoked_key_and_a_blocked_subject_are_in_it(under_test):
    key_id = make_key(under_test)
    assert revoked(under_test).epoch == 1  # a key that was made revokes nothing
    assert under_test.call("DELETE", f"/v1/api-keys/{key_id}", "admin").status_code == 204
    assert (revoked(under_test).keys, revoked(under_test).epoch) == ((key_id,), 2)
    assert under_test.call("PUT", "/v1/blocked-subjects/user:bob", "admin").status_code == 204
    assert revoked(under_test).subjects == ("user:bob",)
    assert under_test.call("DELETE", "/v1/blocked-subjects/user:bob", "admin").status_code == 204
    assert (revoked(under_test).subjects, published(under_test).blocked) == ((), ())


def test_without_a_node_that_follows_the_credentials_say_it_at_once(under_test):
    key_id = make_key(under_test)
    report(under_test, None)
    under_test.call("DELETE", f"/v1/api-keys/{key_id}", "admin")
    assert [key.revoked for key in published(under_test).keys] == [True]


def test_where_every_node_follows_the_credentials_say_it_later_and_once(under_test):
    ids = [make_key(under_test) for _ in range(3)]
    before = published(under_test).epoch
    report(under_test, 1)
    for key_id in ids:
        under_test.call("DELETE", f"/v1/api-keys/{key_id}", "admin")
    assert published(under_test).epoch == before
    assert revoked(under_test).keys == tuple(sorted(ids))
    under_test.plane.revocations.follow_up()
    under_test.plane.revocations.follow_up()
    assert published(under_test).epoch == before + 1
    assert all(key.revoked for key in published(under_test).keys)
    assert revoked(under_test).keys == tuple(sorted(ids))  # whoever has older credentials must not let them in


@pytest.mark.parametrize(
    ("members", "want"),
    [
        pytest.param(JTI, {"tokens": (RevokedToken(**JTI),)}, id="by-its-id"),
        pytest.param({"sha256": DIGEST}, {"digests": (DIGEST,)}, id="by-its-digest"),
    ],
)
def test_a_token_is_revoked_and_taken_back(under_test, members, want):
    made = revoke(under_test, **members, reason="stolen")
    assert made.status_code == 201
    assert {name: getattr(revoked(under_test), name) for name in want} == want
    [item] = under_test.call("GET", "/v1/revoked-tokens", "auditor").json["items"]
    assert (item["id"], item["reason"], item["revoked_by"]) == (made.json["id"], "stolen", "admin")
    assert under_test.call("DELETE", f"/v1/revoked-tokens/{item['id']}", "admin").status_code == 204
    assert not any(getattr(revoked(under_test), name) for name in want)
    again = under_test.call("DELETE", f"/v1/revoked-tokens/{item['id']}", "admin")
    assert (again.status_code, again.json["code"]) == (404, "revocation-unknown")


def test_all_that_a_subject_had_before_a_time_is_revoked_its_keys_for_good(under_test):
    old = make_key(under_test)
    now = under_test.plane.revocations.clock()
    at = (now + timedelta(seconds=60)).isoformat()
    made = revoke(under_test, subject="user:alice", issued_before=at).json
    document = revoked(under_test)
    assert [each.subject for each in document.issued_before] == ["user:alice"]
    assert document.keys == (old,)
    under_test.call("DELETE", f"/v1/revoked-tokens/{made['id']}", "admin")
    assert (revoked(under_test).issued_before, revoked(under_test).keys) == ((), (old,))


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        pytest.param({}, "", id="nothing"),
        pytest.param({"issuer": "https://id.example"}, "", id="no-jti"),
        pytest.param(JTI | {"sha256": DIGEST}, "", id="two-ways"),
        pytest.param({"subject": "user:alice"}, "", id="no-time"),
        pytest.param({"subject": "alice", "issued_before": "2026-01-01T00:00:00Z"}, "/subject", id="no-subject"),
        pytest.param({"subject": "user:a", "issued_before": "2999-01-01T00:00:00Z"}, "/issued_before", id="to-come"),
        pytest.param(JTI | {"expires_at": "2020-01-01T00:00:00Z"}, "/expires_at", id="expired"),
    ],
)
def test_what_does_not_name_one_token_is_refused(under_test, members, pointer):
    answer = revoke(under_test, **members)
    assert answer.status_code == 400
    assert [problem["pointer"] for problem in answer.json["errors"]] == [pointer]
    assert revoked(under_test).epoch == 1


def test_another_environment_is_not_there(under_test):
    assert revoke(under_test, environment="nowhere", **JTI).json["code"] == "environment-unknown"
    answer = under_test.call("GET", "/v1/environments/nowhere/revocations", "auditor")
    assert (answer.status_code, answer.json["code"]) == (404, "environment-unknown")


def test_it_is_said_which_worker_enforces_which_epoch(under_test):
    report(under_test, 1)
    revoke(under_test, **JTI)
    told = under_test.call("GET", "/v1/environments/production/revocations", "auditor").json
    assert (told["epoch"], told["enforced"], told["tokens"]) == (2, False, 1)
    assert told["workers"] == [{"node": "node-1", "slot": "0", "epoch": 1, "enforces": False}]
    assert 0 < told["document_bytes"] < 1000
    report(under_test, 2)
    assert under_test.call("GET", "/v1/environments/production/revocations", "auditor").json["enforced"] is True
    report(under_test, None)
    told = under_test.call("GET", "/v1/environments/production/revocations", "auditor").json
    assert (told["enforced"], told["workers"][0]["epoch"]) == (False, None)


def test_only_the_admin_revokes(under_test):
    assert [revoke(under_test, role, **JTI).status_code for role in ("author", "auditor", "agent")] == [403] * 3
