# SPDX-License-Identifier: Apache-2.0
"""Asking for activations, and ending them by hand."""

import shutil
import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from controlplane.services.feeds import Feed
from tests.control_planes import make_plane, sqlite_url

HERE = {"tenant": "default", "environment": "production"}
CANARY = {"subjects_percent": 5}


@pytest.fixture(scope="module")
def migrated(tmp_path_factory):
    """A database in which one release is in force, and how it was made."""
    folder = tmp_path_factory.mktemp("migrated")
    made = make_plane(sqlite_url(folder))
    release = made.release()["id"]
    made.activate(release)
    made.store.close()
    return folder / "gatehouse.db", release


@pytest.fixture
def api(tmp_path, migrated):
    shutil.copy(migrated[0], tmp_path)
    made = make_plane(sqlite_url(tmp_path))
    made.last["release"] = migrated[1]
    yield made
    made.store.close()


def ask(api, role="approver", **body):
    etag = api.call("GET", "/v1/environments/production", "approver").headers["ETag"]
    asked = {"release": api.last["release"], "environment": "production", **body}
    return api.call("POST", "/v1/activations", role, json=asked, headers={"If-Match": etag})


def do(api, activation, what):
    return api.call("POST", f"/v1/activations/{activation['id']}:{what}", "approver")


def roll_back(api, headers=None, **body):
    return api.call("POST", "/v1/environments/production:rollback", "approver", json=body, headers=headers or {})


def serial(api):
    return api.call("GET", "/v1/environments/production", "approver").json["serial"]


def in_minutes(api, minutes):
    return (api.clock() + timedelta(minutes=minutes)).isoformat()


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        pytest.param({"mode": "shadow"}, "/mode", id="an-unknown-mode"),
        pytest.param({"mode": "observe", "canary": CANARY}, "/canary", id="a-share-of-what-only-observes"),
        pytest.param({"canary": {}}, "/canary", id="a-share-of-nothing"),
        pytest.param({"canary": {"subjects_percent": 1, "workers_percent": 1}}, "/canary", id="two-shares"),
        pytest.param({"canary": {"subjects_percent": 101}}, "/canary/subjects_percent", id="more-than-all"),
        pytest.param({"canary": {"subjects_percent": "5"}}, "/canary/subjects_percent", id="a-percentage-as-text"),
        pytest.param(
            {"canary": CANARY | {"thresholds": {"denied_points": -1}}},
            "/canary/thresholds/denied_points",
            id="a-threshold-below-nothing",
        ),
        pytest.param({"not_before": "tomorrow"}, "/not_before", id="no-time"),
        pytest.param({"expires_at": "2020-01-01T00:00:00Z"}, "/expires_at", id="over-before-it-begins"),
        pytest.param({"acknowledge_within_s": 0}, "/acknowledge_within_s", id="no-time-to-acknowledge"),
        pytest.param({"break_glass": {"reason": "x", "minutes": 4}}, "/break_glass/minutes", id="too-short"),
        pytest.param({"break_glass": {"reason": "x", "minutes": 1441}}, "/break_glass/minutes", id="too-long"),
        pytest.param({"break_glass": {"reason": "", "minutes": 5}}, "/break_glass/reason", id="without-a-reason"),
        pytest.param(
            {"break_glass": {"reason": "x", "minutes": 5}, "canary": CANARY}, "/break_glass", id="break-glass-in-part"
        ),
        pytest.param({"colour": "red"}, "/colour", id="an-unknown-member"),
    ],
)
def test_refuses_what_makes_no_sense(api, body, pointer):
    answer = ask(api, **body)
    assert (answer.status_code, [one["pointer"] for one in answer.json["errors"]]) == (400, [pointer])
    assert serial(api) == 1


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"canary": CANARY}, id="a-canary"),
        pytest.param({"mode": "warn"}, id="a-mode"),
        pytest.param({"break_glass": {"reason": "x", "minutes": 5}}, id="a-break-glass"),
    ],
)
def test_the_first_release_ever_is_put_to_work_whole(tmp_path, body):
    empty = make_plane(sqlite_url(tmp_path))
    empty.last["release"] = empty.release()["id"]
    answer = ask(empty, **body)
    assert (answer.status_code, answer.json["code"]) == (409, "nothing-in-force")
    empty.store.close()


def rows(folder):
    with closing(sqlite3.connect(folder / "gatehouse.db")) as database:
        return list(database.iterdump())


def validate(api, etag=None, **body):
    etag = etag or api.call("GET", "/v1/environments/production", "approver").headers["ETag"]
    asked = {"release": api.last["release"], "environment": "production", **body}
    path = "/v1/activations?validate_only=true"
    return api.call("POST", path, "approver", json=asked, headers={"If-Match": etag})


@pytest.mark.parametrize(
    ("body", "state", "previous"),
    [
        pytest.param({}, "pending", 1, id="at-once"),
        pytest.param({"canary": CANARY}, "candidate", 1, id="a-canary"),
        pytest.param({"not_before": "2099-01-01T00:00:00Z"}, "scheduled", None, id="later"),
        pytest.param({"break_glass": {"reason": "x", "minutes": 5}}, "pending", 1, id="a-break-glass"),
    ],
)
def test_an_activation_that_is_only_validated_changes_nothing(api, tmp_path, body, state, previous):
    before, published = rows(tmp_path), api.plane.feeds.artifact(Feed.BUNDLE, **HERE).etag
    answer = validate(api, **body)
    assert answer.status_code == 200, answer.text
    assert "Location" not in answer.headers
    assert {name: answer.json[name] for name in ("id", "serial", "state", "previous_serial", "history", "workers")} == {
        "id": "",
        "serial": None,
        "state": state,
        "previous_serial": previous,
        "history": [],
        "workers": [],
    }
    assert answer.json["acknowledge_within_s"] == 30
    assert (answer.json["break_glass_until"] is not None) == ("break_glass" in body)
    assert (rows(tmp_path), api.plane.feeds.artifact(Feed.BUNDLE, **HERE).etag) == (before, published)
    made = ask(api, **body).json
    assert (made["state"], made["previous_serial"]) == (state, previous)


def test_what_is_only_validated_is_refused_as_what_is_done(api, tmp_path):
    stale = validate(api, etag='"7"')
    assert (stale.status_code, stale.json["code"]) == (412, "state-changed")
    senseless = validate(api, mode="observe", canary=CANARY)
    assert (senseless.status_code, senseless.json["errors"][0]["pointer"]) == (400, "/canary")
    ask(api, canary=CANARY)
    assert validate(api, canary=CANARY).json["code"] == "candidate-under-way"
    rules = {"approvals_required": 2}
    api.call("PUT", "/v1/environments/production/rules", "admin", json=rules, headers={"If-Match": "*"})
    before = rows(tmp_path)
    assert validate(api).json["code"] == "approvals-missing"
    assert rows(tmp_path) == before


def test_one_candidate_at_a_time(api):
    assert ask(api, canary=CANARY).status_code == 201
    again = ask(api, canary=CANARY)
    assert (again.status_code, again.json["code"]) == (409, "candidate-under-way")
    plain = ask(api)
    assert (plain.status_code, plain.json["code"]) == (409, "candidate-under-way")


def test_a_candidate_is_promoted_once(api):
    tried = ask(api, canary=CANARY).json
    promoted = do(api, tried, "promote")
    assert (promoted.status_code, promoted.json["state"], promoted.json["serial"]) == (200, "pending", 2)
    assert serial(api) == 2
    again = do(api, tried, "promote")
    assert (again.status_code, again.json["code"]) == (409, "not-a-candidate")


@pytest.mark.parametrize(("what", "state"), [("rollback", "rolled-back"), ("cancel", "cancelled")])
def test_a_candidate_is_ended_by_hand_and_again_without_effect(api, what, state):
    tried = ask(api, mode="observe").json
    for _ in range(2):
        ended = do(api, tried, what)
        assert (ended.status_code, ended.json["state"]) == (200, state)
    assert serial(api) == 1
    # Its serial was taken: what comes next has another.
    assert ask(api).json["serial"] == 3


def test_what_is_scheduled_is_cancelled(api):
    later = ask(api, not_before=in_minutes(api, 60)).json
    assert do(api, later, "cancel").json["state"] == "cancelled"
    assert do(api, later, "rollback").json["code"] == "not-in-force"


def test_what_is_in_force_is_rolled_back_and_not_cancelled(api):
    second = ask(api).json
    refused = do(api, second, "cancel")
    assert (refused.status_code, refused.json["code"]) == (409, "not-cancellable")
    for _ in range(2):
        assert do(api, second, "rollback").json["state"] == "rolled-back"
    assert serial(api) == 3
    back = api.call("GET", "/v1/environments/production", "approver").json["desired"]
    assert api.call("GET", f"/v1/activations/{back['activation']}", "approver").json["rolls_back"] == second["id"]


def test_the_environment_goes_back_by_one_command_without_if_match(api):
    second = ask(api).json
    back = roll_back(api)
    assert (back.status_code, back.json["serial"], back.json["rolls_back"]) == (200, 3, second["id"])
    nothing = roll_back(api)
    assert (nothing.status_code, nothing.json["code"]) == (409, "nothing-to-go-back-to")


def test_a_rollback_that_names_its_serial_is_done_once(api):
    ask(api)
    first, second = roll_back(api, from_serial=2), roll_back(api, from_serial=2)
    assert (first.json["id"], first.json["serial"]) == (second.json["id"], 3)
    assert serial(api) == 3
    unknown = roll_back(api, from_serial=99)
    assert (unknown.status_code, unknown.json["code"]) == (409, "serial-unknown")


def test_a_rollback_that_names_a_candidate_ends_that_alone(api):
    tried = ask(api, canary=CANARY).json
    answer = roll_back(api, from_serial=2)
    assert (answer.status_code, answer.json["serial"]) == (200, 1)
    assert api.call("GET", f"/v1/activations/{tried['id']}", "approver").json["state"] == "rolled-back"


def test_a_rollback_ends_a_candidate_too(api):
    ask(api)
    tried = ask(api, canary=CANARY).json
    assert roll_back(api).json["serial"] == 4
    assert api.call("GET", f"/v1/activations/{tried['id']}", "approver").json["state"] == "superseded"


@pytest.mark.parametrize("named", [{}, {"from_serial": 1}])
def test_a_rollback_ends_a_candidate_where_nothing_was_in_force_before(api, named):
    tried = ask(api, canary=CANARY).json
    answer = roll_back(api, **named)
    assert (answer.status_code, answer.json["serial"], answer.json["rolls_back"]) == (200, 1, None)
    assert api.call("GET", f"/v1/activations/{tried['id']}", "approver").json["state"] == "rolled-back"
    assert api.call("GET", "/v1/environments/production", "approver").json["candidate"] is None
    again = roll_back(api, **named)
    assert (again.status_code, again.json["code"]) == (409, "nothing-to-go-back-to")


def test_a_rollback_with_if_match_is_held_to_it(api):
    ask(api)
    stale = roll_back(api, headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.json["code"]) == (412, "state-changed")


def test_two_rollbacks_go_back_two_releases_instead_of_back_and_forth(api):
    ask(api)
    ask(api)
    assert roll_back(api).json["previous_serial"] == 1
    again = roll_back(api)
    assert (again.status_code, again.json["previous_serial"]) == (200, None)
    assert "serial 1" in again.json["history"][0]["why"]


def test_a_break_glass_is_loud_and_ends_a_candidate(api):
    tried = ask(api, canary=CANARY).json
    rules = {"approvals_required": 2}
    api.call("PUT", "/v1/environments/production/rules", "admin", json=rules, headers={"If-Match": "*"})
    refused = ask(api)
    assert (refused.status_code, refused.json["code"]) == (409, "approvals-missing")
    with capture_logs() as logs:
        broken = ask(api, break_glass={"reason": "logins fail", "minutes": 15})
    assert (broken.status_code, broken.json["state"]) == (201, "pending")
    assert broken.json["break_glass"] == {"reason": "logins fail", "minutes": 15}
    assert api.call("GET", f"/v1/activations/{tried['id']}", "approver").json["state"] == "superseded"
    warned = [line for line in logs if line["event"] == "break_glass_used"]
    assert [(line["log_level"], line["principal"]) for line in warned] == [("warning", "approver")]
    assert "logins fail" not in str(warned)
    events = api.call("GET", "/v1/admin-events?limit=500", "auditor").json["items"]
    assert "break_glass_used" in [event["action"] for event in events]
    assert b"gatehouse_controlplane_break_glass_total 1.0" in api.plane.metrics.page(list)


def test_the_list_has_what_was_scheduled_too(api):
    ask(api, not_before=in_minutes(api, 60))
    listed = api.call("GET", "/v1/activations", "auditor").json["items"]
    assert [(one["state"], one["serial"]) for one in listed] == [("pending", 1), ("scheduled", None)]


def test_what_was_in_force_when_does_not_name_a_candidate(api):
    ask(api, canary=CANARY)
    api.clock.turn(60)
    later = ask(api, break_glass={"reason": "x", "minutes": 5}).json
    found = api.plane.point_in_time.in_force(_auditor(api), environment="production", at=api.clock(), asked=None)
    assert (found.activation.serial, found.until) == (later["serial"], None)
    earlier = api.clock() - timedelta(seconds=30)
    before = api.plane.point_in_time.in_force(_auditor(api), environment="production", at=earlier, asked=None)
    assert (before.activation.serial, before.until) == (1, api.clock())


def test_no_candidate_is_in_the_bundle_feed(api):
    where = {"tenant": "default", "environment": "production"}
    before = api.plane.feeds.artifact(Feed.BUNDLE, **where)
    ask(api, canary=CANARY)
    assert api.plane.feeds.artifact(Feed.BUNDLE, **where) == before


def _auditor(api):
    with api.store.read() as session:
        return session.principals.by_id("default", "auditor")
