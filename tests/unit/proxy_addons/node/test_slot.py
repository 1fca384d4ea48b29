# SPDX-License-Identifier: Apache-2.0
import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

import pytest

from proxy_addons.node.changed import Changed
from proxy_addons.node.listeners import bind_listeners
from proxy_addons.node.messages import Serve, UseCredentials
from proxy_addons.node.slot import WorkerSlot
from proxy_addons.node.totals import Totals

# A worker's side of the channel and no more: it says that it is ready, and what it counted each time it is asked.
ANSWERING = """
import argparse, json, os, socket
parser = argparse.ArgumentParser()
for name in ("slot", "listener-fd", "node-fd", "node-pid", "drain-s"):
    parser.add_argument("--" + name)
channel = socket.socket(fileno=int(parser.parse_args().node_fd)).makefile("rwb")
def say(message):
    channel.write(json.dumps(message).encode() + b"\\n")
    channel.flush()
say({"type": "ready"})
asked = 0
for line in channel:
    message = json.loads(line)
    if message["type"] == "measure":
        asked += 1
        say({"type": "measured", "series": [["gatehouse_received_bytes_total", [], asked],
                                            ["gatehouse_connections", [], 1]]})
    if message["type"] == "drain":
        break
"""
LINGERING = ANSWERING.replace("        break", "        pass")  # as one with a long stream
DYING = "import time; time.sleep(0.2)"
BYTES = ("gatehouse_received_bytes_total", ())


@contextlib.asynccontextmanager
async def running(port, program, *, ask_every_s=0.1):
    (listener,) = bind_listeners("127.0.0.1", port, 1)
    totals = Totals()
    slot = WorkerSlot(
        0,
        listener,
        greeting=lambda: [UseCredentials(epoch=1, path="/nowhere"), Serve()],
        changed=Changed(),
        totals=totals,
        program=(sys.executable, "-c", program),
        ask_every_s=ask_every_s,
    )
    task = asyncio.create_task(slot.run())
    try:
        yield slot, totals, task
    finally:
        slot.stop(0)
        await asyncio.wait([task], timeout=10)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        listener.close()


async def until(holds):
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.02)


async def test_worker_that_dies_with_a_message_unread_is_started_again(free_port):
    """Its channel is reset then, not closed, by a process that is there no more."""
    async with running(free_port, DYING) as (slot, _, task):
        await until(lambda: slot.starts >= 3 or task.done())
        assert not task.done()


async def test_worker_that_answers_is_left_alone(free_port):
    async with running(free_port, ANSWERING) as (slot, _, _):
        await until(lambda: slot.answers >= 8)
        assert (slot.starts, slot.hangs) == (1, 0)


async def test_worker_that_hangs_is_killed_and_replaced(free_port):
    async with running(free_port, ANSWERING) as (slot, _, _):
        await until(lambda: slot.answers)
        hung = slot.state.pid
        os.kill(hung, signal.SIGSTOP)
        await until(lambda: slot.state.pid not in {None, hung} and slot.state.ready)
        assert slot.hangs == 1
        assert not Path(f"/proc/{hung}").exists()


async def test_worker_that_misses_one_question_is_not_killed(free_port):
    async with running(free_port, ANSWERING, ask_every_s=0.5) as (slot, _, _):
        await until(lambda: slot.answers)
        os.kill(slot.state.pid, signal.SIGSTOP)
        await asyncio.sleep(0.8)
        answers = slot.answers
        os.kill(slot.state.pid, signal.SIGCONT)
        await until(lambda: slot.answers > answers)
        assert (slot.starts, slot.hangs) == (1, 0)


async def test_successor_serves_before_the_old_process_is_told_to_end(free_port):
    async with running(free_port, ANSWERING) as (slot, _, _):
        await until(lambda: slot.state.ready)
        old = slot.state.pid
        replacing = asyncio.create_task(slot.replace(5))
        while not replacing.done():
            assert slot.state.ready
            await asyncio.sleep(0)
        assert await replacing
        assert slot.state.pid != old
        await until(lambda: not Path(f"/proc/{old}").exists())
        assert slot.state.ready


async def test_counters_of_a_process_that_ended_are_kept_and_its_gauges_are_not(free_port):
    async with running(free_port, ANSWERING) as (slot, totals, _):
        await until(lambda: slot.answers >= 3)
        before = totals.with_running(slot.counted)
        os.kill(slot.state.pid, signal.SIGKILL)
        await until(lambda: slot.starts == 2 and slot.answers)
        after = totals.with_running(slot.counted)
        assert after[BYTES] > before[BYTES]
        assert after["gatehouse_connections", ()] == [1]


@pytest.mark.parametrize(
    "program", [pytest.param(DYING, id="dies"), pytest.param("import os; os._exit(1)", id="at-once")]
)
async def test_successor_that_does_not_come_up_leaves_the_old_one_serving(free_port, program):
    async with running(free_port, ANSWERING) as (slot, _, _):
        await until(lambda: slot.state.ready)
        old = slot.state.pid
        slot._program = (sys.executable, "-c", program)
        assert not await slot.replace(5)
        assert (slot.state.pid, slot.state.ready) == (old, True)


async def test_successor_that_dies_while_the_old_one_finishes_is_started_again_at_once(free_port):
    async with running(free_port, LINGERING) as (slot, _, task):
        await until(lambda: slot.state.ready)
        old = slot.state.pid
        assert await slot.replace(60)
        successor = slot.state.pid
        os.kill(successor, signal.SIGKILL)
        await until(lambda: slot.state.ready and slot.state.pid not in {old, successor})
        assert Path(f"/proc/{old}").exists()
        assert not task.done()
        os.kill(old, signal.SIGKILL)
        await until(lambda: not Path(f"/proc/{old}").exists())
        assert slot.state.ready
