# SPDX-License-Identifier: Apache-2.0
"""Which decisions of the log can be asked again, and why others cannot."""

import json

import pytest

from controlplane.replays.comparison import Cause
from controlplane.replays.recorded_decision import read_decision
from controlplane.services.payload_state import PayloadState
from controlplane.services.records import LoggedDecision, LoggedRecord
from tests.records import NOON, make_record
from tests.unit.policies.evaluation.test_recorded import PAYLOAD


def decision(payload=None, *, state=PayloadState.KEPT, raw=None, **members):
    made = make_record(request_id="req_1", payload=PAYLOAD if payload is None else payload, **members)
    line = json.loads(made.to_line())
    kept = line["payload"].encode() if raw is None else raw
    record = LoggedRecord(
        log_index=3,
        received_at=NOON,
        envelope=line["envelope"].encode(),
        payload=kept if state is PayloadState.KEPT else None,
        payload_state=state,
    )
    return LoggedDecision(request_id="req_1", log_index=3, admission=None, terminal=record)


def read(which):
    return read_decision(which, tenant="default", environment="staging")


def test_a_decision_is_asked_again_in_the_environment_of_the_release():
    found = read(decision())
    assert (found.request.environment, found.request.subject.id, found.seen.model) == ("staging", "alice", "parrot")


@pytest.mark.parametrize(
    ("which", "want"),
    [
        pytest.param(
            LoggedDecision(request_id="req_1", log_index=3, admission=None, terminal=None),
            Cause.RECORD_DROPPED,
            id="retention dropped it",
        ),
        pytest.param(decision(kind="evaluation"), Cause.OTHER_SOURCE, id="another enforcement point asked"),
        pytest.param(decision(kind="opa"), Cause.OTHER_SOURCE, id="a stock OPA decided"),
        pytest.param(
            decision(revision=None, outcome="deny", reasons=(("route-not-listed", ""),)),
            Cause.REFUSED_BEFORE_DECISION,
            id="nothing was decided",
        ),
        pytest.param(decision(state=PayloadState.ERASED), Cause.PAYLOAD_ERASED, id="erased"),
        pytest.param(decision(state=PayloadState.UNREADABLE), Cause.PAYLOAD_UNREADABLE, id="altered"),
        pytest.param(decision(state=PayloadState.NONE), Cause.PAYLOAD_MISSING, id="never there"),
        pytest.param(decision({"subject": None, "input": {}}), Cause.PAYLOAD_MISSING, id="a worker was lost"),
        pytest.param(decision({**PAYLOAD, "subject": None}), Cause.INPUT_UNREADABLE, id="nobody asked"),
        pytest.param(decision(raw=b"[]"), Cause.INPUT_UNREADABLE, id="no object"),
        pytest.param(decision(raw=b"{"), Cause.INPUT_UNREADABLE, id="no JSON"),
    ],
)
def test_why_a_decision_cannot_be_asked_again(which, want):
    assert read(which).cause is want


def test_the_reasons_of_what_was_refused_before_are_told():
    refused = decision(revision=None, outcome="deny", reasons=(("body-too-large", ""),))
    assert read(refused).codes == ("body-too-large",)
