# SPDX-License-Identifier: Apache-2.0
import pytest

from tests.control_planes import make_plane, sqlite_url
from tests.unit.controlplane.api.test_api_keys import published


@pytest.fixture
def under_test(tmp_path):
    return make_plane(sqlite_url(tmp_path))


def block(under_test, subject, role="admin", **query):
    return under_test.call("PUT", f"/v1/blocked-subjects/{subject}", role, query_string=query)


def test_a_blocked_subject_is_published_once_until_it_is_let_back(under_test):
    assert block(under_test, "user:mallory").status_code == 204
    blocked = published(under_test)
    assert blocked.blocked == ("user:mallory",)
    assert block(under_test, "user:mallory").status_code == 204
    assert published(under_test).epoch == blocked.epoch
    items = under_test.call("GET", "/v1/blocked-subjects", "auditor").json["items"]
    assert [(item["subject"], item["blocked_by"]) for item in items] == [("user:mallory", "admin")]
    assert under_test.call("DELETE", "/v1/blocked-subjects/user:mallory", "admin").status_code == 204
    assert (published(under_test).blocked, published(under_test).epoch) == ((), blocked.epoch + 1)


@pytest.mark.parametrize(
    ("subject", "query", "want"),
    [
        pytest.param("mallory", {}, (400, "subject-invalid"), id="no-type"),
        pytest.param("group:staff", {}, (400, "subject-invalid"), id="a-group"),
        pytest.param("user:a%0a", {}, (400, "subject-invalid"), id="a-line-end"),
        pytest.param("user:alice", {"environment": "nowhere"}, (404, "environment-unknown"), id="no-environment"),
    ],
)
def test_what_cannot_be_blocked_is_said(under_test, subject, query, want):
    answer = block(under_test, subject, **query)
    assert (answer.status_code, answer.json["code"]) == want


def test_who_is_not_blocked_cannot_be_let_back(under_test):
    answer = under_test.call("DELETE", "/v1/blocked-subjects/user:alice", "admin")
    assert (answer.status_code, answer.json["code"]) == (404, "subject-not-blocked")


def test_only_the_admin_blocks(under_test):
    assert [block(under_test, "user:alice", role).status_code for role in ("author", "auditor", "agent")] == [403] * 3
