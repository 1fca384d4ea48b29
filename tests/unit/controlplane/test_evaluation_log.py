# SPDX-License-Identifier: Apache-2.0
import asyncio
import threading

import pytest

from controlplane.evaluation_log import EvaluationLog
from controlplane.services.errors import StoreUnavailable


class Kept:
    """Keeps what it is given once it is let, and counts how often it was asked."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[object]]] = []
        self.may = threading.Event()
        self.may.set()
        self.problem: Exception | None = None

    def __call__(self, tenant: str, entries: list[object]) -> None:
        self.may.wait(10)
        self.calls.append((tenant, list(entries)))
        if self.problem is not None:
            raise self.problem


async def test_what_waits_at_the_same_time_is_one_write() -> None:
    kept = Kept()
    kept.may.clear()
    log = EvaluationLog(kept)
    appends = [asyncio.create_task(log.append("default", [n])) for n in range(50)]
    await asyncio.sleep(0.01)
    late = asyncio.create_task(log.append("default", [50]))
    await asyncio.sleep(0.01)
    assert not any(append.done() for append in appends)
    kept.may.set()
    await asyncio.gather(*appends, late)
    assert kept.calls == [("default", list(range(50))), ("default", [50])]


async def test_tenants_are_never_written_together() -> None:
    kept = Kept()
    log = EvaluationLog(kept)
    await asyncio.gather(*(log.append(tenant, [tenant]) for tenant in ("a", "b", "a")))
    assert all(set(entries) == {tenant} for tenant, entries in kept.calls)
    assert sum(len(entries) for _, entries in kept.calls) == 3


@pytest.mark.parametrize("problem", [StoreUnavailable("down"), RuntimeError("a fault of ours")])
async def test_nobody_is_told_that_it_was_stored_when_it_was_not(problem) -> None:
    kept = Kept()
    kept.problem = problem
    log = EvaluationLog(kept)
    results = await asyncio.gather(*(log.append("default", [n]) for n in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [StoreUnavailable] * 3
    kept.problem = None
    await log.append("default", [4])


async def test_who_leaves_takes_nothing_from_the_others() -> None:
    kept = Kept()
    kept.may.clear()
    log = EvaluationLog(kept)
    first, second = (asyncio.create_task(log.append("default", [n])) for n in range(2))
    await asyncio.sleep(0)
    first.cancel()
    kept.may.set()
    await second
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_nothing_is_no_write() -> None:
    kept = Kept()
    await EvaluationLog(kept).append("default", [])
    assert kept.calls == []
