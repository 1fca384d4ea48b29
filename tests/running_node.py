# SPDX-License-Identifier: Apache-2.0
"""A node as it is shipped, one worker and the embedded guard, that enforces documents before an upstream of the test.

Unlike the one of tests/node_processes.py it is driven by threads: what attacks it from outside blocks.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from policies.bundle.pack import pack
from policies.compiler.compile import compile_release
from policies.document.loader import load_documents
from tests.fake_control_plane import AGENT_TOKEN, FakeControlPlane
from tests.ports import unused_port
from tests.signing import ALICE_KEY, KEY_ID, PEPPER, Signer

ROOT = Path(__file__).resolve().parents[1]
# Starting Python and mitmproxy takes seconds on a machine that does other things.
WITHIN_S = 60.0


@dataclass
class RunningNode:
    """Where it listens, alice's key, and the records that it has shipped."""

    port: int
    control_plane: FakeControlPlane
    process: subprocess.Popen[bytes]
    log_file: Path
    key: str = ALICE_KEY
    environment: dict[str, str] = field(default_factory=dict)

    def terminal_records(self) -> list[dict[str, Any]]:
        # A batch is sent again where the answer to it was late: the same envelope twice is one record.
        stored = dict.fromkeys(record["envelope"] for record in list(self.control_plane.records))
        envelopes = [json.loads(envelope) for envelope in stored]
        return [envelope for envelope in envelopes if envelope["kind"] == "terminal"]

    def log(self) -> str:
        return self.log_file.read_text()


@contextmanager
def running_control_plane() -> Iterator[tuple[FakeControlPlane, Any]]:
    """Yield a control plane of the tests on a loop of its own, and a function that runs a coroutine there."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def run(coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(30)

    fake = FakeControlPlane()
    run(fake.start())
    try:
        yield fake, run
    finally:
        run(fake.stop())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@contextmanager
def running_node(
    folder: Path, documents: Mapping[str, bytes], *, upstream_url: str, **environment: str
) -> Iterator[RunningNode]:
    """Yield a node that enforces `documents`. Records are complete once it was left."""
    signer = Signer.make(folder)
    snapshot = compile_release(load_documents(documents), tenant="default", environment="production", opa_binary=None)
    (folder / "token").write_text(AGENT_TOKEN)
    (folder / "pepper").write_text(PEPPER.hex())
    (folder / "pseudonym").write_text("ab" * 32)
    port, health_port = unused_port(), unused_port()
    with running_control_plane() as (control_plane, run):
        variables = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "GATEHOUSE_NODE_DIR": str(folder / "node"),
            "GATEHOUSE_NODE_ID": "node-1",
            "GATEHOUSE_PROXY_PORT": str(port),
            "GATEHOUSE_HEALTH_PORT": str(health_port),
            "GATEHOUSE_WORKERS": "1",
            "GATEHOUSE_API_URL": control_plane.url,
            "GATEHOUSE_AGENT_TOKEN_FILE": str(folder / "token"),
            "GATEHOUSE_BUNDLE_KEY_FILE": str(signer.public_file),
            "GATEHOUSE_BUNDLE_KEY_ID": KEY_ID,
            "GATEHOUSE_KEY_PEPPER_FILE": str(folder / "pepper"),
            "GATEHOUSE_PSEUDONYM_KEY_FILE": str(folder / "pseudonym"),
            "GATEHOUSE_UPSTREAM_URL": upstream_url,
            "GATEHOUSE_GUARD_ENGINE": "embedded",
            **environment,
        }
        log_file = folder / "node.log"
        with log_file.open("wb") as log:
            process = subprocess.Popen([sys.executable, "-m", "proxy_addons"], env=variables, stdout=log, stderr=log)
        node = RunningNode(port, control_plane, process, log_file, environment=variables)
        try:
            # A worker that takes long to start must not count against the time it has to enforce a bundle.
            _await_workers(node, lambda worker: worker["pid"] is not None)
            bundle = pack(snapshot, serial=5, signer=signer.key).content
            run(control_plane.publish(bundle=bundle, credentials=signer.credentials(1)))
            _await_workers(node, lambda worker: (worker["serial"], worker["epoch"]) == (5, 1))
            yield node
            process.send_signal(signal.SIGTERM)
            process.wait(60)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait(10)


def _await_workers(node: RunningNode, ready: Callable[[dict[str, Any]], bool]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while True:
        statuses = list(node.control_plane.statuses)
        workers = statuses[-1]["workers"] if statuses else []
        if workers and all(map(ready, workers)):
            return
        if node.process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(f"the node does not enforce:\n{node.log()[-3000:]}")
        time.sleep(0.05)
