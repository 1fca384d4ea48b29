# SPDX-License-Identifier: Apache-2.0
"""What one person put to work at night is looked at by another in the morning."""

import pytest
import structlog

from tests.control_planes import make_plane, sqlite_url


@pytest.fixture
def under_test(tmp_path):
    return make_plane(sqlite_url(tmp_path))


@pytest.fixture
def broken(under_test):
    """An activation by break-glass, beside an ordinary one."""
    release = under_test.release()
    under_test.activate(release["id"])
    glass = {"reason": "logins fail", "minutes": 30}
    body = {"release": release["id"], "environment": "production", "break_glass": glass}
    made = under_test.call("POST", "/v1/activations", "approver", json=body, headers={"If-Match": "*"})
    assert made.status_code == 201, made.text
    return made.json


def another(under_test):
    made = under_test.call("POST", "/v1/role-bindings", "admin", json={"name": "second", "role": "approver"})
    return {"Authorization": f"Bearer {made.json['token']}"}


def review(under_test, activation, headers, **body):
    path = f"/v1/activations/{activation['id']}/review"
    return under_test.call("POST", path, None, json={"verdict": "approve"} | body, headers=headers)


def awaiting(under_test):
    return [item["id"] for item in under_test.call("GET", "/v1/activations?review=awaiting", "auditor").json["items"]]


def test_it_waits_until_somebody_else_said_what_it_was_worth(under_test, broken):
    assert broken["awaits_review"] is True
    assert awaiting(under_test) == [broken["id"]]
    own = under_test.call("POST", f"/v1/activations/{broken['id']}/review", "approver", json={"verdict": "approve"})
    assert (own.status_code, own.json["code"]) == (409, "own-break-glass")
    headers = another(under_test)
    with structlog.testing.capture_logs() as logged:
        reviewed = review(under_test, broken, headers, comment="it was right")
    assert reviewed.status_code == 200, reviewed.text
    assert (reviewed.json["review"]["approved"], reviewed.json["review"]["comment"]) == (True, "it was right")
    assert (reviewed.json["awaits_review"], awaiting(under_test)) == (False, [])
    assert [entry["log_level"] for entry in logged if entry["event"] == "break_glass_reviewed"] == ["warning"]
    page = under_test.plane.metrics.page(tuple).decode()
    assert 'gatehouse_controlplane_break_glass_reviews_total{verdict="approved"} 1.0' in page
    events = [item["action"] for item in under_test.call("GET", "/v1/admin-events", "auditor").json["items"]]
    assert events[-1] == "break_glass_reviewed"
    assert review(under_test, broken, headers).json["code"] == "reviewed-already"


def test_what_is_rejected_is_rolled_back_at_once(under_test, broken):
    assert review(under_test, broken, another(under_test), verdict="reject").status_code == 200
    environment = under_test.call("GET", "/v1/environments/production", "auditor").json
    assert environment["serial"] == broken["serial"] + 1


def test_only_what_broke_the_glass_is_reviewed(under_test, broken):
    ordinary = under_test.call("GET", "/v1/activations", "auditor").json["items"][0]
    assert ordinary["awaits_review"] is False
    assert review(under_test, ordinary, another(under_test)).json["code"] == "not-a-break-glass"
    assert under_test.call("GET", "/v1/activations?review=done", "auditor").status_code == 400
