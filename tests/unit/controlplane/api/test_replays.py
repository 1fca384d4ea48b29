# SPDX-License-Identifier: Apache-2.0
"""Replays over the API: who may ask for what."""

import pytest

from tests.control_planes import make_plane, sqlite_url


@pytest.fixture
def under_test(tmp_path):
    return make_plane(sqlite_url(tmp_path))


def test_a_replay_is_an_operation_of_its_own_caller(under_test):
    body = {"release": under_test.release()["id"]}
    answer = under_test.call("POST", "/v1/replays", "author", json=body)
    assert (answer.status_code, answer.json["kind"], answer.json["state"]) == (202, "replay", "pending")
    operation = answer.headers["Location"]
    for role, status in (("author", 200), ("auditor", 200), ("approver", 404)):
        assert under_test.call("GET", operation, role).status_code == status
    for role, seen in (("author", 1), ("auditor", 1), ("approver", 0)):
        assert len(under_test.call("GET", "/v1/operations", role).json["items"]) == seen
    for collection, status in (("replays", 409), ("exports", 403)):
        early = under_test.call("GET", f"/v1/{collection}/{answer.json['id']}/content", "author")
        assert early.status_code == status


@pytest.mark.parametrize(
    ("body", "want"),
    [
        pytest.param({}, (400, "body-invalid"), id="no release"),
        pytest.param({"release": "rel_none"}, (400, "release-unknown"), id="no such release"),
        pytest.param({"against": "rel_none"}, (400, "release-unknown"), id="nothing to compare with"),
        pytest.param({"against": "in-force"}, (404, "nothing-published"), id="nothing is in force"),
        pytest.param({"as_of": 1_000_000}, (400, "body-invalid"), id="the log does not go that far"),
        pytest.param({"examples": 101}, (400, "body-invalid"), id="too many examples"),
        pytest.param({"filters": {"subject": "user:alice"}}, (403, "subject-not-permitted"), id="a subject's name"),
        pytest.param({"filters": {"colour": "red"}}, (400, "body-invalid"), id="no such filter"),
    ],
)
def test_what_makes_no_sense_or_is_not_permitted_is_refused(under_test, body, want):
    asked = body if body in ({}, {"release": "rel_none"}) else {"release": under_test.release()["id"], **body}
    answer = under_test.call("POST", "/v1/replays", "author", json=asked)
    assert (answer.status_code, answer.json["code"]) == want


def test_a_pseudonym_may_be_asked_for_by_anybody(under_test):
    body = {"release": under_test.release()["id"], "filters": {"subject": "p1:" + "ab" * 16}}
    assert under_test.call("POST", "/v1/replays", "approver", json=body).status_code == 202
