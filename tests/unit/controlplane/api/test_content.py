# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.contracts.content import Side
from policies.sealed_texts import KeptText, Seal
from tests.control_planes import make_plane, sqlite_url
from tests.records import PSEUDONYM_KEY, make_record

PROMPT, ANSWER = "What is in the vault?", "Nothing that I may say."
REASON = "case 7: complaint of a customer"


@pytest.fixture
def under_test(tmp_path):
    made = make_plane(sqlite_url(tmp_path))
    made.ingest(
        record(1, "req_1", prompt=PROMPT, answer=ANSWER),
        make_record(seq=2, request_id="req_2"),
        record(3, "req_3", kind="admission", prompt=PROMPT),
        record(4, "req_4", prompt=PROMPT, key=b"x" * 32),
        record(5, "req_5", prompt=PROMPT, record_id="rec_other"),
        make_record(seq=6, request_id="req_6", payload={"content": {"prompt": {"texts": [], "omitted": 0}}}),
    )
    return made


def record(seq, request_id, *, kind="terminal", key=PSEUDONYM_KEY, record_id=None, **sides):
    seal = Seal(key=key, tenant="default")
    content = {
        side: {
            "texts": [],
            "omitted": 0,
            "sealed": seal.close(
                [KeptText(path="messages.0.content", text=text)],
                side=Side(side),
                record_id=record_id or f"rec_b0_{seq}",
                day="2026-11-20",
            ).to_json(),
        }
        for side, text in sides.items()
    }
    return make_record(seq=seq, request_id=request_id, kind=kind, payload={"content": content})


def read(under_test, identifier, role="investigator", reason=REASON):
    query = {} if reason is None else {"reason": reason}
    return under_test.call("GET", f"/v1/decisions/{identifier}/content", role, query_string=query)


def noted(under_test):
    events = under_test.call("GET", "/v1/admin-events", "auditor").json["items"]
    return [(event["target"], event["detail"]) for event in events if event["action"] == "content_read"]


def one(text):
    return {"texts": [{"path": "messages.0.content", "text": text}], "truncated": False}


@pytest.mark.parametrize("identifier", ["req_1", "rec_b0_1"])
def test_both_seals_are_opened_and_the_read_is_noted_with_its_reason(under_test, identifier):
    answer = read(under_test, identifier)
    assert answer.status_code == 200, answer.text
    assert answer.json == {"request_id": "req_1", "prompt": one(PROMPT), "answer": one(ANSWER)}
    assert answer.headers["Cache-Control"] == "no-store"
    assert noted(under_test) == [("req_1", {"reason": REASON})]


def test_a_prompt_is_read_while_its_answer_is_not_there_yet(under_test):
    assert read(under_test, "req_3").json == {"request_id": "req_3", "prompt": one(PROMPT), "answer": None}


@pytest.mark.parametrize(
    ("identifier", "want"),
    [
        pytest.param("req_2", (404, "content-not-kept"), id="nothing-kept"),
        pytest.param("req_6", (404, "content-not-kept"), id="hashes-alone"),
        pytest.param("req_9", (404, "decision-unknown"), id="no-such-decision"),
        pytest.param("req_4", (409, "content-unreadable"), id="sealed-with-another-key"),
        pytest.param("req_5", (409, "content-unreadable"), id="sealed-for-another-record"),
    ],
)
def test_what_cannot_be_shown_is_said_and_not_noted_as_read(under_test, identifier, want):
    answer = read(under_test, identifier)
    assert (answer.status_code, answer.json["code"]) == want
    assert PROMPT not in answer.text
    assert noted(under_test) == []


def test_content_goes_with_its_payload(under_test):
    assert under_test.call("POST", "/v1/erasures", "admin", json={"request_id": "req_1"}).status_code == 201
    gone = read(under_test, "req_1")
    assert (gone.status_code, gone.json["code"]) == (410, "content-erased")


@pytest.mark.parametrize("reason", [None, "", "short"])
def test_nobody_reads_without_a_reason(under_test, reason):
    assert read(under_test, "req_1", reason=reason).status_code == 400
    assert noted(under_test) == []


def test_content_is_for_investigators_alone(under_test):
    roles = ("admin", "author", "approver", "auditor", "agent")
    assert [read(under_test, "req_1", role).status_code for role in roles] == [403] * 5


def test_content_is_in_no_other_answer(under_test):
    shown = under_test.call("GET", "/v1/decisions/req_1", "auditor").text
    assert PROMPT not in shown
    assert "sealed" not in shown
