# SPDX-License-Identifier: Apache-2.0
"""The supervisor with parts that are plain commands."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from controlplane.local.control_socket import NotRunning, ask, listen
from controlplane.local.home import Home
from controlplane.local.parts import Part
from controlplane.local.supervisor import PartFailed, Supervisor

SLEEPS = (
    "import signal, time; signal.signal(signal.SIGTERM, lambda *_: exit(0)); print('up', flush=True); time.sleep(60)"
)


def part(name: str, code: str = SLEEPS, *, healthy: bool = True, stop_deadline_s: float = 5.0) -> Part:
    return Part(
        name=name,
        argv=(sys.executable, "-c", code),
        environment={"PART": name},
        address=f"test:{name}",
        is_healthy=lambda: healthy,
        stop_deadline_s=stop_deadline_s,
    )


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.create()
    return made


@pytest.fixture
async def supervisor(home: Home):
    made = Supervisor(home)
    yield made
    await made.close((), announce=lambda _: None)


def listed(home: Home) -> dict[str, dict]:
    return {p["name"]: p for p in json.loads(home.processes.read_bytes())["parts"]}


async def until(condition) -> None:
    for _ in range(100):
        if condition():
            return
        await asyncio.sleep(0.05)
    pytest.fail("did not happen within 5 s")


async def test_lists_each_part_with_pid_and_address(home, supervisor):
    await supervisor.launch(part("one"))
    await supervisor.until_healthy("one", deadline_s=5)
    assert listed(home)["one"]["address"] == "test:one"
    os.kill(listed(home)["one"]["pid"], 0)


async def test_restarts_what_dies(home, supervisor):
    await supervisor.launch(part("one"))
    await supervisor.until_healthy("one", deadline_s=5)
    before = listed(home)["one"]["pid"]
    os.kill(before, signal.SIGKILL)
    await until(lambda: listed(home)["one"]["pid"] not in (None, before))
    assert listed(home)["one"]["restarts"] == 1


async def test_stopped_part_stays_stopped_and_starts_again(home, supervisor):
    await supervisor.launch(part("one"))
    await supervisor.until_healthy("one", deadline_s=5)
    await supervisor.stop("one")
    await asyncio.sleep(0.5)
    assert listed(home)["one"] | {"restarts": 0} == {
        "name": "one",
        "pid": None,
        "address": "test:one",
        "state": "stopped",
        "restarts": 0,
    }
    await supervisor.start("one")
    assert listed(home)["one"]["state"] == "running"


async def test_part_that_ignores_the_signal_is_killed(home, supervisor):
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    )
    await supervisor.launch(part("one", stubborn, stop_deadline_s=0.3))
    await until(lambda: "up" in (home.logs / "one.log").read_text())
    await supervisor.stop("one")
    assert listed(home)["one"]["state"] == "stopped"


async def test_closing_stops_in_the_order_given_and_then_the_rest(home):
    supervisor = Supervisor(home)
    for name in ("one", "two", "three"):
        await supervisor.launch(part(name))
        await supervisor.until_healthy(name, deadline_s=5)
    said: list[str] = []
    await supervisor.close(("three", "none", "two"), announce=said.append)
    assert said == ["Stopping three …", "Stopping two …", "Stopping one …"]
    assert not home.processes.exists()


async def test_unhealthy_part_is_named_with_its_log(home, supervisor):
    await supervisor.launch(part("one", healthy=False))
    with pytest.raises(PartFailed, match=r"one is not healthy .*one\.log"):
        await supervisor.until_healthy("one", deadline_s=0.3)


async def test_part_that_keeps_dying_is_given_up_early(home, supervisor):
    await supervisor.launch(part("one", "raise SystemExit(3)", healthy=False))
    with pytest.raises(PartFailed, match=r"one died 4 times in a row"):
        await supervisor.until_healthy("one", deadline_s=60)


async def test_part_sees_its_own_settings_and_not_the_callers(home, supervisor, monkeypatch):
    monkeypatch.setenv("GATEHOUSE_TOKEN", "not for parts")
    code = "import os; print(os.environ['PART'], os.environ.get('GATEHOUSE_TOKEN'), flush=True); import time; time.sleep(60)"
    await supervisor.launch(part("one", code))
    await until(lambda: "one None" in (home.logs / "one.log").read_text())


async def test_commands_arrive_over_the_socket(home):
    stopped: list[str] = []

    async def stop(name: str) -> None:
        if name == "nothing":
            raise KeyError("there is no part 'nothing'")
        stopped.append(name)

    async with listen(home, {"stop": stop}):
        await asyncio.to_thread(ask, home, "stop", "one")
        with pytest.raises(PartFailed, match="there is no part 'nothing'"):
            await asyncio.to_thread(ask, home, "stop", "nothing")
        with pytest.raises(PartFailed, match="not a command"):
            await asyncio.to_thread(ask, home, "explode", "one")
    assert stopped == ["one"]


def test_asking_where_nothing_runs_says_so(home):
    with pytest.raises(NotRunning, match="gatehouse run"):
        ask(home, "stop", "one")


async def test_socket_works_in_a_deep_home(tmp_path):
    deep = Home(tmp_path / ("d" * 100) / ("e" * 100))
    deep.create()

    async def stop(_: str) -> None:
        return None

    async with listen(deep, {"stop": stop}):
        await asyncio.to_thread(ask, deep, "stop", "one")
