# SPDX-License-Identifier: Apache-2.0
"""The proxies that are compared, each started for real, with every process of it on one core."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.control_plane import ControlPlaneProcess
from controlplane.local.opa_binary import TOOLS, find_opa
from policies.contracts.snapshot import PolicySnapshot
from tests.fake_control_plane import AGENT_TOKEN
from tests.signing import KEY_ID, PEPPER

ROOT = Path(__file__).resolve().parents[1]
_READY_S = 30.0

_cores = sorted(os.sched_getaffinity(0))
PROXY_CORE, LOAD_CORE = _cores[0], _cores[-1]


@dataclass
class Proxy:
    """What listens on `port`; `processes` are all that work for it, by what they are."""

    name: str
    port: int
    processes: Mapping[str, psutil.Process]
    control_plane: ControlPlaneProcess | None = field(default=None)
    fields: Sequence[tuple[str, str]] = ()  # header fields that this proxy wants of every request

    def cpu_s(self) -> dict[str, float]:
        """Return user and system time by process."""
        times = {name: process.cpu_times() for name, process in self.processes.items()}
        return {name: taken.user + taken.system for name, taken in times.items()}

    def rss_bytes(self) -> dict[str, int]:
        return {name: process.memory_info().rss for name, process in self.processes.items()}


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def gatehouse(
    folder: Path,
    name: str,
    snapshot: PolicySnapshot,
    *,
    upstream_port: int,
    opa: Path,
    checkout: Path = ROOT,
    workers: int = 1,
    module: str = "proxy_addons",
) -> Iterator[Proxy]:
    """Run a node of `checkout`, and its OPA, before a control plane of the benchmark.

    All of it is on the proxies' core; with more workers than one, on every core.
    """
    folder.mkdir(parents=True)
    control_plane = ControlPlaneProcess(folder, snapshot)
    port, health_port = unused_port(), unused_port()
    for file, content in (("token", AGENT_TOKEN), ("pepper", PEPPER.hex()), ("pseudonym", "ab" * 32)):
        (folder / file).write_text(content)
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(checkout)))),
        "GATEHOUSE_NODE_DIR": str(folder / "node"),
        "GATEHOUSE_NODE_ID": "bench",
        "GATEHOUSE_PROXY_PORT": str(port),
        "GATEHOUSE_HEALTH_PORT": str(health_port),
        "GATEHOUSE_WORKERS": str(workers),
        "GATEHOUSE_API_URL": control_plane.url,
        "GATEHOUSE_AGENT_TOKEN_FILE": str(folder / "token"),
        "GATEHOUSE_BUNDLE_KEY_FILE": str(folder / "bundle-signing.pub.pem"),
        "GATEHOUSE_BUNDLE_KEY_ID": KEY_ID,
        "GATEHOUSE_KEY_PEPPER_FILE": str(folder / "pepper"),
        "GATEHOUSE_PSEUDONYM_KEY_FILE": str(folder / "pseudonym"),
        "GATEHOUSE_UPSTREAM_URL": f"http://127.0.0.1:{upstream_port}",
        "GATEHOUSE_GUARD_ENGINE": "opa",
        "GATEHOUSE_OPA_BINARY": str(opa),
    }
    with (folder / "log").open("wb") as log:
        cores = {PROXY_CORE} if workers == 1 else set(_cores)
        pool = start((sys.executable, "-m", "proxy_addons.opa_pool"), environment, log, checkout, cores=cores)
        node = start((sys.executable, "-m", module), environment, log, checkout, cores=cores)
        try:
            _until_ready(health_port, folder / "log")
            yield Proxy(
                name,
                port,
                {
                    **_workers(node),
                    "node": psutil.Process(node.pid),
                    "OPA": _child(pool, "run"),
                    "OPA pool": psutil.Process(pool.pid),
                },
                control_plane,
            )
        finally:
            # The node first: it ships what its spool holds, and the control plane has to be there for it.
            for process in (node, pool):
                stop(process)
            control_plane.stop()


@contextmanager
def single(name: str, command: Sequence[str], port: int) -> Iterator[Proxy]:
    """Run a proxy that is one process."""
    process = start(command, dict(os.environ), subprocess.DEVNULL)
    try:
        until_listens(port)
        yield Proxy(name, port, {name: psutil.Process(process.pid)})
    finally:
        process.kill()
        process.wait()


def mitmdump(port: int, upstream_port: int) -> list[str]:
    """Return the command of a mitmdump as anyone would start it, told to print nothing."""
    program = Path(sys.executable).with_name("mitmdump")
    command = [str(program), "--quiet", "--set", "flow_detail=0", "--listen-host", "127.0.0.1"]
    return [*command, "--listen-port", str(port), "--mode", f"reverse:http://127.0.0.1:{upstream_port}"]


def http_layer(port: int, upstream_port: int) -> list[str]:
    """Return the command of our HTTP layer alone, with asserts off as in a worker."""
    return [sys.executable, "-O", "-m", "benchmarks.http_layer", str(port), str(upstream_port)]


def relay(port: int, upstream_port: int) -> list[str]:
    return [sys.executable, "-m", "benchmarks.relay", str(port), str(upstream_port)]


def opa_binary() -> Path | None:
    found = find_opa(ROOT / TOOLS)
    return None if found is None else found.path


def start(
    command: Sequence[str],
    environment: Mapping[str, str],
    output,
    folder: Path = ROOT,
    *,
    cores: Collection[int] = (PROXY_CORE,),
) -> subprocess.Popen[bytes]:
    """Start `command` on the proxies' core: a child inherits the cores of the thread that starts it."""
    ours = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        return subprocess.Popen(command, cwd=folder, env=dict(environment), stdout=output, stderr=output)
    finally:
        os.sched_setaffinity(0, ours)


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _child(parent: subprocess.Popen[bytes], argument: str) -> psutil.Process:
    return next(_children(parent, argument))


def _workers(node: subprocess.Popen[bytes]) -> dict[str, psutil.Process]:
    workers = sorted(_children(node, "proxy_addons.worker_main"), key=lambda process: process.pid)
    return {"worker" if number == 1 else f"worker {number}": process for number, process in enumerate(workers, 1)}


def _children(parent: subprocess.Popen[bytes], argument: str) -> Iterator[psutil.Process]:
    return (child for child in psutil.Process(parent.pid).children() if argument in child.cmdline())


def _until_ready(health_port: int, log: Path) -> None:
    deadline = time.monotonic() + _READY_S
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{health_port}/readyz", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise SystemExit(f"the node is not ready after {_READY_S:g} s:\n{log.read_text()}")


def until_listens(port: int, *, within_s: float = _READY_S) -> None:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit(f"nothing listens on port {port} after {within_s:g} s")
