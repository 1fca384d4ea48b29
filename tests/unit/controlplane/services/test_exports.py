# SPDX-License-Identifier: Apache-2.0
"""What an export has in it: the decisions that its question finds in the log as it was."""

import json
from contextlib import contextmanager

import pytest

from controlplane.services import exports
from tests.control_planes import make_plane, sqlite_url
from tests.records import make_record


@pytest.fixture
def under_test(tmp_path):
    return make_plane(sqlite_url(tmp_path))


def export(under_test, **body) -> bytes:
    answer = under_test.call("POST", "/v1/exports", "auditor", json={"format": "ndjson"} | body)
    assert answer.status_code == 202, answer.text
    assert under_test.work() == 1
    made = under_test.call("GET", answer.headers["Location"], "auditor").json
    assert made["state"] == "succeeded", made
    return under_test.call("GET", made["result"]["href"], "auditor").data


def indexes(content: bytes) -> list[int]:
    return [json.loads(line)["log_index"] for line in content.splitlines()]


def test_all_slices_are_there_in_the_order_of_the_log(under_test, monkeypatch):
    monkeypatch.setattr(exports, "_SLICE", 3)
    for count in (3, 3, 1):
        first = under_test.plane.store
        with first.read() as session:
            size = session.log.size("default")
        under_test.ingest(*(make_record(seq=size + number) for number in range(1, count + 1)))
        assert indexes(export(under_test)) == list(range(size + count))


def test_filters_narrow_it(under_test):
    under_test.ingest(
        make_record(seq=1, subject="user:alice"),
        make_record(seq=2, subject="user:bob", model="owl"),
        make_record(seq=3, subject="user:bob", outcome="deny", reasons=(("access-denied", "chat-access"),)),
    )
    assert indexes(export(under_test, filters={"subject": "user:bob"})) == [1, 2]
    assert indexes(export(under_test, filters={"subject": ["user:bob"], "model": ["owl", "hawk"]})) == [1]
    assert indexes(export(under_test, filters={"outcome": "deny", "from": "2026-11-20T00:00:00Z"})) == [2]
    assert indexes(export(under_test, filters={"to": "2026-11-20T00:00:00Z"})) == []


def test_the_same_question_and_as_of_give_the_same_bytes_whatever_came_since(under_test):
    under_test.ingest(make_record(seq=1, request_id="req_1", kind="admission"), make_record(seq=2))
    before = export(under_test, as_of=2)
    under_test.ingest(make_record(seq=3, request_id="req_1", outcome="deny"), make_record(seq=4))
    assert export(under_test, as_of=2) == before
    assert indexes(before) == [0, 1]
    assert json.loads(before.splitlines()[0])["envelope"]["kind"] == "admission"
    assert indexes(export(under_test)) == [2, 1, 3]
    assert indexes(export(under_test, as_of=0)) == []


def test_the_payload_is_there_only_where_it_was_asked_for(under_test):
    under_test.ingest(make_record(subject="user:alice"))
    assert b"alice" not in export(under_test)
    line = json.loads(export(under_test, include=["subject", "input"]))
    assert (line["subject"], line["input"]) == ("user:alice", {})


def test_who_exported_what_is_an_administrative_event_without_the_question_itself(under_test):
    under_test.ingest(make_record(subject="user:alice"))
    content = export(under_test, filters={"subject": "user:alice"})
    events = under_test.call("GET", "/v1/admin-events", "auditor").json["items"][-3:]
    assert [(event["action"], event["principal"]) for event in events] == [
        ("export_requested", "auditor"),
        ("export_made", "auditor"),
        ("export_fetched", "auditor"),
    ]
    made = events[1]["detail"]
    assert (made["count"], made["bytes"], made["as_of"], made["format"]) == (1, len(content), 1, "ndjson")
    assert made["filter_digest"] == events[0]["detail"]["filter_digest"] != ""
    assert "alice" not in json.dumps(events)


def test_no_transaction_is_open_while_a_file_is_written(under_test, monkeypatch):
    monkeypatch.setattr(exports, "_SLICE", 1)
    under_test.ingest(*(make_record(seq=number) for number in range(1, 4)))
    open_now, seen = [], []
    plain = type(under_test.store).read

    @contextmanager
    def counted(store):
        with plain(store) as session:
            open_now.append(session)
            yield session
            open_now.pop()

    monkeypatch.setattr(type(under_test.store), "read", counted)
    row_of = exports.row_of
    monkeypatch.setattr(exports, "row_of", lambda *a, **k: (seen.append(len(open_now)), row_of(*a, **k))[1])
    assert len(indexes(export(under_test))) == 3
    assert seen == [0, 0, 0]
