# SPDX-License-Identifier: Apache-2.0
import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from policies.bundle.verify import verify
from proxy_addons.node.guard_socket import GuardUnavailable, guard_address
from proxy_addons.opa_pool.sockets import choose_directory, recorded_directory, serial_of, socket_path
from proxy_addons.settings import SettingInvalid
from tests.signing import KEY_ID, Signer


def wait_for(holds: Callable[[], object], within_s: float = 8.0):
    deadline = time.monotonic() + within_s
    while not (found := holds()):
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)
    return found


def alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


class RunningPool:
    def __init__(self, node_dir: Path, signer: Signer, opa: Path) -> None:
        self.node_dir = node_dir
        self._environment = {
            "PATH": os.defpath,
            "PYTHONPATH": str(Path(__file__).parents[4]),
            "GATEHOUSE_NODE_DIR": str(node_dir),
            "GATEHOUSE_OPA_BINARY": str(opa),
            "GATEHOUSE_BUNDLE_KEY_FILE": str(signer.public_file),
            "GATEHOUSE_BUNDLE_KEY_ID": KEY_ID,
        }
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen([sys.executable, "-m", "proxy_addons.opa_pool"], env=self._environment)
        wait_for((self.node_dir / "opa" / "directory").exists)
        wait_for((self.node_dir / "bundles").exists)

    def put(self, serial: int, content: bytes) -> None:
        unfinished = self.node_dir / "unfinished"
        unfinished.write_bytes(content)
        unfinished.rename(self.node_dir / "bundles" / f"{serial:020d}.tar.gz")

    def remove(self, serial: int) -> None:
        (self.node_dir / "bundles" / f"{serial:020d}.tar.gz").unlink()

    def children(self) -> dict[int, int]:
        try:
            raw = json.loads((self.node_dir / "opa" / "children.json").read_text())
        except FileNotFoundError:
            return {}
        return {int(serial): child["pid"] for serial, child in raw.items() if child["pid"] is not None}

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(10)


@pytest.fixture
def signer(tmp_path):
    return Signer.make(tmp_path)


@pytest.fixture
def pool(tmp_path, signer, opa_binary):
    running = RunningPool(tmp_path / "node", signer, opa_binary)
    yield running
    if running.process.poll() is None:
        assert running.stop() == 0


def test_a_server_that_cannot_be_started_leaves_the_others_alone(tmp_path, signer, opa_binary):
    binary = tmp_path / "opa"
    binary.symlink_to(opa_binary)
    pool = RunningPool(tmp_path / "node", signer, binary)
    try:
        pool.put(1, signer.bundle(1))
        first = wait_for(pool.children)
        binary.unlink()
        pool.put(2, signer.bundle(2))
        time.sleep(0.3)
        assert pool.process.poll() is None
        assert pool.children() == first
        assert alive(first[1])
        binary.symlink_to(opa_binary)
        wait_for(lambda: 2 in pool.children())
    finally:
        assert pool.stop() == 0


def revision(content: bytes, signer: Signer) -> str:
    keys = {KEY_ID: signer.public_file.read_bytes()}
    verified = verify(content, keys=keys, tenant="default", environment="production", newer_than=None)
    return verified.manifest_revision


async def address_of(pool: RunningPool, serial: int, content: bytes, signer: Signer, within_s: float = 8.0) -> str:
    return await guard_address(pool.node_dir, serial, manifest_revision=revision(content, signer), within_s=within_s)


@pytest.mark.opa
async def test_each_bundle_gets_a_server_and_loses_it_with_its_file(pool, signer):
    old, new = signer.bundle(1), signer.bundle(2, version="2")
    pool.put(1, old)
    first = await address_of(pool, 1, old, signer)
    pool.put(2, new)
    second = await address_of(pool, 2, new, signer)
    assert first != second
    pids = pool.children()
    assert pids.keys() == {1, 2}
    pool.remove(1)
    await asyncio.to_thread(wait_for, lambda: pool.children().keys() == {2} and not alive(pids[1]))
    assert not Path(first).exists()
    assert pool.stop() == 0
    assert not alive(pids[2])
    assert not Path(second).exists()


@pytest.mark.opa
async def test_a_killed_server_is_back_within_a_second(pool, signer):
    content = signer.bundle(1)
    pool.put(1, content)
    address = await address_of(pool, 1, content, signer)
    os.kill(pool.children()[1], signal.SIGKILL)
    await asyncio.to_thread(wait_for, lambda: pool.children() == {})
    killed_at = time.monotonic()
    assert await address_of(pool, 1, content, signer) == address
    assert time.monotonic() - killed_at < 2  # a second, and as much again for a machine that does other things


@pytest.mark.opa
async def test_a_server_that_hangs_is_killed_and_replaced(pool, signer):
    content = signer.bundle(1)
    pool.put(1, content)
    await address_of(pool, 1, content, signer)
    hung = pool.children()[1]
    os.kill(hung, signal.SIGSTOP)
    await asyncio.to_thread(wait_for, lambda: pool.children().get(1) not in {None, hung}, 20)
    await address_of(pool, 1, content, signer)
    assert not alive(hung)


@pytest.mark.opa
async def test_servers_die_with_a_killed_pool_and_the_next_one_starts_over(pool, signer):
    content = signer.bundle(1)
    pool.put(1, content)
    await address_of(pool, 1, content, signer)
    pid = pool.children()[1]
    pool.stop(signal.SIGKILL)
    await asyncio.to_thread(wait_for, lambda: not alive(pid))
    pool.start()
    await address_of(pool, 1, content, signer)
    assert pool.children()[1] != pid


@pytest.mark.opa
async def test_a_bundle_of_another_key_is_never_served(pool, signer, tmp_path):
    content = Signer.make(tmp_path, "other.pem").bundle(1)
    pool.put(1, content)
    with pytest.raises(GuardUnavailable):
        await guard_address(pool.node_dir, 1, manifest_revision="1+sha256:any", within_s=1.5)


@pytest.mark.opa
async def test_a_server_of_another_revision_is_not_taken(pool, signer):
    pool.put(1, signer.bundle(1))
    with pytest.raises(GuardUnavailable):
        await address_of(pool, 1, signer.bundle(1, version="2"), signer, within_s=1.5)


@pytest.mark.opa
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        pytest.param("PUT", "/v1/policies/x", "package gatehouse.guard.x\nallow := true", id="a-policy"),
        pytest.param("PUT", "/v1/data/gatehouse/guard_data", "{}", id="data"),
        pytest.param("DELETE", "/v1/policies/gatehouse/main.rego", "", id="deletion"),
    ],
)
async def test_the_api_refuses_to_change_what_the_bundle_owns(pool, signer, method, path, body):
    content = signer.bundle(1)
    pool.put(1, content)
    address = await address_of(pool, 1, content, signer)
    async with (
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(path=address)) as session,
        session.request(method, f"http://opa{path}", data=body) as answer,
    ):
        assert answer.status // 100 == 4


@pytest.mark.opa
async def test_a_home_of_150_characters_works(tmp_path, signer, opa_binary):
    deep = tmp_path / ("d" * 150) / "node"
    pool = RunningPool(deep, signer, opa_binary)
    content = signer.bundle(1)
    pool.put(1, content)
    address = Path(await address_of(pool, 1, content, signer))
    assert len(str(address)) <= 107
    assert stat.S_IMODE(address.parent.stat().st_mode) == 0o700
    assert pool.stop() == 0
    pool.start()
    assert Path(await address_of(pool, 1, content, signer)) == address  # the directory is used again
    assert recorded_directory(deep / "opa") == address.parent
    assert pool.stop() == 0
    address.parent.rmdir()


def test_a_second_pool_in_the_directory_refuses_to_start(pool, signer, opa_binary):
    second = RunningPool(pool.node_dir, signer, opa_binary)
    assert second.process.wait(5) == 78


def test_a_recorded_directory_that_is_not_ours_alone_is_not_used(tmp_path):
    opa_dir = tmp_path / ("d" * 150)
    first = choose_directory(opa_dir, runtime_dir=None)
    first.chmod(0o755)
    second = choose_directory(opa_dir, runtime_dir=None)
    assert second != first
    first.rmdir()
    second.rmdir()


@pytest.mark.parametrize(
    ("name", "want"),
    [("00000000000000000007.sock", 7), ("7.sock", None), ("00000000000000000007.sock.tmp", None), ("lock", None)],
)
def test_serial_of(name, want):
    assert serial_of(name) == want


def test_socket_path_sorts_by_serial():
    assert socket_path(Path("/x"), 7) < socket_path(Path("/x"), 12)


@pytest.mark.parametrize("missing", ["GATEHOUSE_NODE_DIR", "GATEHOUSE_BUNDLE_KEY_FILE", "GATEHOUSE_OPA_BINARY"])
def test_a_missing_setting_is_named(tmp_path, signer, missing):
    from proxy_addons.opa_pool.settings import PoolSettings

    variables = {
        "PATH": str(tmp_path),
        "GATEHOUSE_NODE_DIR": str(tmp_path),
        "GATEHOUSE_OPA_BINARY": sys.executable,
        "GATEHOUSE_BUNDLE_KEY_FILE": str(signer.public_file),
    }
    PoolSettings.read(variables)
    del variables[missing]
    with pytest.raises(SettingInvalid, match=missing):
        PoolSettings.read(variables)
