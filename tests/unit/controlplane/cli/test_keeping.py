# SPDX-License-Identifier: Apache-2.0
"""`gatehouse erase`, `gatehouse hold` and `gatehouse retention`."""

import json

import pytest

from tests.records import make_record


def shown(result):
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


@pytest.fixture
def ingested(under_test):
    under_test.ingest(make_record(seq=1, request_id="req_1"), make_record(seq=2, request_id="req_2"))


@pytest.mark.usefixtures("ingested")
@pytest.mark.parametrize(
    ("what", "want"),
    [
        (("subject", "user:alice"), "is done: 2 payloads and 0 keys are gone"),
        (("request", "req_2"), "is done: 1 payloads and 0 keys are gone"),
        (("period", "2026-11-20"), "is done: 0 payloads and 1 keys are gone"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_what_is_erased_is_said(gatehouse, what, want):
    assert want in gatehouse("erase", *what).stdout
    assert shown(gatehouse("erase", *what, "--json"))["state"] == "done"


@pytest.mark.usefixtures("ingested")
def test_a_hold_keeps_what_it_covers_until_it_is_released(gatehouse):
    hold = gatehouse(
        "hold", "place", "--reason", "case 7", "--subject", "user:alice", "--request", "req_1"
    ).stdout.strip()
    refused = gatehouse("erase", "subject", "user:alice")
    assert (refused.exit_code, hold in refused.stderr) == (1, True)
    table = gatehouse("hold", "list").stdout
    assert (hold in table, "case 7" in table) == (True, True)
    assert gatehouse("hold", "release", hold).stdout == f"{hold} is released\n"
    assert shown(gatehouse("hold", "list", "--json"))["items"][0]["released_by"] == "approver"
    assert gatehouse("erase", "subject", "user:alice").exit_code == 0


@pytest.mark.usefixtures("ingested")
def test_retention_is_set_and_applied(gatehouse):
    assert gatehouse("retention", "set", "payloads", "30").stdout == "payloads are kept for 30 days\n"
    assert gatehouse("retention", "set", "records", "keep").stdout == "records are kept for good\n"
    assert [item["days"] for item in shown(gatehouse("retention", "list", "--json"))["items"]] == [30, None]
    assert "for good" in gatehouse("retention", "list").stdout
    assert shown(gatehouse("retention", "apply", "--json")) == {"items": []}
    assert shown(gatehouse("retention", "drops", "--json")) == {"items": []}
    assert gatehouse("retention", "set", "payloads", "soon").exit_code == 2
