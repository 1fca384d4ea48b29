# SPDX-License-Identifier: Apache-2.0
import gzip

import pytest

from policies.contracts.codec import canonical_bytes
from policies.contracts.record import DecisionRecord
from tests.control_planes import make_plane, sqlite_url
from tests.records import make_record

REMARK = {
    "policy": "prompts",
    "rule": "mail",
    "detector": "email",
    "kind": "EMAIL_ADDRESS",
    "action": "replace",
    "path": "request.messages.*.content",
    "length": 17,
    "span_hash": "s1:0123456789abcdef",
}


BESIDE = {
    "serial": 8,
    "revision": "sha256:" + "ab" * 32,
    "effect": "deny",
    "reasons": ["model-not-permitted"],
    "differs": True,
}


@pytest.fixture
def under_test(tmp_path):
    return make_plane(sqlite_url(tmp_path))


def find(under_test, query=""):
    answer = under_test.call("GET", f"/v1/decisions?{query}", "auditor")
    assert answer.status_code == 200, answer.text
    return answer.json


def test_a_batch_sent_twice_is_stored_once(under_test):
    records = [make_record(seq=number) for number in (1, 2)]
    assert under_test.ingest(*records).json == {"stored": 2, "duplicates": 0, "quarantined": 0}
    assert under_test.ingest(*records).json == {"stored": 0, "duplicates": 2, "quarantined": 0}


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"\xff\xfe", id="not UTF-8"),
        pytest.param(b"[" * 5000, id="deep nesting"),
        pytest.param(b'{"envelope":"{}"}', id="no payload"),
        pytest.param(b'{"envelope":"\\ud800","payload":""}', id="half a surrogate pair"),
        pytest.param(b'{"envelope":"{}","envelope":"{}","payload":""}', id="a key twice"),
        pytest.param(DecisionRecord(b'{"schema":"gatehouse.decision/2"}', b"{}").to_line(), id="another schema"),
        pytest.param(
            DecisionRecord(make_record().envelope + b" ", make_record().payload).to_line(), id="not canonical"
        ),
        pytest.param(DecisionRecord(make_record().envelope, b"{}").to_line(), id="another payload"),
        pytest.param(make_record(tenant="other").to_line(), id="another tenant"),
        pytest.param(make_record(reasons=()).to_line().replace(b"chat-access", b"\\\\u0000"), id="altered"),
        pytest.param(make_record(verdict="passed").to_line(), id="an unknown verdict"),
        pytest.param(make_record(engines=None).to_line(), id="a member of the wrong type"),
        pytest.param(make_record(remarks=[REMARK | {"span_hash": "alice"}]).to_line(), id="a remark with a text"),
        pytest.param(make_record(candidate=BESIDE | {"serial": "8"}).to_line(), id="a candidate without a number"),
        pytest.param(make_record(candidate=BESIDE | {"effect": "maybe"}).to_line(), id="a candidate without effect"),
        pytest.param(make_record(candidate=BESIDE | {"differs": None}).to_line(), id="a candidate of no word"),
        pytest.param(make_record(candidate=BESIDE | {"reasons": [8]}).to_line(), id="a candidate of other reasons"),
        pytest.param(make_record(candidate="alice").to_line(), id="a candidate that is a text"),
        pytest.param(make_record(remarks=[REMARK | {"length": "17"}]).to_line(), id="a remark without a length"),
        pytest.param(canonical_bytes({"envelope": "x" * 9000, "payload": ""}), id="too large"),
    ],
)
def test_what_cannot_be_a_record_is_put_aside_and_the_rest_stored(under_test, line):
    batch = line.removesuffix(b"\n") + b"\n" + make_record(seq=9).to_line()
    answer = under_test.ingest_bytes(batch)
    assert (answer.status_code, answer.json) == (200, {"stored": 1, "duplicates": 0, "quarantined": 1})
    assert len(find(under_test)["items"]) == 1


@pytest.mark.parametrize("model", ["parrot ", "", "modèle", "x" * 1000], ids=repr)
def test_the_record_of_a_refused_model_is_kept_whatever_its_name(under_test, model):
    failed = [{"engine": "opa", "answers": [{"policy": "", "mode": "enforce", "outcome": "error", "reasons": []}]}]
    answer = under_test.ingest(make_record(model=model, engines=failed, outcome="error_deny"))
    assert answer.json == {"stored": 1, "duplicates": 0, "quarantined": 0}


def test_limits_of_a_batch(under_test):
    too_many = under_test.ingest_bytes(b"{}\n" * 1001)
    assert (too_many.status_code, too_many.json["code"]) == (413, "too-many-lines")
    too_large = under_test.ingest_bytes(b"x" * (8 * 1024 * 1024 + 1))
    assert (too_large.status_code, too_large.json["code"]) == (413, "body-too-large")
    bomb = gzip.compress(b"x" * (8 * 1024 * 1024 + 1))
    answer = under_test.call(
        "POST",
        "/v1/records",
        "agent",
        data=bomb,
        content_type="application/x-ndjson",
        headers={"Content-Encoding": "gzip"},
    )
    assert (answer.status_code, answer.json["code"]) == (413, "body-too-large")


def test_a_packed_batch_is_taken(under_test):
    answer = under_test.call(
        "POST",
        "/v1/records",
        "agent",
        data=gzip.compress(make_record().to_line()),
        content_type="application/x-ndjson",
        headers={"Content-Encoding": "gzip"},
    )
    assert answer.json == {"stored": 1, "duplicates": 0, "quarantined": 0}


def test_a_subject_is_found_through_its_pseudonym(under_test):
    under_test.ingest(make_record(seq=1, subject="user:alice"), make_record(seq=2, subject="user:bob"))
    (item,) = find(under_test, "subject=user:bob")["items"]
    assert (item["subject"], item["request_id"], item["model"]) == ("user:bob", "req_b0_2", "parrot")
    assert find(under_test, f"subject={item['pseudonym']}")["items"] == [item]
    assert len(find(under_test, "subject=user:bob&subject=user:alice")["items"]) == 2


def test_remarks_and_coverage_are_shown_as_they_were_recorded(under_test):
    covered = {"scanned": ["a"], "not_scanned": [], "stripped": 0, "by": [{"rules": ["p/r"], "paths": ["a"]}]}
    under_test.ingest(make_record(request_id="req_1", remarks=[REMARK], remarks_omitted=2, coverage=covered))
    shown = under_test.call("GET", "/v1/decisions/req_1", "auditor").json["envelope"]
    assert (shown["remarks"], shown["remarks_omitted"], shown["coverage"]) == ([REMARK], 2, covered)


def test_what_a_candidate_said_is_shown(under_test):
    under_test.ingest(make_record(seq=1), make_record(seq=2, candidate=BESIDE))
    assert [item["candidate"] for item in find(under_test)["items"]] == [None, BESIDE]
    assert [item["candidate"] for item in find(under_test, "candidate_effect=deny")["items"]] == [BESIDE]
    assert under_test.call("GET", "/v1/decisions/req_b0_2", "auditor").json["candidate"] == BESIDE


def test_one_item_joins_admission_and_terminal(under_test):
    under_test.ingest(make_record(seq=1, request_id="req_1", kind="admission"))
    assert find(under_test)["items"][0]["complete"] is False
    under_test.ingest(make_record(seq=2, request_id="req_1", outcome="deny", reasons=(("answer-blocked", "r"),)))
    (item,) = find(under_test, "reason=answer-blocked&policy=r&outcome=deny")["items"]
    assert item["log_indexes"] == {"admission": 0, "terminal": 1}
    one = under_test.call("GET", "/v1/decisions/rec_b0_1", "auditor").json
    assert one["request_id"] == "req_1"
    assert [record["envelope"]["kind"] for record in one["records"]] == ["admission", "terminal"]
    assert one["envelope"]["kind"] == "terminal"


def test_pages_are_of_the_log_as_it_was_at_the_first(under_test):
    under_test.ingest(*(make_record(seq=number) for number in range(1, 6)))
    page = find(under_test, "limit=2")
    got = [item["log_index"] for item in page["items"]]
    under_test.ingest(make_record(seq=6))
    while page["next_cursor"]:
        page = find(under_test, f"limit=2&cursor={page['next_cursor']}")
        got += [item["log_index"] for item in page["items"]]
    assert got == [0, 1, 2, 3, 4]
    assert [item["log_index"] for item in find(under_test, "order=desc&limit=2")["items"]] == [5, 4]


def test_a_cursor_is_for_its_own_filters_only(under_test):
    under_test.ingest(*(make_record(seq=number) for number in (1, 2, 3)))
    cursor = find(under_test, "limit=1&model=parrot")["next_cursor"]
    for query in (f"cursor={cursor}", f"model=owl&cursor={cursor}", f"model=parrot&cursor=x{cursor}"):
        answer = under_test.call("GET", f"/v1/decisions?{query}", "auditor")
        assert (answer.status_code, answer.json["code"]) == (400, "cursor-invalid")


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=x",
        "limit=1_0",
        "limit=%205",
        "limit=%D9%A5",
        "limit=" + "9" * 10_000,
        "outcome=maybe",
        "subject=alice",
        "from=yesterday",
        "to=2026-11-20",
        "colour=red",
        "model=%00",
    ],
)
def test_a_question_that_makes_no_sense_is_refused(under_test, query):
    answer = under_test.call("GET", f"/v1/decisions?{query}", "auditor")
    assert answer.status_code == 400
    assert answer.json["code"] in {"query-invalid", "parameter-invalid"}


def test_a_limit_above_the_highest_is_the_highest(under_test):
    assert find(under_test, "limit=999999999999999999999999")["items"] == []


def test_a_batch_without_records_is_taken_so_that_a_node_can_tell_a_bad_line_from_a_refusal_of_everything(under_test):
    answer = under_test.call(
        "POST", "/v1/records", "agent", data=b"\n", headers={"Content-Type": "application/x-ndjson"}
    )
    assert (answer.status_code, answer.json) == (200, {"stored": 0, "duplicates": 0, "quarantined": 0})


def test_one_decision_is_explained_by_the_release_that_decided_and_names_its_proof(under_test):
    activated = under_test.activate(under_test.release()["id"])
    members = {"serial": activated["serial"], "revision": activated["revision"], "outcome": "deny"}
    because = (("access-denied", "chat-access"),)
    under_test.ingest(make_record(seq=1, request_id="req_1", reasons=because, **members))
    shown = under_test.call("GET", "/v1/decisions/req_1", "auditor").json
    (decided,) = shown["explanation"]["decided_by"]
    assert (decided["code"], decided["policy"]) == because[0]
    assert decided["policy_revision"].startswith("sha256:")
    assert shown["proof"] == "/v1/audit/records/rec_b0_1/proof"


def test_a_question_about_the_log_as_it_was_has_the_same_answer_for_ever(under_test):
    under_test.ingest(make_record(seq=1, kind="admission", request_id="req_1"), make_record(seq=2))
    before = find(under_test, "as_of=2")
    assert [item["complete"] for item in before["items"]] == [False, True]
    under_test.ingest(make_record(seq=3, request_id="req_1"), make_record(seq=4))
    assert find(under_test, "as_of=2") == before
    assert [item["complete"] for item in find(under_test)["items"]] == [True, True, True]
    ahead = under_test.call("GET", "/v1/decisions?as_of=5", "auditor")
    assert (ahead.status_code, ahead.json["errors"][0]["pointer"]) == (400, "/as_of")


def test_a_page_is_bounded_in_bytes_and_goes_on_where_it_ends(under_test, monkeypatch):
    monkeypatch.setattr("controlplane.api.decisions._MOST_BYTES", 1)
    under_test.ingest(*(make_record(seq=seq) for seq in (1, 2, 3)))
    for order, want in (("asc", [0, 1, 2]), ("desc", [2, 1, 0])):
        page, got = find(under_test, f"order={order}"), []
        while True:
            assert len(page["items"]) <= 1
            got += [item["log_index"] for item in page["items"]]
            if page["next_cursor"] is None:
                break
            page = find(under_test, f"order={order}&cursor={page['next_cursor']}")
        assert got == want


def test_a_question_names_every_parameter_that_is_wrong(under_test):
    query = "status=4&span=x&rule=r&min_latency_ms=9&max_latency_ms=1&revision=1"
    answer = under_test.call("GET", f"/v1/decisions?{query}", "auditor")
    pointers = {error["pointer"].split("/")[1] for error in answer.json["errors"]}
    assert (answer.status_code, pointers) == (400, {"status", "span", "rule", "revision"})
    turned = under_test.call("GET", "/v1/decisions?min_latency_ms=9&max_latency_ms=1", "auditor")
    assert [error["pointer"] for error in turned.json["errors"]] == ["/max_latency_ms"]
