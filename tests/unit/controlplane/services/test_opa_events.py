# SPDX-License-Identifier: Apache-2.0
"""A stock OPA's events as entries: what is read, what stays out of the envelope, what is put aside."""

import hashlib
import json
from itertools import count

import pytest

from controlplane.services.opa_events import UnreadableEvent, read_event
from policies.contracts.codec import canonical_bytes

EVENT = {
    "labels": {"id": "6d1f", "version": "1.21.0", "env": "prod"},
    "decision_id": "4ca636c1",
    "trace_id": "4bf92f35",
    "bundles": {"gatehouse": {"revision": "7+sha256:9f2c41"}},
    "path": "gatehouse/main",
    "input": {"subject": {"id": "alice"}, "score": 0.5},
    "result": {"allow": False, "reasons": ["pii.ssn"]},
    "erased": ["/input/messages"],
    "masked": ["/input/subject/email"],
    "requested_by": "10.0.0.7:53122",
    "timestamp": "2026-11-20T18:00:00.123456789Z",
    "metrics": {"timer_rego_query_eval_ns": 48425},
    "req_id": 17,
}


def read(**changes):
    event = {name: value for name, value in (EVENT | changes).items() if value is not ...}
    numbers = count()
    return read_event(
        event, tenant="default", environment="production", new_id=lambda: f"dec_{next(numbers)}", salt="5a" * 16
    )


def test_an_event_becomes_an_entry():
    key, record = read()
    envelope = json.loads(record.envelope)
    assert key == ("6d1f", "4ca636c1")
    assert record.envelope == canonical_bytes(envelope)
    assert (envelope["kind"], envelope["outcome"], envelope["path"]) == ("opa", "deny", "gatehouse/main")
    assert envelope["bundles"] == [{"name": "gatehouse", "revision": "7+sha256:9f2c41"}]
    assert (envelope["evaluation_ns"], envelope["request_number"], envelope["source"]) == (48425, 17, None)
    assert envelope["time"] == "2026-11-20T18:00:00.123456Z"
    assert record.leaf_hash == hashlib.sha256(b"\0" + record.envelope).digest()


def test_what_may_be_personal_is_in_the_payload_alone():
    _, record = read()
    for word in (b"alice", b"10.0.0.7", b"pii.ssn"):
        assert word not in record.envelope
        assert word in record.payload
    assert json.loads(record.envelope)["payload_digest"] == "sha256:" + hashlib.sha256(record.payload).hexdigest()
    assert json.loads(record.payload)["input"]["score"] == 0.5


@pytest.mark.parametrize(
    ("changes", "want"),
    [
        pytest.param({"result": True}, "allow", id="boolean"),
        pytest.param({"result": {"allow": True}}, "allow", id="allow"),
        pytest.param({"result": {"decision": False}}, "deny", id="decision"),
        pytest.param({"result": ...}, "deny", id="undefined"),
        pytest.param({"result": [1, 2]}, None, id="a-list-says-nothing"),
        pytest.param({"result": {"allow": "yes"}}, None, id="a-word-says-nothing"),
        pytest.param({"result": ..., "error": {"code": "eval_conflict_error"}}, "error_deny", id="error"),
    ],
)
def test_the_outcome(changes, want):
    assert json.loads(read(**changes)[1].envelope)["outcome"] == want


@pytest.mark.parametrize(
    ("changes", "want"),
    [
        pytest.param({"labels": {}}, "event-without-id", id="no-label-id"),
        pytest.param({"labels": "x"}, "event-without-id", id="labels-of-another-type"),
        pytest.param({"decision_id": ...}, "event-without-id", id="no-decision-id"),
        pytest.param({"decision_id": "x" * 300}, "event-without-id", id="endless-decision-id"),
        pytest.param({"timestamp": "yesterday"}, "event-without-time", id="no-time"),
        pytest.param({"timestamp": 5}, "event-without-time", id="time-of-another-type"),
    ],
)
def test_what_cannot_be_read_says_why(changes, want):
    with pytest.raises(UnreadableEvent) as raised:
        read(**changes)
    assert raised.value.reason == want


def test_an_event_that_is_none_is_put_aside():
    with pytest.raises(UnreadableEvent) as raised:
        read_event([], tenant="t", environment="e", new_id=lambda: "dec_", salt="")
    assert raised.value.reason == "event-not-object"


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"path": "p" * 100_000}, id="long-path"),
        pytest.param({"bundles": {f"b{n}": {"revision": "r" * 999} for n in range(999)}}, id="many-bundles"),
        pytest.param({"erased": ["/" + "x" * 999] * 999, "masked": [1, None, {}]}, id="many-pointers"),
        pytest.param({"path": "a\x00\n\ud800b"}, id="letters-without-canonical-form"),
        pytest.param({"req_id": 2**70, "metrics": {"timer_rego_query_eval_ns": -1}}, id="numbers-out-of-range"),
        pytest.param({"bundles": [], "labels": {"id": "x", "version": 5}}, id="other-types"),
    ],
)
def test_hostile_members_are_bounded(changes):
    _, record = read(**changes)
    assert len(record.envelope) <= 8192
    assert record.envelope == canonical_bytes(json.loads(record.envelope))


def test_a_payload_that_is_too_large_is_named_by_its_digest_and_left_out():
    _, record = read(input={"text": "x" * 2_000_000})
    assert json.loads(record.envelope)["payload_whole"] is False
    payload = json.loads(record.payload)
    assert payload["input"] is None
    assert payload["left_out_digest"].startswith("sha256:")


def test_a_bundle_of_ours_says_which_revision_decided():
    revision = "sha256:" + "9f" * 32
    _, record = read(bundles={"gatehouse": {"revision": f"7+{revision}"}, "other": {"revision": "v1"}})
    assert (record.members["serial"], record.members["revision"]) == (7, revision)
    assert json.loads(record.envelope)["serial"] == 7


def test_an_old_opa_names_its_one_revision():
    envelope = json.loads(read(bundles=..., revision="r1")[1].envelope)
    assert envelope["bundles"] == [{"name": None, "revision": "r1"}]
