# SPDX-License-Identifier: Apache-2.0
"""The processes of one node with two workers, driven and killed from the test's own event loop."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import aiohttp

from tests.fake_control_plane import AGENT_TOKEN, FakeControlPlane
from tests.ports import unused_port
from tests.signing import ALICE_KEY, KEY_ID, PEPPER, Signer

ROOT = Path(__file__).resolve().parents[1]
CHAT = {"model": "parrot", "messages": [{"role": "user", "content": "hello"}]}
# Starting Python and mitmproxy in three processes takes seconds on a machine that does other things.
WITHIN_S = 30.0


async def until(holds: Callable[[], object], within_s: float = WITHIN_S):
    deadline = time.monotonic() + within_s
    while not (found := holds()):
        assert time.monotonic() < deadline, "it did not come about in time"
        await asyncio.sleep(0.02)
    return found


class NodeProcesses:
    """`python -m proxy_addons` with two workers, and what it says of itself."""

    def __init__(self, folder: Path, signer: Signer, control_plane: FakeControlPlane, *, guard_engine: str) -> None:
        self.folder = folder
        self.node_dir = folder / "node"
        self.control_plane = control_plane
        self.proxy_port, self.health_port = unused_port(), unused_port()
        (folder / "token").write_text(AGENT_TOKEN)
        (folder / "pepper").write_text(PEPPER.hex())
        (folder / "pseudonym").write_text("ab" * 32)
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "GATEHOUSE_NODE_DIR": str(self.node_dir),
            "GATEHOUSE_NODE_ID": "node-1",
            "GATEHOUSE_PROXY_PORT": str(self.proxy_port),
            "GATEHOUSE_HEALTH_PORT": str(self.health_port),
            "GATEHOUSE_WORKERS": "2",
            "GATEHOUSE_API_URL": control_plane.url,
            "GATEHOUSE_AGENT_TOKEN_FILE": str(folder / "token"),
            "GATEHOUSE_BUNDLE_KEY_FILE": str(signer.public_file),
            "GATEHOUSE_BUNDLE_KEY_ID": KEY_ID,
            "GATEHOUSE_KEY_PEPPER_FILE": str(folder / "pepper"),
            "GATEHOUSE_PSEUDONYM_KEY_FILE": str(folder / "pseudonym"),
            "GATEHOUSE_UPSTREAM_URL": f"http://127.0.0.1:{unused_port()}",
            "GATEHOUSE_GUARD_ENGINE": guard_engine,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.folder / "node.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "proxy_addons"], env=self.environment, stdout=log, stderr=log
            )

    async def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return await asyncio.to_thread(self.process.wait, 30)  # the control plane is on this loop, and is needed

    def log(self) -> str:
        return (self.folder / "node.log").read_text()

    @property
    def status(self) -> dict:
        return self.control_plane.statuses[-1] if self.control_plane.statuses else {"workers": []}

    def workers(self) -> dict[int, int]:
        return {worker["slot"]: worker["pid"] for worker in self.status["workers"] if worker["pid"] is not None}

    def enforces(self, serial: int, epoch: int = 1) -> bool:
        workers = self.status["workers"]
        return len(workers) == 2 and all((w["serial"], w["epoch"]) == (serial, epoch) for w in workers)

    async def health(self, path: str) -> tuple[int, dict]:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{self.health_port}{path}") as answer,
        ):
            return answer.status, await answer.json()

    async def metrics(self) -> dict[str, float]:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{self.health_port}/metrics") as answer,
        ):
            assert answer.status == 200
            lines = (await answer.text()).splitlines()
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}

    async def chat(
        self,
        *,
        key: str = ALICE_KEY,
        session: aiohttp.ClientSession | None = None,
        path="/v1/chat/completions",
        **changes,
    ) -> tuple[int, str]:
        async with contextlib.AsyncExitStack() as stack:
            asking = session or await stack.enter_async_context(aiohttp.ClientSession())
            answer = await stack.enter_async_context(
                asking.post(
                    f"http://127.0.0.1:{self.proxy_port}{path}",
                    json=CHAT | changes,
                    headers={"Authorization": f"Bearer {key}"},
                )
            )
            return answer.status, (await answer.json())["error"]["code"]
