# SPDX-License-Identifier: Apache-2.0
import pytest

from tests.control_planes import make_plane, sqlite_url


@pytest.fixture
def under_test(tmp_path):
    return make_plane(sqlite_url(tmp_path))


def place(under_test, role="admin", **body):
    return under_test.call("POST", "/v1/legal-holds", role, json={"reason": "case 7"} | body)


def test_a_hold_is_kept_with_who_placed_and_who_released_it(under_test):
    placed = place(under_test, subject="user:alice")
    path = placed.headers["Location"]
    assert (placed.json["placed_by"], placed.json["released_by"]) == ("admin", None)
    assert "alice" not in placed.text
    released = under_test.call("POST", f"{path}:release", "approver")
    assert (released.status_code, released.json["released_by"]) == (200, "approver")
    assert under_test.call("GET", path, "auditor").json == released.json
    assert under_test.call("GET", "/v1/legal-holds", "auditor").json["items"] == [released.json]
    actions = [event["action"] for event in under_test.call("GET", "/v1/admin-events", "auditor").json["items"]]
    assert actions[-2:] == ["legal_hold_placed", "legal_hold_released"]


def test_a_hold_is_released_once_and_by_an_approver(under_test):
    path = place(under_test, policy="chat").headers["Location"]
    assert under_test.call("POST", f"{path}:release", "admin").status_code == 403
    assert under_test.call("POST", f"{path}:release", "approver").status_code == 200
    again = under_test.call("POST", f"{path}:release", "approver")
    assert (again.status_code, again.json["code"]) == (409, "legal-hold-released")
    unknown = under_test.call("POST", "/v1/legal-holds/hold_x:release", "approver")
    assert (unknown.status_code, unknown.json["code"]) == (404, "legal-hold-unknown")


@pytest.mark.parametrize(
    ("body", "want"),
    [
        pytest.param({}, "hold-without-scope", id="nothing-to-hold"),
        pytest.param({"from": "2026-11-20T00:00:00Z", "to": "2026-11-20T00:00:00Z"}, "period-empty", id="no-time"),
        pytest.param({"subject": "alice"}, "subject-invalid", id="no-subject"),
        pytest.param({"policy": "p", "reason": ""}, "body-invalid", id="no-reason"),
    ],
)
def test_a_hold_that_makes_no_sense_is_refused(under_test, body, want):
    answer = place(under_test, **body)
    assert (answer.status_code, answer.json["code"]) == (400, want)


def test_only_the_admin_places(under_test):
    roles = ("author", "approver", "auditor", "agent")
    assert [place(under_test, role, policy="p").status_code for role in roles] == [403] * 4
