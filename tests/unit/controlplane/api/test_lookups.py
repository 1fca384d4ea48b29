# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from policies.contracts.content import content_hash
from policies.contracts.record import pseudonym, span_hash
from tests.control_planes import make_plane, sqlite_url
from tests.records import PSEUDONYM_KEY, make_record

CARD, TEXT = "4111 1111 1111 1111", "What is in the vault?"
REMARK = {
    "policy": "prompts",
    "rule": "card",
    "detector": "payment-card",
    "kind": "CREDIT_CARD",
    "action": "replace",
    "path": "request.messages.*.content",
    "length": len(CARD),
    "span_hash": span_hash(PSEUDONYM_KEY, tenant="default", span=CARD),
}
CONTENT = {"prompt": content_hash(PSEUDONYM_KEY, tenant="default", text=TEXT)}
ALICE = pseudonym(PSEUDONYM_KEY, tenant="default", subject="user:alice")


@pytest.fixture
def under_test(tmp_path):
    made = make_plane(sqlite_url(tmp_path))
    made.ingest(
        make_record(seq=1, remarks=[REMARK]),
        make_record(seq=2, subject="user:bob", content=CONTENT),
        make_record(seq=3, remarks=[REMARK], content=CONTENT),
    )
    return made


def look_up(under_test, kind, value, role="auditor"):
    return under_test.call("POST", "/v1/hmac-lookups", role, json={"kind": kind, "value": value})


@pytest.mark.parametrize(
    ("kind", "value", "hashed", "indexes"),
    [
        pytest.param("subject", "user:alice", ALICE, [0, 2], id="subject"),
        pytest.param("span", CARD, REMARK["span_hash"], [0, 2], id="span"),
        pytest.param("content", TEXT, CONTENT["prompt"], [1, 2], id="content"),
    ],
)
def test_a_value_that_was_seen_is_found_by_its_hash(under_test, kind, value, hashed, indexes):
    seen = look_up(under_test, kind, value).json
    assert (seen["hash"], seen["count"], seen["is_more"]) == (hashed, len(indexes), False)
    assert [seen["first"]["log_index"], seen["last"]["log_index"]] == indexes
    listed = under_test.call("GET", seen["decisions"], "auditor").json["items"]
    assert [item["log_index"] for item in listed] == indexes


def test_a_value_that_was_not_seen_has_no_place(under_test):
    seen = look_up(under_test, "span", "4222 2222 2222 2222").json
    assert (seen["count"], seen["first"], seen["last"]) == (0, None, None)


def test_a_question_is_noted_with_its_hash_and_nothing_else(under_test):
    look_up(under_test, "content", TEXT)
    events = under_test.call("GET", "/v1/admin-events", "auditor").json["items"]
    (noted,) = [event for event in events if event["action"] == "value_looked_up"]
    assert (noted["target"], noted["detail"]) == (CONTENT["prompt"], {"kind": "content"})
    assert "vault" not in json.dumps(events)


def test_who_asks_too_often_waits(under_test):
    answers = [look_up(under_test, "span", str(number)) for number in range(31)]
    assert [answer.status_code for answer in answers] == [200] * 30 + [429]
    assert answers[-1].json["code"] == "too-many-lookups"
    assert answers[-1].headers["Retry-After"] == "60"
    assert look_up(under_test, "span", "1", "investigator").status_code == 200


@pytest.mark.parametrize(
    ("kind", "value", "want"),
    [
        pytest.param("subject", "alice", "subject-invalid", id="no-subject"),
        pytest.param("colour", "red", "body-invalid", id="no-such-kind"),
        pytest.param("span", "", "body-invalid", id="no-value"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(under_test, kind, value, want):
    answer = look_up(under_test, kind, value)
    assert (answer.status_code, answer.json["code"]) == (400, want)


def test_only_who_investigates_asks(under_test):
    roles = ("admin", "author", "approver", "agent")
    assert [look_up(under_test, "span", "1", role).status_code for role in roles] == [403] * 4
