# SPDX-License-Identifier: Apache-2.0
import pytest
from structlog.testing import capture_logs

from tests.control_planes import make_plane, sqlite_url

AT = "2026-11-20T12:00:00Z"


@pytest.fixture
def api(tmp_path):
    made = make_plane(sqlite_url(tmp_path))
    yield made
    made.store.close()


def result(check="tls", came_to="failed", detail="certificate-expired", at=AT):
    return {"check": check, "result": came_to, "detail": detail, "at": at}


def report(api, *posture, node="edge-1", **members):
    worker = {"slot": "0", "serial": 0, "epoch": 0, **members.pop("worker", {})}
    body = {
        "node_id": node,
        "version": "1",
        "workers": [worker],
        "guard_engine": "opa",
        "posture": list(posture),
        **members,
    }
    return api.call("POST", f"/v1/agents/{node}/status", "agent", json=body)


def findings(api, query=""):
    answer = api.call("GET", f"/v1/findings{query}", "auditor")
    assert answer.status_code == 200, answer.json
    return answer.json["items"]


def fleet(api, query=""):
    answer = api.call("GET", f"/v1/fleet{query}", "auditor")
    assert answer.status_code == 200, answer.json
    return answer.json["items"]


def test_a_failed_check_opens_one_finding_and_its_passing_closes_it(api):
    with capture_logs() as logs:
        assert report(api, result()).status_code == 200
        report(api, result())
        report(api, result(at="2026-11-20T12:05:00Z"))
    [found] = findings(api, "?state=open")
    assert (found["node"], found["check"], found["detail"]) == ("edge-1", "tls", "certificate-expired")
    assert found["closed_at"] is None
    loud = [(entry["log_level"], entry["node"]) for entry in logs if entry["event"] == "finding_opened"]
    assert loud == [("error", "edge-1")]
    report(api, result(came_to="passed", detail="as-set", at="2026-11-20T12:10:00Z"))
    assert findings(api, "?state=open") == []
    [closed] = findings(api, "?state=closed")
    assert (closed["id"], closed["closed_at"] is not None) == (found["id"], True)
    events = api.call("GET", "/v1/admin-events", "auditor").json["items"]
    assert [each["action"] for each in events if each["target"] == found["id"]] in (
        ["finding_opened", "finding_closed"],
        ["finding_closed", "finding_opened"],
    )


def test_a_check_that_was_skipped_or_is_not_reported_mends_nothing(api):
    report(api, result())
    report(api, result(came_to="skipped", detail="no-answer"))
    report(api)
    assert [found["check"] for found in findings(api, "?state=open")] == ["tls"]


def test_a_check_that_fails_again_opens_another(api):
    for number, came_to in enumerate(("failed", "passed", "failed")):
        report(api, result(came_to=came_to, at=f"2026-11-20T12:0{number}:00Z"))
    assert [found["closed_at"] is None for found in findings(api)] == [False, True]


@pytest.mark.parametrize("query", ["?node=edge-2", "?check=tls", "?environment=production&node=edge-2"])
def test_findings_are_filtered(api, query):
    report(api, result(check="canaries", detail="canary-failed"))
    report(api, result(), node="edge-2")
    assert [found["node"] for found in findings(api, query)] == ["edge-2"]


@pytest.mark.parametrize(
    "wrong",
    [
        [result(), result()],
        [result(came_to="fine")],
        [result(detail="The answer was: secret")],
        [result(check="x" * 65)],
        [result(check=f"check-{number}") for number in range(33)],
    ],
)
def test_results_that_are_none_are_refused(api, wrong):
    assert report(api, *wrong).status_code == 400
    assert findings(api) == []


def test_open_findings_are_counted(api):
    report(api, result(), result(check="of-tomorrow", detail="what"))
    [reading] = api.plane.fleet.readings()
    assert reading.findings == {"tls": 1, "of-tomorrow": 1}


def test_the_fleet_says_who_enforces_what_and_how_far_behind_they_are(api):
    api.activate(api.release()["id"])
    report(api, result(), worker={"epoch": 0, "revocations_epoch": 0})
    api.clock.turn(7)
    [member] = fleet(api)
    assert (member["kind"], member["id"], member["engine"]) == ("node", "edge-1", "opa")
    assert (member["live"], member["stale"]) == (True, False)
    assert (member["desired_serial"], member["serial"], member["in_force"]) == (1, None, False)
    assert member["lag_s"] == 7
    assert member["findings"] == ["tls"]
    assert member["missing"] == 0
    report(api, worker={"serial": 1, "revision": member["desired_revision"]})
    [member] = fleet(api)
    assert (member["serial"], member["revision"], member["in_force"]) == (1, member["desired_revision"], True)
    assert member["lag_s"] == 0
    api.clock.turn(16)
    assert fleet(api)[0]["stale"]


def test_a_node_is_as_far_as_its_slowest_worker(api):
    for _ in range(2):
        api.activate(api.release()["id"])
    workers = [{"slot": str(slot), "serial": 2 - slot, "revision": None, "epoch": 0} for slot in range(2)]
    report(api, workers=workers)
    [member] = fleet(api)
    assert (member["serial"], member["in_force"]) == (1, False)


def test_documents_that_a_node_does_not_follow_yet_are_counted(api):
    api.clock.turn(1)
    with api.store.write() as session:
        epoch = session.environments.get("default", "production").epoch
        session.environments.set_credentials(
            "default", "production", epoch + 3, session.environments.credentials("default", "production")
        )
    report(api, worker={"epoch": epoch + 1})
    [member] = fleet(api)
    assert (member["credentials_behind"], member["revocations_behind"]) == (2, None)


def test_a_stock_opa_is_of_the_fleet(api):
    api.activate(api.release()["id"])
    status = {"labels": {"id": "opa-1", "version": "1.8.0"}, "bundles": {"gatehouse": {"code": "bundle_error"}}}
    answer = api.call("POST", "/opa/v1/production/status", "agent", json=status)
    assert answer.status_code == 200
    api.clock.turn(3)
    [member] = fleet(api, "?environment=production")
    assert (member["kind"], member["id"], member["version"]) == ("opa", "opa-1", "1.8.0")
    assert (member["serial"], member["in_force"], member["lag_s"]) == (None, False, 3)
    assert (member["problem"], member["dropped"], member["missing"]) == ("bundle_error", 0, None)
    assert fleet(api, "?environment=staging") == []
