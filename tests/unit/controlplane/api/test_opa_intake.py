# SPDX-License-Identifier: Apache-2.0
"""What a stock OPA sends, over the API: stored once, put aside, refused."""

import gzip
import json

import pytest

from tests.control_planes import make_plane

LOGS, STATUS = "/opa/v1/production/logs", "/opa/v1/production/status"
JSON_TYPE = {"Content-Type": "application/json"}


@pytest.fixture
def under_test(tmp_path):
    made = make_plane(f"sqlite:///{tmp_path / 'gatehouse.db'}")
    yield made
    made.store.close()


def event(decision_id: str, **members):
    return {
        "labels": {"id": "opa-1", "version": "1.21.0"},
        "decision_id": decision_id,
        "path": "gatehouse/main",
        "input": {"subject": "alice"},
        "result": True,
        "timestamp": "2026-11-20T18:00:00.123456789Z",
        **members,
    }


def send(under_test, *events, path=LOGS, packed=True, role="agent"):
    body = json.dumps(events).encode()
    headers = JSON_TYPE | ({"Content-Encoding": "gzip"} if packed else {})
    return under_test.call("POST", path, role, data=gzip.compress(body) if packed else body, headers=headers)


def entries(under_test):
    with under_test.store.read() as session:
        return [entry for entry in session.log.entries("default", 0, 1000) if entry.kind == "opa"]


def test_decisions_are_stored_once_however_often_they_are_sent(under_test):
    first = send(under_test, event("a"), event("b"), event("a"))
    assert first.json == {"stored": 2, "duplicates": 1, "quarantined": 0}
    again = send(under_test, event("b"), event("c"), path=LOGS + "/part", packed=False)
    assert again.json == {"stored": 1, "duplicates": 1, "quarantined": 0}
    assert [json.loads(entry.envelope)["decision_id"] for entry in entries(under_test)] == ["a", "b", "c"]


def test_the_payload_is_kept_beside_the_envelope(under_test):
    send(under_test, event("a"))
    (entry,) = entries(under_test)
    assert b"alice" not in entry.envelope
    assert json.loads(entry.payload)["input"] == {"subject": "alice"}


def test_what_cannot_be_read_is_put_aside_and_acknowledged(under_test):
    answer = send(under_test, event("a"), {"no": "event"}, 5)
    assert answer.status_code == 200
    assert answer.json == {"stored": 1, "duplicates": 0, "quarantined": 2}


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        pytest.param(b"{", {}, 400, "body-not-json", id="no-json"),
        pytest.param(b"{}", {}, 400, "body-invalid", id="no-array"),
        pytest.param(b"[]", {"Content-Encoding": "gzip"}, 400, "body-not-gzip", id="no-gzip"),
        pytest.param(
            gzip.compress(b" " * (64 * 1024 * 1024 + 1)),
            {"Content-Encoding": "gzip"},
            413,
            "body-too-large",
            id="bomb",
        ),
        pytest.param(b"[]", {"Content-Encoding": "br"}, 415, "media-type-not-permitted", id="other-coding"),
    ],
)
def test_what_is_no_chunk_is_refused(under_test, body, headers, status, code):
    answer = under_test.call("POST", LOGS, "agent", data=body, headers=JSON_TYPE | headers)
    assert (answer.status_code, answer.json["code"]) == (status, code)


def test_an_environment_that_is_none_is_refused(under_test):
    assert send(under_test, event("a"), path="/opa/v1/moon/logs").status_code == 404
    assert entries(under_test) == []


def test_an_auditor_sends_nothing(under_test):
    assert send(under_test, event("a"), role="auditor").status_code == 403


def test_status_is_kept_and_shown(under_test):
    report = {
        "labels": {"id": "opa-1", "version": "1.21.0"},
        "bundles": {"gatehouse": {"active_revision": "7+sha256:9f", "last_successful_request": "2026-11-20T12:00:00Z"}},
        "metrics": {"prometheus": {"counter_decision_logs_dropped_rate_limit_exceeded": 3, "counter_other": 9}},
    }
    for _ in range(2):
        answer = under_test.call("POST", STATUS + "/part", "agent", json=report)
        assert (answer.status_code, answer.json) == (200, {"accepted": True})
    (item,) = under_test.call("GET", "/v1/opa-instances", "auditor").json["items"]
    assert (item["id"], item["live"], item["dropped"]) == ("opa-1", True, 3)
    assert item["bundles"][0]["active_revision"] == "7+sha256:9f"
    under_test.clock.turn(301)
    assert not under_test.call("GET", "/v1/opa-instances", "auditor").json["items"][0]["live"]


def revision(serial):
    return f"{serial}+sha256:{'9f' * 32}"


def tell(under_test, *revisions):
    for each in revisions:
        bundles = {"gatehouse": {"active_revision": each}, "other": {"active_revision": revision(1)}}
        report = {"labels": {"id": "opa-1"}, "bundles": bundles}
        assert under_test.call("POST", STATUS, "agent", json=report).status_code == 200
    (item,) = under_test.call("GET", "/v1/opa-instances", "auditor").json["items"]
    ours, other = item["bundles"]
    assert (other["serial"], other["drift"]) == (None, "unknown")
    return ours["drift"], ours["serial"], ours["highest_serial"], item["lag_s"]


@pytest.mark.parametrize(
    ("revisions", "want"),
    [
        pytest.param((revision(1), revision(2)), ("none", 2, 2, None), id="in-force"),
        pytest.param((revision(1),), ("behind", 1, 1, 7), id="behind"),
        pytest.param((revision(2), revision(1)), ("replayed", 1, 2, 7), id="an-old-one-again"),
        pytest.param((revision(2), revision(1), revision(2)), ("none", 2, 2, None), id="and-back"),
        pytest.param((None,), ("unknown", None, None, 7), id="nothing-yet"),
        pytest.param((revision(2), "theirs"), ("unknown", None, 2, 7), id="not-ours"),
        pytest.param((revision(3),), ("none", 3, 3, None), id="ahead-while-another-server-publishes"),
    ],
)
def test_what_an_opa_has_is_compared_with_what_is_in_force(under_test, revisions, want):
    for _ in range(2):
        under_test.activate(under_test.release()["id"])
    under_test.clock.turn(7)
    assert tell(under_test, *revisions) == want


def test_an_old_bundle_that_is_given_again_is_said_loudly(under_test, capsys):
    tell(under_test, revision(2), revision(1))
    assert "opa_bundle_replayed" in capsys.readouterr().out


@pytest.mark.parametrize("report", [[], {}, {"labels": {"id": 5}}, {"labels": []}])
def test_a_status_without_a_sender_is_refused(under_test, report):
    assert under_test.call("POST", STATUS, "agent", json=report).status_code == 400
