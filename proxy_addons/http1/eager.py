# SPDX-License-Identifier: Apache-2.0
"""Starts a coroutine at once, and makes a task of it only if it waits: most hooks never do, and a task costs 10 µs.

Facts: Python 3.12 does this with `eager_start`; this is what it does, for 3.11. Code that needs to know its task in its
first step (`asyncio.timeout`, aiohttp) is given a stand-in, which passes everything on to the task that is made later.
The first step and the rest run in one copy of the context, as a task's do.
"""

import asyncio
import contextvars
from collections.abc import Coroutine, Generator
from types import coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")


class _StandIn:
    """The current task while there is none yet."""

    task: asyncio.Task[Any] | None = None
    cancel_asked = False

    def cancel(self, msg: object = None) -> bool:
        if self.task is None:
            self.cancel_asked = True
            return True
        return self.task.cancel(msg)

    def cancelling(self) -> int:
        return int(self.cancel_asked) if self.task is None else self.task.cancelling()

    def uncancel(self) -> int:
        self.cancel_asked = False
        return 0 if self.task is None else self.task.uncancel()

    def __getattr__(self, name: str) -> object:
        return getattr(self.task, name)


def start(begun: Coroutine[Any, Any, _T]) -> "_T | asyncio.Task[_T]":
    """Run `begun` as far as it goes without waiting. Return its result, or the task that goes on with it.

    Raises what it raises before it waits.
    """
    loop = asyncio.get_running_loop()
    context = contextvars.copy_context()
    stand_in = _StandIn()
    outer = asyncio.current_task(loop)
    if outer is not None:
        asyncio._leave_task(loop, outer)  # noqa: SLF001  # documented, "Extending asyncio", for loops and tasks of one's own
    asyncio._enter_task(loop, stand_in)  # type: ignore[arg-type]  # noqa: SLF001  # as above; any object may stand there
    try:
        awaited = context.run(begun.send, None)
    except StopIteration as ended:
        result: _T = ended.value
        return result
    finally:
        asyncio._leave_task(loop, stand_in)  # type: ignore[arg-type]  # noqa: SLF001  # as above
        if outer is not None:
            asyncio._enter_task(loop, outer)  # noqa: SLF001  # as above
    task = stand_in.task = loop.create_task(_rest_of(begun, awaited), context=context)
    if stand_in.cancel_asked:
        task.cancel()
    return task


async def _rest_of(begun: Coroutine[Any, Any, _T], awaited: object) -> _T:
    return await _relay(begun, awaited)


@coroutine
def _relay(begun: Coroutine[Any, Any, _T], awaited: object) -> Generator[object, Any, _T]:
    """Wait for what `begun` waits for, and hand it what came of that, until it ends."""
    while True:
        sent, thrown = None, None
        try:
            sent = yield awaited
        except GeneratorExit:
            begun.close()
            raise
        except BaseException as exc:  # noqa: BLE001  # cancellation too: it is the coroutine's to deal with
            thrown = exc
        try:
            awaited = begun.send(sent) if thrown is None else begun.throw(thrown)
        except StopIteration as ended:
            result: _T = ended.value
            return result
