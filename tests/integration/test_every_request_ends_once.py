# SPDX-License-Identifier: Apache-2.0
"""Requests of every kind, whole, cut and garbled, while workers are killed: each that one of them has begun ends once."""

import asyncio
import contextlib
import json
import os
import random
import signal
from collections import Counter

from tests.node_processes import until
from tests.signing import ALICE_KEY
from tests.soak.kinds import KINDS, Sender
from tests.soak.wire import ask, marking_upstream

_SENDER = Sender(key=ALICE_KEY, revoked_key="gh_x")
_CLIENTS = 12
_KILLS = 6
_ENDS_OTHERWISE = 3  # of the kinds below: one in three is what a good client sends
_STREAM = next(kind for kind in KINDS if kind.name == "stream")


async def test_each_has_one_terminal_record_whatever_it_died_of(node, signer, control_plane):
    dice = random.Random(5)
    async with marking_upstream() as (origin, _):
        node.environment["GATEHOUSE_UPSTREAM_URL"] = origin
        await control_plane.publish(bundle=signer.bundle(5), credentials=signer.credentials(1))
        node.start()
        await until(lambda: node.enforces(5))
        told: list[str] = []
        asking = [asyncio.create_task(_keep_asking(node.proxy_port, dice, told)) for _ in range(_CLIENTS)]
        try:
            for kill in range(_KILLS):
                await asyncio.sleep(dice.uniform(0.3, 0.8))
                pid = dice.choice(list(node.workers().values()))
                os.kill(pid, signal.SIGKILL)
                if kill == _KILLS // 2:
                    node.process.send_signal(signal.SIGHUP)  # successors beside those that finish
                await until(lambda: node.enforces(5) and pid not in node.workers().values())  # noqa: B023  # awaited here
        finally:
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
        assert await node.stop() == 0
    _check(node, control_plane, told)


async def test_a_worker_killed_with_its_node_has_its_requests_recorded_at_the_next_start(node, signer, control_plane):
    async with marking_upstream() as (origin, arrived):
        node.environment["GATEHOUSE_UPSTREAM_URL"] = origin
        await control_plane.publish(bundle=signer.bundle(5), credentials=signer.credentials(1))
        node.start()
        await until(lambda: node.enforces(5))
        streams = [asyncio.create_task(ask(node.proxy_port, _STREAM.raw(_SENDER, "m-1-"), within_s=20)) for _ in "four"]
        await until(lambda: arrived)
        await node.stop(signal.SIGKILL)
        answers = [answer for answer in await asyncio.gather(*streams) if answer is not None]
        control_plane.statuses.clear()
        node.start()
        await until(lambda: node.enforces(5))
        assert await node.stop() == 0
    _check(node, control_plane, [answer.request_id for answer in answers])


async def _keep_asking(port: int, dice: random.Random, told: list[str]) -> None:
    while True:
        raw = dice.choice(KINDS).raw(_SENDER, "m-1-")
        match dice.randrange(_ENDS_OTHERWISE * 2):
            case 0:
                await _send_and_leave(port, raw[: dice.randrange(len(raw))], reads=0)
            case 1:
                await _send_and_leave(port, raw, reads=dice.randrange(400))
            case 2:
                at = dice.randrange(len(raw))
                await _send_and_leave(port, raw[:at] + dice.randbytes(5) + raw[at + 5 :], reads=100)
            case _:
                answer = await ask(port, raw, within_s=20)
                if answer is not None:
                    told.append(answer.request_id)


async def _send_and_leave(port: int, raw: bytes, *, reads: int) -> None:
    with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
        async with asyncio.timeout(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(raw)
                await writer.drain()
                await reader.readexactly(reads)
            finally:
                writer.transport.abort()


def _check(node, control_plane, told: list[str]) -> None:
    envelopes = [json.loads(record["envelope"]) for record in control_plane.records]
    stored = {
        json.dumps(each["source"], sort_keys=True): each for each in envelopes
    }.values()  # sent twice, stored once
    ended = Counter(each["request_id"] for each in stored if each["kind"] == "terminal")
    admitted = {each["request_id"] for each in stored if each["kind"] == "admission"}
    lost = [each for each in stored if each["kind"] == "terminal" and each["reasons"][:1] == _LOST]
    assert [request for request, times in ended.items() if times != 1] == []
    assert {*told, *admitted} - ended.keys() == set()
    assert len(lost) > 0
    assert {each["verdict"] for each in lost} <= {"cut", "blocked"}
    assert all((each["verdict"] == "cut") == (each["request_id"] in admitted) for each in lost)
    assert list(node.node_dir.glob("spool/*/*.open")) == []
    claimed = {(one["id"], one["boot_id"]): one["last_seq"] for one in control_plane.statuses[-1].get("sources", ())}
    arrived: dict[tuple[str, str], int] = {}
    for each in [*stored, *(json.loads(record["envelope"]) for record in control_plane.of_sources)]:
        key = each["source"]["id"], each["source"]["boot_id"]
        arrived[key] = max(arrived.get(key, 0), each["source"]["seq"])
    assert claimed
    assert [key for key, last in claimed.items() if arrived.get(key, 0) < last] == []


_LOST = [{"code": "worker-lost", "policy": "", "rule": ""}]
