# SPDX-License-Identifier: Apache-2.0
"""A whole Gatehouse, as `gatehouse run` starts it, for tests that look at it from outside; and one node of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.fake_control_plane import FakeControlPlane
from tests.node_processes import NodeProcesses
from tests.ports import unused_port
from tests.signing import Signer

ROOT = Path(__file__).resolve().parents[2]
START_DEADLINE_S = 150


@dataclass(frozen=True)
class RunningGatehouse:
    """One `gatehouse run` with its own home and ports."""

    home: Path
    process: subprocess.Popen[bytes]
    environment: dict[str, str]
    started_in_s: float

    @property
    def credentials(self) -> dict[str, Any]:
        return json.loads((self.home / "credentials.json").read_bytes())

    @property
    def parts(self) -> dict[str, dict[str, Any]]:
        listed = json.loads((self.home / "run" / "processes.json").read_bytes())
        return {part["name"]: part for part in listed["parts"]}

    def gatehouse(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "controlplane.cli", *arguments],
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )


def start(home: Path, *arguments: str) -> RunningGatehouse:
    environment = {
        **os.environ,
        "GATEHOUSE_HOME": str(home),
        "GATEHOUSE_API_PORT": str(unused_port()),
        "GATEHOUSE_PROXY_PORT": str(unused_port()),
        "PATH": f"{ROOT / '.tools' / 'bin'}{os.pathsep}{os.environ['PATH']}",
    }
    log = home.with_suffix(".log")
    began = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "controlplane.cli", "run", *arguments],
            env=environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    while b"Ctrl-C stops it" not in log.read_bytes():
        if process.poll() is not None or time.monotonic() - began > START_DEADLINE_S:
            process.kill()
            logs = "\n".join(f"== {p.name}\n{p.read_text()[-3000:]}" for p in sorted((home / "logs").glob("*.log")))
            pytest.fail(f"it did not start:\n{log.read_text()}\n{logs}")
        time.sleep(0.05)
    return RunningGatehouse(home, process, environment, time.monotonic() - began)


def stop(running: RunningGatehouse) -> int:
    running.process.send_signal(signal.SIGINT)
    return running.process.wait(timeout=60)


@pytest.fixture(scope="session")
def gatehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGatehouse]:
    """A Gatehouse that the tests of this session share. A test that breaks a part mends it."""
    running = start(tmp_path_factory.mktemp("shared") / "home")
    yield running
    stop(running)


@pytest.fixture
def signer(tmp_path):
    return Signer.make(tmp_path)


@pytest.fixture
async def control_plane():
    fake = FakeControlPlane()
    await fake.start()
    yield fake
    await fake.stop()


@pytest.fixture
async def node(tmp_path, signer, control_plane):
    running = NodeProcesses(tmp_path, signer, control_plane, guard_engine="embedded")
    yield running
    if running.process is not None and running.process.poll() is None:
        await running.stop(signal.SIGKILL)
