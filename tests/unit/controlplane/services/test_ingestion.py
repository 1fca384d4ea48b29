# SPDX-License-Identifier: Apache-2.0
"""Backpressure and alarms of ingestion, as a node meets them."""

from contextlib import ExitStack

import pytest
import structlog

from controlplane.services.ingestion import MAX_AT_ONCE
from tests.control_planes import PlaneUnderTest, make_plane, sqlite_url
from tests.records import make_record


@pytest.fixture
def under_test(tmp_path) -> PlaneUnderTest:
    made = make_plane(sqlite_url(tmp_path))
    yield made
    made.store.close()


def test_a_batch_too_many_is_told_when_to_come_again_and_then_taken(under_test):
    line = make_record(seq=1).to_line()
    with ExitStack() as places:
        for _ in range(MAX_AT_ONCE):
            places.enter_context(under_test.plane.ingestion.place())
        answer = under_test.ingest_bytes(line)
        assert (answer.status_code, answer.json["code"]) == (429, "ingestion-behind")
        assert answer.headers["Retry-After"] == "1"
    for _ in range(MAX_AT_ONCE + 1):  # a place is given back whatever came of it
        assert under_test.ingest_bytes(b"{\n").json["quarantined"] == 1
    assert under_test.ingest_bytes(line).json == {"stored": 1, "duplicates": 0, "quarantined": 0}


def test_an_empty_batch_is_taken(under_test):
    assert under_test.ingest_bytes(b"").json == {"stored": 0, "duplicates": 0, "quarantined": 0}


def test_a_gap_is_an_alarm_that_names_no_content(under_test):
    with structlog.testing.capture_logs() as logged:
        under_test.ingest_bytes(make_record(seq=4).to_line())
    (alarm,) = [event for event in logged if event["event"] == "sequence_gap_found"]
    assert (alarm["log_level"], alarm["source"], alarm["first_seq"], alarm["last_seq"]) == ("error", "node-1/w0", 1, 3)
    page = under_test.plane.metrics.page(under_test.plane.fleet.readings).decode()
    assert "gatehouse_controlplane_missing_records_total 3.0" in page
