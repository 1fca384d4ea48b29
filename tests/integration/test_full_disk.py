# SPDX-License-Identifier: Apache-2.0
"""A node whose disk is full: it asks no upstream, records what it refuses, and goes on when there is room."""

import asyncio
import json
from collections import Counter

import pytest

from tests.node_processes import until
from tests.small_disk import fill, small_disk

ALLOWED = (502, "upstream-unavailable")
REFUSED = (503, "record-unavailable")


@pytest.fixture
async def upstream():
    """Counts who connects, and answers nothing."""
    arrived = []

    def hang_up(_reader, writer):
        arrived.append(1)
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], arrived


async def test_a_full_disk_refuses_before_an_upstream_is_asked_and_is_recorded(
    node, signer, control_plane, upstream, tmp_path
):
    port, arrived = upstream
    with small_disk(tmp_path / "disk", size_bytes=24 * 1024 * 1024) as disk:
        node.node_dir = disk / "node"
        node.environment |= {
            "GATEHOUSE_NODE_DIR": str(node.node_dir),
            "GATEHOUSE_UPSTREAM_URL": f"http://127.0.0.1:{port}",
            "GATEHOUSE_SPOOL_RESERVE_BYTES": "65536",
        }
        await control_plane.publish(bundle=signer.bundle(5), credentials=signer.credentials(1))
        node.start()
        await until(lambda: node.enforces(5))
        assert await node.chat() == ALLOWED
        fill(disk / "filler")
        # What each worker has room for was allocated before; when that is used up, it knows.
        answers: Counter[tuple[int, str]] = Counter()
        in_a_row = asked = 0
        while in_a_row < 30:  # both workers
            answer = await node.chat()
            answers[answer] += 1
            in_a_row, asked = (in_a_row + 1, asked) if answer == REFUSED else (0, len(arrived))
            assert sum(answers.values()) < 3000
        assert set(answers) == {ALLOWED, REFUSED}
        assert len(arrived) == asked
        (disk / "filler").unlink()
        while await node.chat() != ALLOWED:
            answers[REFUSED] += 1
            await asyncio.sleep(0.05)
        assert await node.stop() == 0
    told = [json.loads(record["envelope"]) for record in control_plane.records]
    reasons = Counter(reason["code"] for each in told for reason in each["reasons"])
    assert reasons["upstream-unavailable"] == answers[ALLOWED] + 2
    lost = sum(
        each["count"]
        for each in map(json.loads, (one["envelope"] for one in control_plane.of_sources))
        if each["kind"] == "loss"
    )
    assert reasons["record-unavailable"] + lost == answers[REFUSED]
