# SPDX-License-Identifier: Apache-2.0
"""A coroutine that is started at once sees the world as one in a task does."""

import asyncio
import contextvars

import pytest

from proxy_addons.http1.eager import start
from tests.layer_rig import on_uvloop

VARIABLE = contextvars.ContextVar("VARIABLE", default=0)


@on_uvloop
async def test_what_never_waits_has_its_result_at_once_and_no_task():
    async def never_waits():
        return 5

    before = asyncio.all_tasks()
    assert start(never_waits()) == 5
    assert asyncio.all_tasks() == before


@on_uvloop
async def test_what_waits_goes_on_in_a_task():
    seen = []
    future = asyncio.get_running_loop().create_future()

    async def waits():
        seen.append("began")
        seen.append(await future)
        await asyncio.sleep(0)
        return "ended"

    task = start(waits())
    assert seen == ["began"]
    future.set_result("woken")
    assert await task == "ended"
    assert seen == ["began", "woken"]


@on_uvloop
async def test_what_it_raises_is_raised_where_it_is_known():
    async def raises(*, first):
        if not first:
            await asyncio.sleep(0)
        raise LookupError

    with pytest.raises(LookupError):
        start(raises(first=True))
    with pytest.raises(LookupError):
        await start(raises(first=False))


@on_uvloop
async def test_a_timeout_that_began_in_the_first_step_cancels_the_task():
    async def late():
        async with asyncio.timeout(0.01):
            await asyncio.sleep(60)

    with pytest.raises(TimeoutError):
        await start(late())


@on_uvloop
async def test_a_timeout_that_did_not_pass_leaves_nothing_behind():
    async def in_time():
        async with asyncio.timeout(60):
            await asyncio.sleep(0)
        return asyncio.current_task().cancelling()

    assert await start(in_time()) == 0


@on_uvloop
async def test_cancelling_reaches_the_coroutine():
    seen = []

    async def waits():
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    task = start(waits())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == ["cancelled"]


@on_uvloop
async def test_one_that_cancels_itself_before_it_waits_is_cancelled():
    async def cancels():
        asyncio.current_task().cancel()
        await asyncio.sleep(0)

    with pytest.raises(asyncio.CancelledError):
        await start(cancels())


@on_uvloop
async def test_its_context_is_its_own_before_and_after_it_waited():
    async def sets():
        token = VARIABLE.set(1)
        await asyncio.sleep(0)
        assert VARIABLE.get() == 1
        VARIABLE.reset(token)

    task = start(sets())
    assert VARIABLE.get() == 0
    await task


@on_uvloop
async def test_started_within_a_task_it_leaves_that_task_as_it_was():
    mine = asyncio.current_task()

    async def inner():
        assert asyncio.current_task() is not mine
        await asyncio.sleep(0)

    task = start(inner())
    assert asyncio.current_task() is mine
    await task


@on_uvloop
async def test_one_that_is_dropped_while_it_waits_is_closed():
    seen = []

    async def waits():
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            seen.append("closed")

    task = start(waits())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert seen == ["closed"]
