# SPDX-License-Identifier: Apache-2.0
"""Requests explained by a real release: thought of, or recorded."""

import json

import pytest

from tests.control_planes import make_plane, sqlite_url
from tests.records import make_record
from tests.unit.controlplane.services.test_replays import CAPS, asked, released

BOB = {"subject": "user:bob", "operation": "chat.completions", "model": "parrot"}


@pytest.fixture
def under_test(tmp_path):
    made = make_plane(sqlite_url(tmp_path))
    made.activate(made.release()["id"])
    return made


def explain(under_test, role="author", **body):
    answer = under_test.call("POST", "/v1/explanations", role, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json


def test_a_refusal_names_policy_rule_file_and_line_and_what_would_have_to_differ(under_test):
    release = released(under_test, CAPS)
    found = explain(under_test, **BOB, facts={"max_tokens": 101}, release=release)
    assert (found["effect"], found["release"], found["groups"]) == ("deny", release, ["staff"])
    (reason,) = found["reasons"]
    assert (reason["code"], reason["policy"], reason["source"]["line"]) == ("too-many", "caps", 8)
    stages = {stage["stage"]: stage for stage in found["stages"]}
    assert [rule["rule"] for rule in stages["access"]["said"][0]["rules"]] == ["staff-chat"]
    assert {(each["what"], each["to"]) for each in found["differences"]} >= {("max_tokens", 100), ("max_tokens", None)}


def test_without_a_release_it_is_what_is_in_force(under_test):
    released(under_test, CAPS)
    found = explain(under_test, **BOB, facts={"max_tokens": 101})
    assert found["effect"] == "allow"
    mallory = explain(under_test, **BOB | {"subject": "user:mallory"})
    assert [reason["code"] for reason in mallory["reasons"]] == ["no-applicable-policy"]
    assert {"what": "subject.groups", "to": "+staff", "effect": "allow", "reasons": []} in mallory["differences"]


def test_a_recorded_request_is_explained_by_what_decided_it(under_test):
    with under_test.store.read() as session:
        current = session.environments.get("default", "production")
        activation = session.activations.at_serial("default", "production", current.serial)
    decided = {"serial": current.serial, "revision": activation.revision}
    under_test.ingest(make_record(seq=1, payload=asked(1000), **decided), make_record(seq=2, payload=asked(1000)))
    found = explain(under_test, "auditor", decision="req_b0_1")
    assert (found["effect"], found["revision"]) == ("allow", activation.revision)
    release = released(under_test, CAPS)
    assert explain(under_test, "auditor", decision="req_b0_2", release=release)["effect"] == "deny"
    unknown = under_test.call("POST", "/v1/explanations", "auditor", json={"decision": "req_b0_2"})
    assert (unknown.status_code, unknown.json["code"]) == (404, "nothing-published")


def test_nothing_of_a_question_is_kept(under_test):
    before = under_test.call("GET", "/v1/admin-events", "auditor").json["items"]
    explain(under_test, **BOB | {"subject": "user:somebody-else"})
    after = under_test.call("GET", "/v1/admin-events", "auditor").json["items"]
    assert (before == after, "somebody-else" in json.dumps(after)) == (True, False)
