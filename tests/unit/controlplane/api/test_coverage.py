# SPDX-License-Identifier: Apache-2.0
"""Tests of documents that are sent, and which rules of a release its tests tried."""

import pytest

from tests.control_planes import ACCESS, ROUTES, make_plane, sqlite_url

TESTED = [("chat-access", "staff-chat"), ("openai-routes", "chat")]


@pytest.fixture
def under_test(tmp_path):
    return make_plane(sqlite_url(tmp_path))


def tried(under_test, **documents):
    sent = [{"filename": f"{name}.yaml", "source": source} for name, source in documents.items()]
    answer = under_test.call("POST", "/v1/policies:test", "author", json={"documents": sent})
    assert answer.status_code == 200
    return answer.json


def test_documents_are_tried_as_one_release_and_not_kept(under_test):
    answer = tried(under_test, access=ACCESS, routes=ROUTES)
    assert (answer["compiled"], answer["passed"], answer["failed"]) == (True, 1, 0)
    assert [(each["policy"], each["rule"]) for each in answer["coverage"]["items"]] == TESTED
    assert answer["coverage"]["uncovered"] == []
    assert answer["coverage"]["items"][0]["tests"] == ["chat-access: bob may chat"]
    assert under_test.call("GET", "/v1/policies", "author").json["items"] == []


def test_what_makes_no_release_is_told_with_its_place(under_test):
    answer = tried(under_test, access=ACCESS)
    assert (answer["compiled"], answer["tests"], answer["revision"]) == (False, [], None)
    assert [each["code"] for each in answer["diagnostics"]] == ["no-route"]


def test_a_test_that_fails_covers_nothing(under_test):
    answer = tried(under_test, access=ACCESS.replace("effect: allow}\n", "effect: deny}\n"), routes=ROUTES)
    assert (answer["passed"], answer["failed"]) == (0, 1)
    assert [(each["policy"], each["rule"]) for each in answer["coverage"]["uncovered"]] == TESTED


def test_a_release_tells_what_its_tests_tried(under_test):
    made = under_test.release()
    assert made["revision"] == tried(under_test, access=ACCESS, routes=ROUTES)["revision"]
    answer = under_test.call("GET", f"/v1/policy-sets/default/releases/{made['id']}/coverage", "author")
    assert (answer.json["rules"], answer.json["covered"]) == (2, 2)
    assert [item["tests"] for item in answer.json["items"]] == [["chat-access: bob may chat"]] * 2
