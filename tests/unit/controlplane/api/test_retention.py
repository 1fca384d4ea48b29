# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import pytest

from tests.control_planes import make_plane, sqlite_url
from tests.records import make_record

DAY_S = 24 * 60 * 60


@pytest.fixture
def under_test(tmp_path):
    """A log of two days, with a sequencer that is called whenever somebody waits for one."""
    made = make_plane(sqlite_url(tmp_path))
    made.ingest(make_record(seq=1, request_id="req_1"))
    made.clock.turn(DAY_S)
    made.ingest(make_record(seq=2, request_id="req_2"))
    made.clock.turn(DAY_S)

    def place(_: float) -> None:
        with made.store.write() as session:
            waiting = session.admin_events.waiting(limit=100)
            session.admin_events.placed({event.seq: event.seq for event in waiting})

    plane = replace(made.plane, retention=replace(made.plane.retention, sleep=place))
    made.app.extensions["gatehouse"] = plane
    return made


def keep(under_test, of, days, role="admin"):
    return under_test.call("PUT", f"/v1/retention-policies/{of}", role, json={"days": days})


def apply(under_test, role="admin"):
    return under_test.call("POST", "/v1/retention:apply", role)


def test_everything_is_kept_for_good_until_somebody_says_otherwise(under_test):
    unset = {"days": None, "set_by": ""}
    listed = under_test.call("GET", "/v1/retention-policies", "auditor").json["items"]
    assert listed == [{"class": "payloads"} | unset, {"class": "records"} | unset]
    assert apply(under_test).json == {"items": []}


def test_a_policy_is_set_and_noted_with_what_it_was_before(under_test):
    keep(under_test, "records", 30)
    assert keep(under_test, "records", 365).json == {"class": "records", "days": 365, "set_by": "admin"}
    events = under_test.call("GET", "/v1/admin-events", "auditor").json["items"]
    noted = [(e["target"], e["detail"]) for e in events if e["action"] == "retention_policy_set"]
    assert noted == [("records", {"days": 30, "days_before": None}), ("records", {"days": 365, "days_before": 30})]


def test_what_is_past_its_policy_is_dropped_and_listed(under_test):
    keep(under_test, "payloads", 1)
    (drop,) = apply(under_test).json["items"]
    assert (drop["class"], drop["day"], drop["state"]) == ("payloads", "2026-11-20", "done")
    assert (drop["first_index"], drop["last_index"], drop["kept"]) == (0, 0, 0)
    assert under_test.call("GET", "/v1/retention-drops", "auditor").json["items"] == [drop]
    shown = [under_test.call("GET", f"/v1/decisions/req_{number}", "auditor").json["payload"] for number in (1, 2)]
    assert shown == ["erased", "kept"]


def test_a_decision_whose_records_are_dropped_is_not_found_any_more(under_test):
    keep(under_test, "records", 1)
    apply(under_test)
    assert under_test.call("GET", "/v1/decisions/req_1", "auditor").status_code == 404
    assert len(under_test.call("GET", "/v1/decisions", "auditor").json["items"]) == 1


@pytest.mark.parametrize(
    ("of", "days", "want"),
    [
        pytest.param("records", 0, (400, "body-invalid"), id="no-days"),
        pytest.param("records", "30", (400, "body-invalid"), id="no-number"),
        pytest.param("records", 36_501, (400, "body-invalid"), id="a-century"),
        pytest.param("prompts", 30, (404, "retention-class-unknown"), id="no-class"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(under_test, of, days, want):
    answer = keep(under_test, of, days)
    assert (answer.status_code, answer.json["code"]) == want


def test_only_the_admin_sets_and_applies(under_test):
    roles = ("author", "approver", "auditor", "agent", "investigator")
    assert [keep(under_test, "records", 1, role).status_code for role in roles] == [403] * 5
    assert [apply(under_test, role).status_code for role in roles] == [403] * 5
