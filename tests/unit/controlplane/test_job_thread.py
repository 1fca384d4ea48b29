# SPDX-License-Identifier: Apache-2.0
"""The thread takes jobs up as they are asked for, and survives what cannot be done."""

import threading

import pytest
from structlog.testing import capture_logs

from controlplane.job_thread import job_thread
from controlplane.services.jobs import Jobs
from tests.control_planes import make_plane, sqlite_url
from tests.records import make_record

DEADLINE_S = 30


@pytest.fixture
def under_test(tmp_path):
    under_test = make_plane(sqlite_url(tmp_path))
    under_test.ingest(make_record())
    return under_test


def ended(under_test, operation):
    for _ in range(DEADLINE_S * 20):
        shown = under_test.call("GET", f"/v1/operations/{operation['id']}", "auditor").json
        if shown["state"] not in {"pending", "running"}:
            return shown
        threading.Event().wait(0.05)
    return shown


def begin(under_test):
    return under_test.call("POST", "/v1/exports", "auditor", json={"format": "csv"}).json


def test_a_job_is_done_while_the_thread_runs_and_not_after(under_test):
    with capture_logs(), job_thread(under_test.plane):
        assert ended(under_test, begin(under_test))["state"] == "succeeded"
    waiting = begin(under_test)
    assert under_test.call("GET", f"/v1/operations/{waiting['id']}", "auditor").json["state"] == "pending"


def test_a_mistake_does_not_end_the_thread(under_test, monkeypatch):
    tidy, failed = Jobs.tidy, threading.Event()

    def fail_once(jobs):
        if not failed.is_set():
            failed.set()
            raise ZeroDivisionError("a secret")
        tidy(jobs)

    monkeypatch.setattr(Jobs, "tidy", fail_once)
    with capture_logs() as logs, job_thread(under_test.plane):
        assert failed.wait(DEADLINE_S)
        assert ended(under_test, begin(under_test))["state"] == "succeeded"
    assert "ZeroDivisionError" in str(logs)
    assert "secret" not in str(logs)
