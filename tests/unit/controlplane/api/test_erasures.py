# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from policies.contracts.record import pseudonym
from tests.control_planes import make_plane, sqlite_url
from tests.records import PSEUDONYM_KEY, make_record

DAY = "2026-11-20"
ALICE = pseudonym(PSEUDONYM_KEY, tenant="default", subject="user:alice")


@pytest.fixture
def under_test(tmp_path):
    made = make_plane(sqlite_url(tmp_path))
    made.ingest(
        make_record(seq=1, request_id="req_1", kind="admission"),
        make_record(seq=2, request_id="req_1"),
        make_record(seq=3, request_id="req_2", subject="user:bob"),
    )
    return made


def erase(under_test, role="admin", **body):
    return under_test.call("POST", "/v1/erasures", role, json=body)


def decision(under_test, request_id):
    return under_test.call("GET", f"/v1/decisions/{request_id}", "auditor").json


def shown(under_test, request_id):
    found = decision(under_test, request_id)
    return found["payload"], found["subject"], found["input"]


def noted(under_test, action):
    events = under_test.call("GET", "/v1/admin-events", "auditor").json["items"]
    return [event["detail"] for event in events if event["action"] == action]


def test_a_subject_is_erased_in_every_record_and_no_other_is(under_test):
    made = erase(under_test, subject="user:alice")
    assert made.status_code == 201, made.text
    assert (made.json["of"], made.json["state"], made.json["payloads"]) == (ALICE, "done", 2)
    assert shown(under_test, "req_1") == ("erased", None, None)
    assert shown(under_test, "req_2") == ("kept", "user:bob", {})
    assert under_test.call("GET", made.headers["Location"], "auditor").json == made.json


def test_what_is_noted_of_an_erasure_has_counts_and_no_name(under_test):
    erase(under_test, subject="user:alice")
    (requested,), (done,) = noted(under_test, "erasure_requested"), noted(under_test, "payloads_erased")
    assert requested == {"kind": "subject", "of": ALICE}
    assert done == {"kind": "subject", "of": ALICE, "payloads": 2, "keys": 0}
    everything = json.dumps(under_test.call("GET", "/v1/admin-events", "auditor").json)
    assert "alice" not in everything


def test_envelopes_stay_as_they_are(under_test):
    before = decision(under_test, "req_1")["records"]
    erase(under_test, subject="user:alice")
    assert decision(under_test, "req_1")["records"] == before


def test_a_day_is_erased_while_it_lasts_and_what_comes_then_is_kept(under_test):
    made = erase(under_test, period=DAY)
    assert (made.json["state"], made.json["keys"]) == ("done", 1)
    under_test.ingest(make_record(seq=4, request_id="req_4"))
    assert [shown(under_test, f"req_{number}")[0] for number in (1, 2, 4)] == ["erased", "erased", "kept"]


def test_one_request_is_erased(under_test):
    assert erase(under_test, request_id="req_2").json["payloads"] == 1
    assert [shown(under_test, f"req_{number}")[0] for number in (1, 2)] == ["kept", "erased"]


@pytest.mark.parametrize(
    ("body", "want"),
    [
        pytest.param({}, (400, "body-invalid"), id="nothing"),
        pytest.param({"period": DAY, "subject": "user:alice"}, (400, "body-invalid"), id="two-things"),
        pytest.param({"period": "november"}, (400, "body-invalid"), id="no-day"),
        pytest.param({"period": "2020-01-01"}, (404, "day-unknown"), id="a-day-without-entries"),
        pytest.param({"subject": "alice"}, (400, "subject-invalid"), id="no-subject"),
        pytest.param({"request_id": "req_9"}, (404, "decision-unknown"), id="no-request"),
    ],
)
def test_what_cannot_be_erased_is_said(under_test, body, want):
    answer = erase(under_test, **body)
    assert (answer.status_code, answer.json["code"]) == want
    assert noted(under_test, "erasure_requested") == []


@pytest.mark.parametrize("body", [{"period": DAY}, {"subject": "user:alice"}, {"request_id": "req_1"}], ids=str)
@pytest.mark.parametrize(
    "hold",
    [
        {"subject": "user:alice"},
        {"request_ids": ["req_1"]},
        {"policy": "chat-access"},
        {"from": "2026-11-20T00:00:00Z", "to": "2026-11-21T00:00:00Z"},
    ],
    ids=lambda hold: "by-" + next(iter(hold)),
)
def test_what_is_held_is_not_erased_until_the_hold_is_released(under_test, body, hold):
    placed = under_test.call("POST", "/v1/legal-holds", "admin", json={"reason": "case 7"} | hold)
    assert placed.status_code == 201, placed.text
    refused = erase(under_test, **body)
    assert (refused.status_code, refused.json["code"]) == (409, "held")
    assert placed.json["id"] in refused.json["detail"]
    assert shown(under_test, "req_1")[0] == "kept"
    under_test.call("POST", f"/v1/legal-holds/{placed.json['id']}:release", "approver")
    assert erase(under_test, **body).status_code == 201
    assert shown(under_test, "req_1")[0] == "erased"


@pytest.mark.parametrize(
    "hold",
    [
        {"subject": "user:bob"},
        {"request_ids": ["req_2"]},
        {"policy": "another"},
        {"to": "2026-11-20T00:00:00Z"},
        {"subject": "user:alice", "policy": "another"},
    ],
    ids=str,
)
def test_a_hold_on_something_else_is_no_obstacle(under_test, hold):
    under_test.call("POST", "/v1/legal-holds", "admin", json={"reason": "case 7"} | hold)
    assert erase(under_test, subject="user:alice").status_code == 201


def test_only_the_admin_erases(under_test):
    roles = ("author", "approver", "auditor", "agent")
    assert [erase(under_test, role, period=DAY).status_code for role in roles] == [403] * 4
