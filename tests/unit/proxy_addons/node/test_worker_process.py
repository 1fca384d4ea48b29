# SPDX-License-Identifier: Apache-2.0
import asyncio
import sys

import pytest

from proxy_addons.node.listeners import PortTaken, bind_listeners
from proxy_addons.node.messages import Authenticating, Enforcing, Ready, Released, UseCredentials
from proxy_addons.node.status import serving
from proxy_addons.node.worker_process import WorkerProcess, WorkerState

STARTED = WorkerState(slot=0, pid=1)
SERVING = WorkerState(slot=0, pid=1, ready=True, serial=1, revision="r1", epoch=1, held=frozenset({1}))


@pytest.mark.parametrize(
    ("before", "message", "want"),
    [
        pytest.param(STARTED, Ready(), WorkerState(slot=0, pid=1, ready=True), id="ready"),
        pytest.param(
            STARTED,
            Enforcing(serial=1, revision="r1"),
            WorkerState(slot=0, pid=1, serial=1, revision="r1", held=frozenset({1})),
            id="first-policy",
        ),
        pytest.param(
            SERVING,
            Enforcing(serial=2, revision="", error="RegoRefused"),
            WorkerState(
                slot=0,
                pid=1,
                ready=True,
                serial=1,
                revision="r1",
                epoch=1,
                held=frozenset({1}),
                failed_serial=2,
                error="RegoRefused",
            ),
            id="a-policy-it-cannot-load",
        ),
        pytest.param(STARTED, Authenticating(epoch=3), WorkerState(slot=0, pid=1, epoch=3), id="credentials"),
        pytest.param(
            SERVING,
            Released(serial=1),
            WorkerState(slot=0, pid=1, ready=True, serial=1, revision="r1", epoch=1),
            id="the-last-request-of-a-policy",
        ),
    ],
)
def test_state_after_a_message(before, message, want):
    assert before.after(message) == want


@pytest.mark.parametrize(
    ("states", "want"),
    [
        pytest.param([SERVING, SERVING], True, id="all"),
        pytest.param([SERVING, STARTED.after(Ready())], False, id="one-without-policy"),
        pytest.param([SERVING, STARTED], False, id="one-not-listening"),
    ],
)
def test_serving_needs_every_worker(states, want):
    assert serving(states) is want


def test_listeners_share_a_port_that_nobody_else_has(free_port):
    listeners = bind_listeners("127.0.0.1", free_port, 3)
    assert {listener.getsockname()[1] for listener in listeners} == {free_port}
    with pytest.raises(PortTaken):
        bind_listeners("127.0.0.1", free_port, 1)
    for listener in listeners:
        listener.close()


async def test_worker_that_dies_with_a_message_unread_is_started_again(free_port):
    """Its channel is reset then, not closed, by a process that is there no more."""
    (listener,) = bind_listeners("127.0.0.1", free_port, 1)
    pids: list[int | None] = []
    worker = WorkerProcess(
        0,
        listener,
        greeting=lambda: [UseCredentials(epoch=1, path="/nowhere")],
        on_change=lambda: pids.append(worker.state.pid),
        program=(sys.executable, "-c", "import time; time.sleep(0.2)"),
    )
    running = asyncio.create_task(worker.run())
    try:
        async with asyncio.timeout(20):
            while len({pid for pid in pids if pid is not None}) < 3 and not running.done():
                await asyncio.sleep(0.02)
        assert not running.done()
    finally:
        worker.stop(0)
        await asyncio.gather(running, return_exceptions=True)
        listener.close()
