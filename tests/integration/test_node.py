# SPDX-License-Identifier: Apache-2.0
"""The whole node as processes: real workers, a control plane of the tests, kills where they hurt."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import aiohttp
import pytest

from tests.authority import Authority
from tests.node_processes import WITHIN_S, NodeProcesses, until
from tests.ports import unused_port
from tests.signing import Signer


@pytest.fixture
async def enforcing(node, signer, control_plane):
    """A node that enforces serial 5 and authenticates at epoch 1."""
    await control_plane.publish(bundle=signer.bundle(5), credentials=signer.credentials(1))
    node.start()
    await until(lambda: node.enforces(5) or node.process.poll() is not None)
    assert node.process.poll() is None, node.log()
    return node


# The upstream of these tests does not exist: an allowed request is answered 502, a refused one never gets that far.
ALLOWED = (502, "upstream-unavailable")


async def test_enforces_what_is_published_records_it_and_stops_in_order(enforcing, control_plane):
    assert await enforcing.health("/healthz") == (200, {"status": "alive"})
    assert (await enforcing.health("/readyz"))[0] == 200
    assert await enforcing.chat() == ALLOWED
    assert await enforcing.chat(model="parrot-restricted") == (403, "no-applicable-policy")
    assert await enforcing.chat(max_tokens=513) == (403, "max-tokens-over-cap")
    assert await enforcing.chat(key="gh_wrong") == (401, "credentials-invalid")
    workers = enforcing.workers()
    assert enforcing.status["environment"] == "production"
    assert await enforcing.stop() == 0
    # A batch that was under way when the node was told to stop may be sent again; none is missing.
    assert len(set(control_plane.identities())) == 4
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers.values())


async def test_a_new_bundle_is_enforced_within_a_second_and_the_old_file_goes(enforcing, signer, control_plane):
    published_at = time.monotonic()
    await control_plane.publish(bundle=signer.bundle(6, version="2"))
    await until(lambda: enforcing.enforces(6))
    assert time.monotonic() - published_at < 3  # a second, and room for a machine that runs other tests
    bundles = enforcing.node_dir / "bundles"
    await until(lambda: {path.name.partition(".")[0] for path in bundles.iterdir()} == {f"{6:020d}"})


async def test_a_revoked_key_is_refused(enforcing, signer, control_plane):
    assert await enforcing.chat() == ALLOWED
    await control_plane.publish(credentials=signer.credentials(2, revoked=True))
    await until(lambda: enforcing.enforces(5, epoch=2))
    assert await enforcing.chat() == (401, "credentials-revoked")


async def test_a_replayed_credentials_document_is_refused(enforcing, signer, control_plane):
    await control_plane.publish(credentials=signer.credentials(2, revoked=True))
    await until(lambda: enforcing.enforces(5, epoch=2))
    await control_plane.publish(credentials=signer.credentials(1))
    await until(lambda: "epoch-not-newer" in enforcing.log())
    assert await enforcing.chat() == (401, "credentials-revoked")


@pytest.mark.parametrize(
    ("make", "want"),
    [
        pytest.param(lambda signer, _: signer.bundle(4), "serial-not-newer", id="an-older-serial"),
        pytest.param(
            lambda _, folder: Signer.make(folder, "other.pem").bundle(6), "signature-invalid", id="of-another-key"
        ),
        pytest.param(lambda signer, _: signer.bundle(6)[:-20], "bundle-unreadable", id="cut-short"),
        pytest.param(lambda *_: b"no bundle", "bundle-unreadable", id="no-bundle-at-all"),
    ],
)
async def test_a_bad_bundle_is_reported_and_the_last_good_one_keeps_serving(
    enforcing, signer, control_plane, make, want
):
    await control_plane.publish(bundle=make(signer, enforcing.folder))
    rejected = await until(lambda: enforcing.status["rejected_bundle"])
    assert rejected["code"] == want
    assert await enforcing.chat() == ALLOWED
    assert enforcing.enforces(5)
    await control_plane.publish(bundle=signer.bundle(7))
    await until(lambda: enforcing.enforces(7) and enforcing.status["rejected_bundle"] is None)


async def test_a_killed_worker_is_replaced_with_the_policy_and_its_records_arrive(enforcing, control_plane):
    for _ in range(6):
        await enforcing.chat()
    before = enforcing.workers()
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    # Connections made now wait in the kernel for the next process of the slot, and for its policy.
    answers = await asyncio.wait_for(asyncio.gather(*(enforcing.chat() for _ in range(4))), WITHIN_S)
    assert set(answers) == {ALLOWED}
    await until(lambda: enforcing.enforces(5) and not set(enforcing.workers().values()) & set(before.values()))
    await until(lambda: len(set(control_plane.identities())) == 10)


async def test_a_killed_node_starts_again_without_the_control_plane(enforcing, control_plane):
    workers = enforcing.workers()
    await enforcing.stop(signal.SIGKILL)
    await until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers.values()))
    await control_plane.stop()
    enforcing.start()
    await until(lambda: port_is_open(enforcing.proxy_port))
    assert await enforcing.chat() == ALLOWED  # the first that is answered at all
    deadline = time.monotonic() + WITHIN_S
    while (await enforcing.health("/readyz"))[0] != 200:
        assert time.monotonic() < deadline, enforcing.log()
        await asyncio.sleep(0.05)


async def test_after_a_restart_an_older_bundle_is_still_a_replay(enforcing, signer, control_plane):
    await enforcing.stop(signal.SIGKILL)
    for path in (enforcing.node_dir / "bundles").iterdir():
        path.unlink()
    await control_plane.publish(bundle=signer.bundle(4))
    control_plane.statuses.clear()
    enforcing.start()
    rejected = await until(lambda: enforcing.status.get("rejected_bundle"))
    assert rejected["code"] == "serial-not-newer"
    await control_plane.publish(bundle=signer.bundle(5))  # the one that was in force may come again
    await until(lambda: enforcing.enforces(5))


async def test_without_the_control_plane_records_wait_and_then_arrive_once(enforcing, control_plane):
    await control_plane.stop()
    for _ in range(5):
        assert await enforcing.chat() == ALLOWED
    assert control_plane.records == []
    await control_plane.start()
    await until(lambda: len(control_plane.records) == 5, within_s=10)
    await asyncio.sleep(0.5)
    assert len(set(control_plane.identities())) == len(control_plane.records) == 5


async def test_a_rolling_restart_loses_no_request_and_keeps_none_waiting(enforcing):
    answers: list[tuple[int, str]] = []
    waited_s: list[float] = []

    async def ask_on_fresh_connections() -> None:
        while True:
            began = time.monotonic()
            answers.append(await enforcing.chat())
            waited_s.append(time.monotonic() - began)

    async def ask_on_one_connection() -> None:
        async with aiohttp.ClientSession() as session:
            while True:
                answers.append(await enforcing.chat(session=session))

    asking = [asyncio.create_task(ask()) for ask in (ask_on_fresh_connections, ask_on_one_connection) for _ in range(4)]
    for _ in range(2):
        before = set(enforcing.workers().values())
        enforcing.process.send_signal(signal.SIGHUP)
        await until(lambda: enforcing.enforces(5) and not set(enforcing.workers().values()) & before)  # noqa: B023
    assert not any(task.done() for task in asking)
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    assert len(answers) > 0
    assert set(answers) == {ALLOWED}
    assert max(waited_s) < 3  # a connection that had to wait for a process to start would need longer


async def test_a_worker_that_hangs_is_replaced_and_what_waited_for_it_is_answered(enforcing):
    before = enforcing.workers()
    os.kill(before[0], signal.SIGSTOP)
    answers = await asyncio.wait_for(asyncio.gather(*(enforcing.chat() for _ in range(8))), WITHIN_S)
    assert set(answers) == {ALLOWED}
    await until(lambda: enforcing.enforces(5) and enforcing.workers()[0] != before[0])
    assert enforcing.workers()[1] == before[1]


async def test_metrics_are_on_the_health_port_and_only_grow(enforcing):
    await enforcing.chat()
    await enforcing.chat(model="parrot-restricted")
    metrics = await enforcing.metrics()
    refused = 'gatehouse_requests_total{operation="chat.completions",outcome="deny",reason="no-applicable-policy",verdict="blocked"}'
    assert metrics[refused] == 1
    assert metrics['gatehouse_upstream_failures_total{code="upstream-unavailable"}'] == 1
    assert (
        metrics['gatehouse_model_decisions_total{model="other"}']
        + metrics['gatehouse_model_decisions_total{model="parrot"}']
        == 2
    )
    assert metrics['gatehouse_stage_seconds_count{stage="total"}'] == 2
    assert metrics['gatehouse_worker_up{slot="0"}'] == metrics['gatehouse_feed_up{feed="bundles"}'] == 1
    assert metrics['gatehouse_policy_serial{slot="1"}'] == 5
    before = enforcing.workers()
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    await until(lambda: enforcing.enforces(5) and not set(enforcing.workers().values()) & set(before.values()))
    later = await enforcing.metrics()
    assert later[refused] == 1
    assert later['gatehouse_worker_starts_total{slot="0"}'] == 2
    status, _ = await enforcing.chat(path="/metrics")
    assert status in {401, 404, 405}


async def test_before_the_first_policy_everything_is_refused(node):
    node.start()
    await until(lambda: len(node.workers()) == 2)
    assert (await node.chat())[0] in {401, 503}
    assert (await node.health("/readyz"))[0] == 503
    assert await node.stop() == 0


async def test_a_second_node_on_the_port_or_in_the_directory_refuses_to_start(enforcing):
    for variable, value in (
        ("GATEHOUSE_PROXY_PORT", str(unused_port())),
        ("GATEHOUSE_NODE_DIR", str(enforcing.folder / "n2")),
    ):
        environment = enforcing.environment | {variable: value, "GATEHOUSE_HEALTH_PORT": str(unused_port())}
        second = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "proxy_addons"],
            env=environment,
            capture_output=True,
            timeout=20,
            check=False,
        )
        assert second.returncode == 78
        assert b"gatehouse proxy:" in second.stderr


@pytest.mark.opa
async def test_with_opa_the_guard_decides_dies_and_comes_back(tmp_path, signer, control_plane, opa_binary):
    node = NodeProcesses(tmp_path, signer, control_plane, guard_engine="opa")
    environment = node.environment | {"GATEHOUSE_OPA_BINARY": str(opa_binary)}
    pool = subprocess.Popen([sys.executable, "-m", "proxy_addons.opa_pool"], env=environment)
    try:
        await control_plane.publish(bundle=signer.bundle(1), credentials=signer.credentials(1))
        node.start()
        await until(lambda: node.enforces(1))
        assert node.status["guard_engine"] == "opa"
        assert await node.chat(max_tokens=513) == (403, "max-tokens-over-cap")
        await control_plane.publish(bundle=signer.bundle(2, version="2"))
        await until(lambda: node.enforces(2))
        children = json.loads((node.node_dir / "opa" / "children.json").read_text())
        os.kill(children["2"]["pid"], signal.SIGKILL)
        assert await node.chat() in {ALLOWED, (503, "evaluation-failed")}
        await asyncio.sleep(2)
        assert await node.chat() == ALLOWED
        assert await node.stop() == 0
    finally:
        if node.process.poll() is None:
            await node.stop(signal.SIGKILL)
        pool.terminate()
        pool.wait(10)


def port_is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def test_a_certificate_is_followed_and_its_state_is_in_readiness(node, signer, control_plane, tmp_path):
    authority = Authority(tmp_path, "ca")
    cert_file, key_file = authority.issue("server")
    node.environment |= {
        "GATEHOUSE_PROXY_CERT_FILE": str(cert_file),
        "GATEHOUSE_PROXY_KEY_FILE": str(key_file),
        "GATEHOUSE_PROXY_CLIENT_CA_FILE": str(authority.path),
    }
    await control_plane.publish(bundle=signer.bundle(5), credentials=signer.credentials(1))
    node.start()
    await until(lambda: node.enforces(5) or node.process.poll() is not None)
    good = key_file.read_bytes()
    key_file.write_bytes(authority.issue("other")[1].read_bytes())
    states = {}
    async with asyncio.timeout(WITHIN_S):
        while "KEY_VALUES_MISMATCH" not in states:
            status, told = await node.health("/readyz")
            states[told["certificate"]["problem"] if told["certificate"] else ""] = (status, told["certificate"])
            await asyncio.sleep(0.1)
    assert states["KEY_VALUES_MISMATCH"][0] == 200
    assert states["KEY_VALUES_MISMATCH"][1]["expires_at"] > "2026"
    assert "certificate_not_loaded" in node.log()
    assert good not in node.log().encode()


async def test_a_node_does_not_start_with_a_certificate_that_is_none(node, signer):
    node.environment |= dict.fromkeys(
        ("GATEHOUSE_PROXY_CERT_FILE", "GATEHOUSE_PROXY_KEY_FILE"), str(signer.public_file)
    )
    node.start()
    assert await asyncio.to_thread(node.process.wait, 30) == 78
    assert "GATEHOUSE_PROXY_CERT_FILE" in node.log()
