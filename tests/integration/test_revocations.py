# SPDX-License-Identifier: Apache-2.0
"""Revocations at a whole node and at open answers: what is refused at once, what is cut, and what no restart gives back.

Also keys that verify what is signed: an old and a new one side by side, and the old one taken away.
"""

import asyncio
import os
import signal
from contextlib import asynccontextmanager

import pytest

from policies.contracts.identity import IdentityPolicy, OnRevocation
from proxy_addons.core.revocations import Revocations
from proxy_addons.http1.bounds import Bounds
from tests.integration.test_data_plane import EVENT, event_stream, raw
from tests.layer_rig import answering, gateway, on_uvloop
from tests.node_processes import until
from tests.signing import ALICE_KEY, Signer
from tests.unit.proxy_addons.harness import Harness, active_policy, chat, key_of, key_ring

ALLOWED = (502, "upstream-unavailable")
REVOKED = (401, "credentials-revoked")
ALICE_ID = ALICE_KEY.split("_")[1]


def revoking(node, epoch: int) -> bool:
    workers = node.status["workers"]
    return len(workers) == 2 and all(worker.get("revocations_epoch") == epoch for worker in workers)


@pytest.fixture
async def enforcing(node, signer, control_plane):
    """A node that enforces serial 5, authenticates at epoch 1 and has revoked nothing at epoch 1."""
    await control_plane.publish(
        bundle=signer.bundle(5), credentials=signer.credentials(1), revocations=signer.revocations(1)
    )
    node.start()
    await until(lambda: (node.enforces(5) and revoking(node, 1)) or node.process.poll() is not None)
    assert node.process.poll() is None, node.log()
    return node


@pytest.mark.parametrize("members", [{"keys": (ALICE_ID,)}, {"subjects": ("user:alice",)}], ids=["key", "subject"])
async def test_what_is_revoked_is_refused_by_every_worker_and_said_so(enforcing, signer, control_plane, members):
    assert await enforcing.chat() == ALLOWED
    await control_plane.publish(revocations=signer.revocations(2, **members))
    await until(lambda: revoking(enforcing, 2))
    assert {await enforcing.chat() for _ in range(6)} == {REVOKED}
    assert (await enforcing.metrics())['gatehouse_revocations_epoch{slot="1"}'] == 2


async def test_neither_a_replay_nor_newer_credentials_nor_a_restart_give_a_key_back(enforcing, signer, control_plane):
    await control_plane.publish(revocations=signer.revocations(3, keys=(ALICE_ID,)))
    await until(lambda: revoking(enforcing, 3))
    await control_plane.publish(revocations=signer.revocations(2), credentials=signer.credentials(9))
    await until(lambda: "epoch-not-newer" in enforcing.log() and enforcing.enforces(5, epoch=9))
    assert await enforcing.chat() == REVOKED
    for pid in (workers := enforcing.workers()).values():
        os.kill(pid, signal.SIGKILL)
    await until(lambda: revoking(enforcing, 3) and not {*enforcing.workers().values()} & {*workers.values()})
    assert {await enforcing.chat() for _ in range(4)} == {REVOKED}
    await enforcing.stop(signal.SIGKILL)
    control_plane.statuses.clear()
    enforcing.start()  # the older document is all that the feed has
    await until(lambda: enforcing.enforces(5, epoch=9) and revoking(enforcing, 3))
    assert await enforcing.chat() == REVOKED


async def test_a_file_that_does_not_verify_lets_nobody_in_until_the_feed_has_spoken(enforcing, signer, control_plane):
    await enforcing.stop(signal.SIGKILL)
    (enforcing.node_dir / "revocations.jws").write_bytes(b"x")
    control_plane.failing = True
    enforcing.start()
    await until(lambda: enforcing.log().count("worker_serving") >= 4)
    assert await enforcing.chat() == (503, "policy-unavailable")
    control_plane.failing = False
    control_plane.statuses.clear()
    await until(lambda: revoking(enforcing, 1) and enforcing.enforces(5))
    assert await enforcing.chat() == ALLOWED


async def test_keys_overlap_and_the_one_taken_away_is_believed_no_more(node, signer, control_plane, tmp_path):
    folder = tmp_path / "keys"
    folder.mkdir()
    old, new = (Signer.make(folder, f"{name}.pem", key_id=name) for name in ("gatehouse-1", "gatehouse-2"))
    later = new.public_file.rename(tmp_path / "later.pem")
    del node.environment["GATEHOUSE_BUNDLE_KEY_FILE"]
    node.environment["GATEHOUSE_BUNDLE_KEYS_DIR"] = str(folder)
    await control_plane.publish(bundle=old.bundle(1), credentials=old.credentials(1), revocations=old.revocations(1))
    node.start()
    await until(lambda: node.enforces(1) and revoking(node, 1))
    # The key comes first, then what it signs: there is no moment without a policy.
    later.rename(folder / "gatehouse-2.pem")
    await control_plane.publish(bundle=new.bundle(2), credentials=new.credentials(2), revocations=new.revocations(2))
    await until(lambda: node.enforces(2, epoch=2) and revoking(node, 2))
    assert await node.chat() == ALLOWED
    old.public_file.unlink()
    await control_plane.publish(bundle=old.bundle(3), credentials=old.credentials(3), revocations=old.revocations(3))
    rejected = await until(lambda: node.status["rejected_bundle"])
    assert rejected["code"] == "signature-invalid"
    await until(lambda: "credentials_rejected" in node.log() and "revocations_rejected" in node.log())
    assert node.enforces(2, epoch=2)
    assert revoking(node, 2)
    # A start believes what is on file by the keys that there are then.
    await node.stop(signal.SIGKILL)
    new.public_file.rename(later)
    (folder / "gatehouse-3.pem").write_bytes(Signer.make(tmp_path, "third.pem").public_file.read_bytes())
    control_plane.failing = True
    node.start()
    await until(lambda: "revocations_not_resumed" in node.log() and port_is_bound(node.log()))
    assert await node.chat() == (503, "policy-unavailable")


def port_is_bound(log: str) -> bool:
    return log.count("worker_serving") >= 4


@asynccontextmanager
async def plane(on_revocation: OnRevocation):
    """A gateway whose upstream begins a stream and never ends it, and what cuts its answers."""
    identity = IdentityPolicy(id="login", version="1", issuers=(), certificates=(), on_revocation=on_revocation)
    harness = Harness(policy=active_policy(identity=(identity,)), keys=key_ring())
    cuts: list = []
    respond = answering(event_stream(EVENT))
    bounds = Bounds(drain_s=1, requests=1000, connections=2000)
    async with gateway(harness.addons, respond, bounds=bounds, on_cut=cuts.append) as gate:
        yield gate, harness, cuts[0]


def revoke(harness: Harness, key: str) -> None:
    harness.feed.use_revocations(Revocations(epoch=1, keys=frozenset({key_of(key).split("_")[1]})))


async def streaming(gate, key: str):
    reader, writer = await gate.connect()
    writer.write(raw(chat("hello", stream=True), key=key_of(key)).replace(b"Connection: close\r\n", b""))
    await reader.readuntil(b"well")
    return reader, writer


def terminal(harness: Harness) -> list[dict]:
    return [record for record in harness.sink.envelopes if record["kind"] == "terminal"]


@on_uvloop
async def test_open_streams_of_the_revoked_are_cut_and_each_is_recorded_once():
    async with plane(OnRevocation.CUT) as (gate, harness, cut):
        opened = await asyncio.gather(*(streaming(gate, "alice") for _ in range(100)))
        kept_reader, kept = await streaming(gate, "bob")
        revoke(harness, "alice")
        await cut(harness.feed.ends)
        for reader, writer in opened:
            rest = await asyncio.wait_for(reader.readuntil(b"0\r\n\r\n"), 5)
            assert b'"code":"credentials-revoked"' in rest
            assert b"[DONE]" not in rest
            writer.close()
        records = terminal(harness)
        assert len(records) == len({record["request_id"] for record in records}) == 100
        assert {(record["verdict"], record["reasons"][0]["code"]) for record in records} == {
            ("cut", "credentials-revoked")
        }
        await cut(harness.feed.ends)
        assert len(terminal(harness)) == 100
        assert not kept_reader.at_eof()
        kept.close()


@on_uvloop
async def test_they_finish_where_policy_does_not_say_so():
    async with plane(OnRevocation.FINISH) as (gate, harness, cut):
        reader, writer = await streaming(gate, "alice")
        revoke(harness, "alice")
        await cut(harness.feed.ends)
        await asyncio.sleep(0.1)
        assert terminal(harness) == []
        assert not reader.at_eof()
        writer.write(raw(chat("hello"), key=key_of("alice")))
        writer.close()
