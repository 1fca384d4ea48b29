# SPDX-License-Identifier: Apache-2.0
"""A job is done once, whatever becomes of who works at it, and says how it ended."""

import errno

import pytest
from structlog.testing import capture_logs

from controlplane.services.errors import Invalid, StoreUnavailable
from controlplane.services.jobs import KEEP, LEASE, MAX_ATTEMPTS
from controlplane.services.operation import OperationKind, OperationState
from controlplane.services.result_files import FolderFull
from tests.control_planes import make_plane, sqlite_url
from tests.records import make_record


@pytest.fixture
def under_test(tmp_path):
    under_test = make_plane(sqlite_url(tmp_path))
    under_test.ingest(*(make_record(seq=number) for number in range(1, 4)))
    return under_test


def asked(under_test, **body):
    answer = under_test.call("POST", "/v1/exports", "auditor", json={"format": "csv"} | body)
    assert answer.status_code == 202, answer.text
    return answer.json


def state_of(under_test, operation):
    return under_test.call("GET", f"/v1/operations/{operation['id']}", "auditor").json


def broken(monkeypatch, under_test, error):
    def run(*_):
        raise error

    monkeypatch.setattr(type(under_test.plane.jobs.work[OperationKind.EXPORT]), "run", run)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        pytest.param(Invalid("no-such-thing", "said"), "no-such-thing", id="refused"),
        pytest.param(FolderFull(), "exports-full", id="no room"),
        pytest.param(OSError(errno.ENOSPC, "of a secret place"), "internal-error", id="disk full"),
        pytest.param(ZeroDivisionError("a secret"), "internal-error", id="a mistake of ours"),
    ],
)
def test_why_a_job_failed_is_said_without_secrets(under_test, monkeypatch, error, code):
    operation = asked(under_test)
    broken(monkeypatch, under_test, error)
    with capture_logs() as logs:
        assert under_test.work() == 1
    failed = state_of(under_test, operation)
    assert (failed["state"], failed["error"]["code"], failed["result"]) == ("failed", code, None)
    assert "secret" not in str(failed) + str(logs)


def test_a_job_that_the_store_interrupted_is_begun_again(under_test, monkeypatch):
    operation = asked(under_test)
    with monkeypatch.context() as patched, capture_logs():
        broken(patched, under_test, StoreUnavailable("gone"))
        assert under_test.work() == 1
    assert state_of(under_test, operation)["state"] == "running"
    assert under_test.work() == 0
    under_test.clock.turn(LEASE.total_seconds() + 1)
    assert under_test.work() == 1
    assert state_of(under_test, operation)["state"] == "succeeded"


def test_a_job_that_never_ends_is_given_up(under_test, monkeypatch):
    operation = asked(under_test)
    broken(monkeypatch, under_test, StoreUnavailable("gone"))
    with capture_logs():
        for _ in range(MAX_ATTEMPTS + 1):
            assert under_test.work() == 1
            under_test.clock.turn(LEASE.total_seconds() + 1)
    assert state_of(under_test, operation)["error"]["code"] == "gave-up"
    assert under_test.work() == 0


def test_a_job_is_given_back_when_the_process_ends(under_test):
    operation = asked(under_test)
    under_test.plane.jobs.stop()
    assert under_test.plane.jobs.work_one()
    assert state_of(under_test, operation)["state"] == "pending"
    under_test.plane.jobs.closing.clear()
    assert under_test.work() == 1
    assert state_of(under_test, operation)["state"] == "succeeded"


def test_a_job_that_another_took_over_leaves_no_file_and_no_event(under_test, monkeypatch):
    operation = asked(under_test)
    jobs = under_test.plane.jobs
    with under_test.store.write() as session:
        slow = session.operations.claim(now=under_test.clock(), until=under_test.clock())
    under_test.clock.turn(1)
    assert under_test.work() == 1
    made = state_of(under_test, operation)["result"]["digest"]
    with under_test.store.write() as session:
        assert not session.operations.advance(slow, slow.operation.progress, until=under_test.clock() + LEASE)
    events = under_test.call("GET", "/v1/admin-events", "auditor").json["items"]
    assert [event["action"] for event in events if event["target"] == operation["id"]] == [
        "export_requested",
        "export_made",
    ]
    assert made == state_of(under_test, operation)["result"]["digest"]
    assert len(list(jobs.files.folder.iterdir())) == 1


def test_results_are_removed_after_their_time(under_test):
    operation = asked(under_test)
    under_test.work()
    under_test.plane.jobs.tidy()
    assert state_of(under_test, operation)["state"] == "succeeded"
    under_test.clock.turn(KEEP.total_seconds())
    under_test.plane.jobs.tidy()
    assert state_of(under_test, operation)["state"] == OperationState.EXPIRED.value
    assert list(under_test.plane.jobs.files.folder.iterdir()) == []
