# SPDX-License-Identifier: Apache-2.0
"""Keys through the API, and what the nodes are told of them: the signed document is what a proxy goes by."""

from datetime import timedelta

import pytest

from controlplane.services.feeds import Feed
from policies.bundle.credentials import ApiKey, CredentialsDocument, hash_api_key, verify_credentials
from policies.contracts.scope import UNSCOPED, Scope
from tests.control_planes import PlaneUnderTest, make_plane, sqlite_url
from tests.records import NOON


@pytest.fixture
def under_test(tmp_path):
    return make_plane(sqlite_url(tmp_path))


def make(under_test: PlaneUnderTest, **members):
    made = under_test.call("POST", "/v1/api-keys", "admin", json={"subject": "user:alice", **members})
    assert made.status_code == 201, made.text
    return made.json


def rotate(under_test: PlaneUnderTest, key_id: str, **body):
    return under_test.call("POST", f"/v1/api-keys/{key_id}:rotate", "admin", json=body)


def published(under_test: PlaneUnderTest) -> CredentialsDocument:
    artifact = under_test.plane.feeds.artifact(Feed.CREDENTIALS, tenant="default", environment="production")
    keys = {"gatehouse-1": under_test.public_key}
    return verify_credentials(artifact.content, keys=keys, tenant="default", environment="production")


def published_key(under_test: PlaneUnderTest, key_id: str) -> ApiKey:
    return next(key for key in published(under_test).keys if key.id == key_id)


def test_a_key_is_shown_once_and_published_by_its_hash(under_test):
    made = make(under_test)
    assert made["key"].startswith(f"gh_{made['id']}_")
    assert published_key(under_test, made["id"]).hash == hash_api_key(b"p" * 32, made["key"])
    listed = under_test.call("GET", "/v1/api-keys", "admin")
    assert made["key"].rpartition("_")[2] not in listed.text
    assert listed.json["items"][0]["scope"] == {"operations": None, "models": None}


def test_rotation_gives_a_new_secret_for_the_same_subject_and_scope(under_test):
    old = make(under_test, scope={"operations": ["completions", "chat.completions"]})
    under_test.clock.turn(5)
    answer = rotate(under_test, old["id"], overlap_s=600)
    assert answer.status_code == 201
    new = answer.json
    assert new["id"] != old["id"]
    assert new["key"] != old["key"]
    scope = Scope(operations=("chat.completions", "completions"))
    before, after = published_key(under_test, old["id"]), published_key(under_test, new["id"])
    assert (before.scope, before.expires_at, before.revoked) == (scope, NOON + timedelta(seconds=605), False)
    assert (after.scope, after.expires_at, after.subject) == (scope, None, before.subject)


def test_a_new_key_lives_as_long_as_the_old_one_was_meant_to_and_the_old_one_no_longer(under_test):
    old = make(under_test, expires_at="2026-11-21T12:00:00Z")
    assert published_key(under_test, old["id"]).expires_at - NOON == timedelta(days=1)
    under_test.clock.turn(3600 * 23)
    new = rotate(under_test, old["id"], overlap_s=7200).json
    assert published_key(under_test, old["id"]).expires_at == NOON + timedelta(days=1)
    assert published_key(under_test, new["id"]).expires_at == NOON + timedelta(hours=23, days=1)


def test_without_overlap_the_old_key_expires_at_once(under_test):
    old = make(under_test)
    rotate(under_test, old["id"], overlap_s=0)
    assert published_key(under_test, old["id"]).expires_at == NOON


def test_a_key_that_is_not_in_force_is_not_rotated(under_test):
    rotated, revoked = make(under_test), make(under_test)
    expired = make(under_test, expires_at="2026-11-20T12:00:01Z")
    new = rotate(under_test, rotated["id"]).json
    under_test.call("DELETE", f"/v1/api-keys/{revoked['id']}", "admin")
    under_test.clock.turn(1)
    epoch = published(under_test).epoch
    for key_id, want in (
        (rotated["id"], (409, "api-key-rotated")),
        (revoked["id"], (409, "api-key-revoked")),
        (expired["id"], (409, "api-key-expired")),
        ("none", (404, "api-key-unknown")),
    ):
        answer = rotate(under_test, key_id)
        assert (answer.status_code, answer.json["code"]) == want
    assert new["id"] in rotate(under_test, rotated["id"]).json["detail"]
    assert published(under_test).epoch == epoch


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"overlap_s": -1}, id="negative"),
        pytest.param({"overlap_s": 30 * 24 * 3600 + 1}, id="more-than-a-month"),
        pytest.param({"overlap_s": "60"}, id="a-text"),
        pytest.param({"overlap": 60}, id="another-member"),
    ],
)
def test_an_overlap_is_a_number_of_seconds_in_range(under_test, body):
    assert rotate(under_test, make(under_test)["id"], **body).json["code"] == "body-invalid"


@pytest.mark.parametrize(
    "scope",
    [
        pytest.param({"operations": []}, id="an-empty-list"),
        pytest.param({"operations": ["*"]}, id="a-wildcard"),
        pytest.param({"operations": ["chat.completions\n"]}, id="a-line-end"),
        pytest.param({"models": ["a b"]}, id="no-model"),
        pytest.param({"models": "parrot"}, id="a-text"),
        pytest.param({"hosts": ["a"]}, id="an-unknown-measure"),
    ],
)
def test_a_scope_that_cannot_be_meant_is_refused(under_test, scope):
    answer = under_test.call("POST", "/v1/api-keys", "admin", json={"subject": "user:alice", "scope": scope})
    assert (answer.status_code, answer.json["code"]) == (400, "body-invalid")


def test_a_scope_of_nulls_is_none(under_test):
    made = make(under_test, scope={"operations": None, "models": None})
    assert published_key(under_test, made["id"]).scope == UNSCOPED


def test_rotation_is_noted_without_the_key(under_test):
    old = make(under_test)
    new = rotate(under_test, old["id"]).json
    events = under_test.call("GET", "/v1/admin-events", "auditor")
    last = events.json["items"][-1]
    assert (last["action"], last["target"], last["detail"]["replaced_by"]) == ("api_key_rotated", old["id"], new["id"])
    assert new["key"].rpartition("_")[2] not in events.text
