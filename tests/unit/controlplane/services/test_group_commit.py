# SPDX-License-Identifier: Apache-2.0
"""Batches that wait together are stored together, and each has its own answer."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from types import SimpleNamespace

import pytest

from controlplane.services.errors import StoreUnavailable
from controlplane.services.group_commit import GroupCommit
from controlplane.services.records import Batch, Ingested
from tests.records import NOON


class FakeLog:
    """A store whose first append waits for `go`; later ones fail as `failing` says of the batches they have."""

    def __init__(self, failing=lambda _batches: None) -> None:
        self.go = Event()
        self.begun = Event()
        self.groups: list[tuple[str, int]] = []
        self._failing = failing

    @contextmanager
    def write(self) -> Iterator[SimpleNamespace]:
        yield SimpleNamespace(decisions=self)

    def append_batches(self, tenant, batches, *, at):
        self.begun.set()
        assert self.go.wait(10)
        self.groups.append((tenant, len(batches)))
        if failure := self._failing(batches):
            raise failure
        return tuple(Ingested(stored=len(batch.records), duplicates=0, quarantined=0) for batch in batches)


def batch(length: int) -> Batch:
    return Batch(records=[None] * length, quarantined=())


def appended(log: FakeLog, *asked: tuple[str, Batch]) -> list[Future]:
    """Append the first, and while it is being stored the others, in their order."""
    commits = GroupCommit(store=log, clock=lambda: NOON)
    with ThreadPoolExecutor(len(asked)) as threads:
        futures = []
        for number, one in enumerate(asked):
            futures.append(threads.submit(commits.append, *one))
            assert log.begun.wait(10)
            while number and len(commits._queue) < number:
                Event().wait(0.001)
        log.go.set()
    return futures


def test_what_waits_is_stored_in_one_transaction_and_answered_apart():
    log = FakeLog()
    futures = appended(log, ("a", batch(1)), ("a", batch(2)), ("a", batch(3)))
    assert [future.result().stored for future in futures] == [1, 2, 3]
    assert log.groups == [("a", 1), ("a", 2)]


def test_a_transaction_is_of_one_tenant_and_of_bounded_length():
    log = FakeLog()
    asked = [("a", batch(1)), ("a", batch(7_000)), ("a", batch(1_000)), ("a", batch(1)), ("b", batch(1))]
    futures = appended(log, *asked)
    assert [future.result().stored for future in futures] == [1, 7_000, 1_000, 1, 1]
    assert log.groups == [("a", 1), ("a", 2), ("a", 1), ("b", 1)]


def test_all_of_a_transaction_that_failed_are_told_to_come_again():
    log = FakeLog(lambda batches: StoreUnavailable("full") if len(batches) > 1 else None)
    first, *others = appended(log, ("a", batch(1)), ("a", batch(2)), ("a", batch(3)))
    assert first.result().stored == 1
    for future in others:
        with pytest.raises(StoreUnavailable):
            future.result()


def test_a_batch_that_breaks_the_store_takes_no_other_with_it():
    log = FakeLog(lambda batches: ZeroDivisionError() if any(len(each.records) == 2 for each in batches) else None)
    _, *others = appended(log, ("a", batch(1)), ("a", batch(2)), ("a", batch(3)), ("a", batch(4)))
    broken = [type(future.exception()) for future in others]
    assert broken[0] is ZeroDivisionError
    assert broken[1:].count(ZeroDivisionError) <= 1  # who had the turn hears of it, whoever was to blame
    assert log.groups[-1] == ("a", 1)


def test_goes_on_after_a_failure():
    log = FakeLog(lambda batches: StoreUnavailable("full") if len(batches[0].records) == 1 else None)
    log.go.set()
    commits = GroupCommit(store=log, clock=lambda: NOON)
    with pytest.raises(StoreUnavailable):
        commits.append("a", batch(1))
    assert commits.append("a", batch(2)).stored == 2
