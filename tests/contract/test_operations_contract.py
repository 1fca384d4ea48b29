# SPDX-License-Identifier: Apache-2.0
"""What `controlplane.services.operation.OperationStore` promises, on every database."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from controlplane.services.errors import StoreUnavailable
from controlplane.services.model import Role
from controlplane.services.operation import (
    Operation,
    OperationFailure,
    OperationKind,
    OperationResult,
    OperationState,
    Progress,
)
from tests.records import NOON

T = "default"
LATER = NOON + timedelta(minutes=1)
MUCH_LATER = NOON + timedelta(hours=1)
RESULT = OperationResult(filename="op_1.csv", media_type="text/csv", size_bytes=7, digest="sha256:ab")


def operation(operation_id: str = "op_1", **changes) -> Operation:
    members = {
        "tenant": T,
        "id": operation_id,
        "kind": OperationKind.EXPORT,
        "state": OperationState.PENDING,
        "question": {"format": "csv", "filter": {"models": ["é"]}},
        "created_by": "auditor",
        "role": Role.AUDITOR,
        "created_at": NOON,
    }
    return Operation(**members | changes)


def add(store, *which: Operation) -> None:
    with store.write() as session:
        for each in which:
            session.operations.add(each)


def claim(store, now=NOON, until=LATER):
    with store.write() as session:
        return session.operations.claim(now=now, until=until)


def end(store, claimed, **how) -> bool:
    members = {"state": OperationState.SUCCEEDED, "progress": Progress(done=9, total=9, rows=3), "result": RESULT}
    with store.write() as session:
        return session.operations.end(claimed, at=LATER, expires_at=MUCH_LATER, **(members | how))


def get(store, operation_id="op_1"):
    with store.read() as session:
        return session.operations.get(T, operation_id)


def test_a_job_comes_back_as_it_was_kept(store):
    add(store, operation())
    assert get(store) == operation()
    with store.read() as session:
        assert session.operations.get("other", "op_1") is None


def test_jobs_are_claimed_once_each_the_oldest_first(store):
    add(store, operation("op_2"), operation("op_1"))
    assert [claim(store).operation.id, claim(store).operation.id, claim(store)] == ["op_1", "op_2", None]
    assert (get(store).state, get(store).started_at) == (OperationState.RUNNING, NOON)


def test_a_job_whose_lease_ran_out_is_claimed_again_and_lost_to_whoever_had_it(store):
    add(store, operation())
    first = claim(store)
    assert claim(store, now=LATER) is None
    second = claim(store, now=LATER + timedelta(seconds=1), until=MUCH_LATER)
    assert (second.operation.id, second.fence) == ("op_1", first.fence + 1)
    with store.write() as session:
        assert not session.operations.advance(first, Progress(done=5, total=9), until=MUCH_LATER)
        assert session.operations.advance(second, Progress(done=1, total=9), until=MUCH_LATER)
    assert not end(store, first)
    assert (get(store).state, get(store).progress.done) == (OperationState.RUNNING, 1)
    assert end(store, second)
    assert not end(store, second)


def test_a_lease_is_extended_by_progress(store):
    add(store, operation())
    claimed = claim(store)
    with store.write() as session:
        assert session.operations.advance(claimed, Progress(done=1, total=2, rows=1), until=MUCH_LATER)
    assert claim(store, now=LATER + timedelta(seconds=1)) is None
    assert get(store).progress == Progress(done=1, total=2, rows=1)


def test_a_job_that_was_given_back_is_claimed_at_once(store):
    add(store, operation())
    with store.write() as session:
        session.operations.release(claim_in(session))
    assert claim(store).fence == 2


def claim_in(session):
    return session.operations.claim(now=NOON, until=LATER)


def test_how_a_job_ended(store):
    add(store, operation("op_1"), operation("op_2"))
    assert end(store, claim(store))
    failure = OperationFailure(code="exports-full", detail="no room")
    assert end(store, claim(store), state=OperationState.FAILED, result=None, failure=failure)
    made, failed = get(store, "op_1"), get(store, "op_2")
    assert (made.state, made.result, made.expires_at) == (OperationState.SUCCEEDED, RESULT, MUCH_LATER)
    assert (made.ended_at, made.progress.rows, made.failure) == (LATER, 3, None)
    assert (failed.state, failed.failure, failed.result) == (OperationState.FAILED, failure, None)


@pytest.mark.parametrize(
    ("begun", "want"), [(False, OperationState.CANCELLED), (True, OperationState.RUNNING)], ids=["waiting", "running"]
)
def test_a_cancelled_job_is_not_begun_or_told_to_stop(store, begun, want):
    add(store, operation())
    claimed = claim(store) if begun else None
    with store.write() as session:
        session.operations.cancel(T, "op_1", at=LATER)
    assert (get(store).state, get(store).cancel_requested) == (want, True)
    if claimed is None:
        assert claim(store) is None
    else:
        with store.write() as session:
            assert not session.operations.advance(claimed, Progress(), until=MUCH_LATER)
        assert end(store, claimed, state=OperationState.CANCELLED, result=None)


def test_a_job_that_has_ended_cannot_be_cancelled(store):
    add(store, operation())
    end(store, claim(store))
    with store.write() as session:
        session.operations.cancel(T, "op_1", at=LATER)
    assert (get(store).state, get(store).cancel_requested) == (OperationState.SUCCEEDED, False)


def test_results_count_until_their_time_is_over(store):
    add(store, operation())
    end(store, claim(store))
    with store.write() as session:
        assert (session.operations.stored_bytes(), session.operations.names()) == (7, {"op_1.csv"})
        assert session.operations.expire(now=LATER) == ()
        assert session.operations.expire(now=MUCH_LATER) == ("op_1.csv",)
        assert (session.operations.stored_bytes(), session.operations.names()) == (0, frozenset())
    assert get(store).state is OperationState.EXPIRED


def test_unfinished_jobs_are_counted_for_each_principal(store):
    add(store, operation("op_1"), operation("op_2"), operation("op_3", created_by="another"))
    end(store, claim(store))
    with store.read() as session:
        assert session.operations.unfinished(T, "auditor") == 1


def test_pages_are_of_the_tenant(store):
    add(store, operation("op_1"), operation("op_2"), replace(operation("op_3"), tenant="other"))
    with store.read() as session:
        first = session.operations.page(T, after=None, limit=1)
        second = session.operations.page(T, after=first.next_key, limit=1)
    assert [each.id for page in (first, second) for each in page.items] == ["op_1", "op_2"]
    assert second.next_key is None


def test_processes_that_claim_at_once_take_different_jobs(store):
    add(store, *(operation(f"op_{number}") for number in range(8)))

    def take(_: int) -> list[str]:
        taken = []
        for _ in range(40):
            try:
                claimed = claim(store, until=MUCH_LATER)
            except StoreUnavailable:
                continue
            if claimed is None:
                break
            taken.append(claimed.operation.id)
        return taken

    with ThreadPoolExecutor(4) as threads:
        taken = [one for several in threads.map(take, range(4)) for one in several]
    assert sorted(taken) == [f"op_{number}" for number in range(8)]
