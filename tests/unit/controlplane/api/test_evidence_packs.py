# SPDX-License-Identifier: Apache-2.0
"""Evidence packs over the API."""

import pytest

from tests.control_planes import make_plane, sqlite_url


@pytest.fixture
def under_test(tmp_path):
    return make_plane(sqlite_url(tmp_path))


def test_a_pack_is_an_operation(under_test):
    body = {"from": "2026-11-20T00:00:00Z", "to": "2026-11-21T00:00:00Z"}
    answer = under_test.call("POST", "/v1/evidence-packs", "auditor", json=body)
    assert (answer.status_code, answer.json["kind"], answer.json["state"]) == (202, "evidence-pack", "pending")
    assert answer.headers["Location"] == f"/v1/operations/{answer.json['id']}"
    for collection, status in (("evidence-packs", 409), ("exports", 404)):
        early = under_test.call("GET", f"/v1/{collection}/{answer.json['id']}/content", "auditor")
        assert early.status_code == status


@pytest.mark.parametrize(
    ("body", "want"),
    [
        pytest.param({}, (400, "body-invalid"), id="no period"),
        pytest.param(
            {"from": "2026-11-21T00:00:00Z", "to": "2026-11-20T00:00:00Z"}, (400, "body-invalid"), id="turned round"
        ),
        pytest.param(
            {"from": "2026-11-20T00:00:00Z", "to": "2026-11-20T00:00:00Z"}, (400, "body-invalid"), id="no length"
        ),
        pytest.param({"from": "x", "to": "2026-11-20T00:00:00Z"}, (400, "body-invalid"), id="no time"),
        pytest.param(
            {"from": "2026-11-20T00:00:00Z", "to": "2026-11-21T00:00:00Z", "environment": "nowhere"},
            (404, "environment-unknown"),
            id="no such environment",
        ),
    ],
)
def test_a_period_that_makes_no_sense_is_refused(under_test, body, want):
    answer = under_test.call("POST", "/v1/evidence-packs", "auditor", json=body)
    assert (answer.status_code, answer.json["code"]) == want
