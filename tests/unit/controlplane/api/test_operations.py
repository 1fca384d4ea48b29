# SPDX-License-Identifier: Apache-2.0
"""Operations over the API."""

import pytest

from controlplane.services.jobs import KEEP
from tests.control_planes import make_plane, sqlite_url
from tests.records import make_record


@pytest.fixture
def under_test(tmp_path):
    under_test = make_plane(sqlite_url(tmp_path))
    under_test.ingest(make_record())
    return under_test


def begin(under_test):
    return under_test.call("POST", "/v1/exports", "auditor", json={"format": "csv"}).json


def test_operations_are_listed_page_by_page(under_test):
    begun = [begin(under_test)["id"] for _ in range(3)]
    first = under_test.call("GET", "/v1/operations?limit=2", "auditor").json
    second = under_test.call("GET", f"/v1/operations?limit=2&cursor={first['next_cursor']}", "auditor").json
    assert [item["id"] for page in (first, second) for item in page["items"]] == begun


def test_a_cancelled_operation_is_not_done(under_test):
    operation = begin(under_test)
    cancelled = under_test.call("POST", f"/v1/operations/{operation['id']}:cancel", "auditor").json
    assert (cancelled["state"], cancelled["cancel_requested"]) == ("cancelled", True)
    assert under_test.work() == 0
    events = under_test.call("GET", "/v1/admin-events", "auditor").json["items"]
    assert events[-1]["action"] == "operation_cancelled"


def test_an_operation_that_has_ended_is_not_cancelled(under_test):
    operation = begin(under_test)
    under_test.work()
    assert under_test.call("POST", f"/v1/operations/{operation['id']}:cancel", "auditor").json["state"] == "succeeded"


def test_a_result_past_its_time_is_gone(under_test):
    operation = begin(under_test)
    under_test.work()
    under_test.clock.turn(KEEP.total_seconds())
    under_test.plane.jobs.tidy()
    shown = under_test.call("GET", f"/v1/operations/{operation['id']}", "auditor").json
    assert (shown["state"], shown["result"], shown["expires_at"]) == ("expired", None, None)
    answer = under_test.call("GET", f"/v1/exports/{operation['id']}/content", "auditor")
    assert (answer.status_code, answer.json["code"]) == (404, "result-expired")


def test_a_file_that_somebody_removed_is_gone(under_test):
    operation = begin(under_test)
    under_test.work()
    for path in under_test.plane.jobs.files.folder.iterdir():
        path.unlink()
    answer = under_test.call("GET", f"/v1/exports/{operation['id']}/content", "auditor")
    assert (answer.status_code, answer.json["code"]) == (404, "result-expired")


@pytest.mark.parametrize("operation_id", ["op_1", "..", "%2e%2e%2f", "x" * 1000])
def test_an_unknown_operation_is_not_found(under_test, operation_id):
    for method, path in (("GET", ""), ("POST", ":cancel")):
        answer = under_test.call(method, f"/v1/operations/{operation_id}{path}", "auditor")
        assert answer.status_code == 404
