# SPDX-License-Identifier: Apache-2.0
"""Replays over a real store, by both engines: what a release would change, and what cannot be said."""

import json
from datetime import timedelta

import pytest

from controlplane.services import replays
from controlplane.services.jobs import LEASE
from controlplane.services.rego_engines import GuardEngineName, RegoEngines
from tests.control_planes import WITHOUT_OPA, make_plane, sqlite_url
from tests.records import make_record

FACTS = {
    "stream": False,
    "max_tokens": None,
    "n": 1,
    "message_count": 1,
    "roles": ["user"],
    "tools": [],
    "tool_choice": None,
    "text_chars": 3,
    "body_bytes": 50,
}
CAPS = """\
kind: guard
id: caps
version: "1"
spec:
  reasons: {too-many: "Too many tokens."}
  module: |
    package gatehouse.guard.caps
    deny contains "too-many" if input.request.max_tokens > 100
tests:
  - name: too many
    request: {subject: user:bob, operation: chat.completions, model: parrot, facts: {max_tokens: 101}}
    expect: {effect: deny, reasons: [too-many]}
"""
RATE = """\
kind: limits
id: slow
version: "1"
spec: {subjects: ["*"], rate: {requests: 5, per_s: 60}}
"""
CARDS = """\
kind: redaction
id: cards
version: "1"
spec:
  rules: [{id: card, detectors: [payment-card], action: replace}]
"""


@pytest.fixture(params=["embedded", "opa"])
def under_test(request, tmp_path):
    rego = WITHOUT_OPA
    if request.param == "opa":
        rego = RegoEngines(nodes=GuardEngineName.OPA, opa_binary=str(request.getfixturevalue("opa_binary")))
    return with_traffic(make_plane(sqlite_url(tmp_path), rego=rego))


@pytest.fixture
def embedded(tmp_path):
    return with_traffic(make_plane(sqlite_url(tmp_path)))


def asked(max_tokens=None, **changes):
    facts = FACTS | {"max_tokens": max_tokens}
    subject = changes.pop("subject", None)
    made = {
        "action": "chat.completions",
        "resource": {"type": "model", "id": "parrot"},
        "request": facts,
        "time": "2026-11-20T18:00:00+00:00",
    }
    return {"input": made | changes, **({"subject": subject} if subject else {})}


def with_traffic(under_test):
    """Activate the two policies, make a release with a guard beside them, and ingest some decisions."""
    under_test.activate(under_test.release()["id"])
    denied = [{"engine": "casbin", "answers": [{"policy": "chat-access", "mode": "enforce", "outcome": "deny"}]}]
    under_test.ingest(
        make_record(seq=1, payload=asked(1000)),
        make_record(seq=2, payload=asked(10)),
        make_record(seq=3, subject="user:bob", payload=asked(1000)),
        make_record(seq=4, subject="user:eve", payload=asked(10)),
        make_record(
            seq=5, outcome="deny", reasons=(("access-denied", "chat-access"),), payload=asked(10), engines=denied
        ),
        make_record(seq=6, outcome="deny", reasons=(("rate-limited", "slow"),), payload=asked(10)),
        make_record(seq=7, outcome="deny", reasons=(("route-not-listed", ""),), revision=None),
        make_record(seq=8, payload=asked(10, time="yesterday")),
    )
    return under_test


def released(under_test, *sources) -> str:
    for source in sources:
        made = under_test.call("POST", "/v1/policies", "author", json={"source": source})
        assert made.status_code == 201, made.text
    made = under_test.call("POST", "/v1/policy-sets/default/releases", "author", json={})
    assert made.status_code == 201, made.text
    return made.json["id"]


def replay(under_test, release, role="author", **body):
    answer = under_test.call("POST", "/v1/replays", role, json={"release": release, **body})
    assert answer.status_code == 202, answer.text
    assert under_test.work() == 1
    made = under_test.call("GET", answer.headers["Location"], role).json
    assert made["state"] == "succeeded", made
    return under_test.call("GET", made["result"]["href"], role).json


def counts(report):
    return {name: change["count"] for name, change in report["changes"].items() if change["count"]}


def left_out(report):
    return {cause: left["count"] for cause, left in report["not_compared"]["by_cause"].items()}


def test_who_would_newly_be_refused_and_allowed_and_what_cannot_be_said(under_test):
    report = replay(under_test, released(under_test, CAPS))
    assert counts(report) == {"newly-refused": 3, "newly-allowed": 1}
    assert left_out(report) == {"input-unreadable": 1, "rate-not-counted": 1, "refused-before-decision": 1}
    assert (report["decisions"], report["compared"], report["unchanged"]) == (8, 5, 1)
    refused = report["changes"]["newly-refused"]
    assert {each["reason"]: each["count"] for each in refused["by_reason"]["top"]} == {
        "too-many": 2,
        "no-applicable-policy": 1,
    }
    assert [each["request_id"] for each in refused["examples"]] == ["req_b0_1", "req_b0_3", "req_b0_4"]
    assert [each["reason"] for each in report["changes"]["newly-allowed"]["by_reason"]["top"]] == ["access-denied"]
    assert report["schema"] == "gatehouse.replay/1"


def test_subjects_stand_as_pseudonyms_and_no_text_is_there(embedded):
    report = json.dumps(replay(embedded, released(embedded, CAPS)))
    assert "alice" not in report
    assert "p1:" in report


def test_each_distinct_question_is_evaluated_once(embedded, monkeypatch):
    embedded.ingest(*(make_record(seq=number, payload=asked(10)) for number in range(9, 29)))
    monkeypatch.setattr(replays, "_SLICE", 7)
    report = replay(embedded, released(embedded, CAPS))
    assert report["evaluation"]["distinct"] == 4
    assert report["unchanged"] == 21


def test_two_releases_can_be_compared(embedded):
    first = released(embedded)
    second = released(embedded, CAPS)
    report = replay(embedded, second, against=first)
    assert counts(report) == {"newly-refused": 2}
    assert left_out(report) == {"input-unreadable": 1, "refused-before-decision": 1}
    assert counts(replay(embedded, second, against="in-force")) == {"newly-refused": 2}
    assert counts(replay(embedded, first, against=second)) == {"newly-allowed": 2}


def test_latencies_are_told_beside_those_of_what_is_in_force(embedded):
    evaluation = replay(embedded, released(embedded, CAPS))["evaluation"]
    assert evaluation["timed"] == 6
    assert evaluation["recorded_us"]["p50"] == 1
    assert set(evaluation["release_us"]) == set(evaluation["baseline_us"]) == {"p50", "p95", "p99"}


def test_filters_and_as_of_choose_as_exports_do(embedded):
    release = released(embedded, CAPS)
    assert replay(embedded, release, filters={"outcome": "deny"})["decisions"] == 3
    assert replay(embedded, release, as_of=2)["decisions"] == 2
    named = replay(embedded, release, role="auditor", filters={"subject": "user:bob"})
    assert counts(named) == {"newly-refused": 1}


def test_decisions_of_the_environment_of_the_release_are_meant_unless_another_is_named(embedded):
    embedded.ingest(make_record(seq=9, environment="staging", payload=asked(10)))
    release = released(embedded, CAPS)
    assert replay(embedded, release)["decisions"] == 8
    assert replay(embedded, release, filters={"environment": ["staging", "production"]})["decisions"] == 9


def test_erased_payloads_are_counted_and_not_guessed(embedded):
    erased = embedded.call("POST", "/v1/erasures", "admin", json={"request_id": "req_b0_1"})
    assert erased.status_code in {201, 202}, erased.text
    report = replay(embedded, released(embedded, CAPS))
    assert left_out(report)["payload-erased"] == 1
    assert report["not_compared"]["by_cause"]["payload-erased"]["examples"] == ["req_b0_1"]


def test_rates_are_not_counted_and_redaction_needs_texts_that_were_not_kept(embedded):
    report = replay(embedded, released(embedded, RATE, CARDS))
    assert report["rates"] == {"counted": False, "allowed_under_a_rate": 4}
    assert report["redaction"]["same"] == 0
    # The records name a serial and revision that this control plane never published.
    assert {cause: left["count"] for cause, left in report["redaction"]["not_compared"].items()} == {
        "content-not-kept": 3
    }


def test_who_asked_for_what_is_an_administrative_event_without_the_question_itself(embedded):
    replay(embedded, released(embedded, CAPS), role="auditor", filters={"subject": "user:alice"})
    events = embedded.call("GET", "/v1/admin-events", "auditor", query_string={"limit": 500}).json["items"][-3:]
    assert [event["action"] for event in events] == ["replay_requested", "replay_made", "replay_fetched"]
    assert events[1]["detail"]["changes"]["newly-refused"] == 1
    assert "alice" not in json.dumps(events)


def test_a_replay_whose_process_died_is_begun_again_and_ends_the_same(embedded):
    release = released(embedded, CAPS)
    answer = embedded.call("POST", "/v1/replays", "author", json={"release": release})
    with embedded.store.write() as session:
        session.operations.claim(now=embedded.clock(), until=embedded.clock() + LEASE)  # and is never heard of again
    assert embedded.work() == 0
    embedded.clock.now += LEASE + timedelta(seconds=1)
    assert embedded.work() == 1
    made = embedded.call("GET", answer.headers["Location"], "author").json
    report = embedded.call("GET", made["result"]["href"], "author").json
    want = replay(embedded, release)
    assert {**report, "evaluation": None} == {**want, "evaluation": None}


def test_a_cancelled_replay_leaves_no_report(embedded, monkeypatch):
    monkeypatch.setattr(replays, "_SLICE", 1)
    answer = embedded.call("POST", "/v1/replays", "author", json={"release": released(embedded, CAPS)})
    operation = answer.headers["Location"]
    plain = replays.ReplayWork._slices

    def cancelled(work, job, question):
        for number, some in enumerate(plain(work, job, question)):
            if number == 2:
                embedded.call("POST", f"{operation}:cancel", "author")
            yield some

    monkeypatch.setattr(replays.ReplayWork, "_slices", cancelled)
    assert embedded.work() == 1
    made = embedded.call("GET", operation, "author").json
    assert (made["state"], made["result"]) == ("cancelled", None)
