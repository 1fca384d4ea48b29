# SPDX-License-Identifier: Apache-2.0
"""Case 69: a log store that is down, busy, hung or answers nonsense. What the node let pass meanwhile arrives once.

A full disk is in tests/integration/test_full_disk.py.
"""

import asyncio
import json
from collections import Counter

import pytest
from aiohttp import web

from tests.fake_control_plane import FakeControlPlane
from tests.node_processes import NodeProcesses, until
from tests.signing import Signer

# Nobody is behind it: policy let the request pass, and its record was durable before the upstream was asked.
ALLOWED = (502, "upstream-unavailable")
REQUESTS = 20

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


class Unwell(FakeControlPlane):
    """Answers batches of records as `told` says, or stores them; `tried` counts those that were not stored."""

    told = None
    tried = 0

    async def _take_records(self, request):
        if self.told is None:
            return await super()._take_records(request)
        await request.read()
        self.tried += 1
        return await self.told()


async def _busy():
    return web.Response(status=429, headers={"Retry-After": "0"})


async def _down():
    return web.Response(status=503, headers={"Retry-After": "0"})


async def _failing():
    return web.Response(status=500, text="<html>")


async def _redirects():
    return web.Response(status=307, headers={"Location": "http://127.0.0.1:9/v1/records"})


async def _nonsense():
    return web.Response(status=200, text="{]")


async def _another_page():
    return web.Response(status=200, text="<html>Welcome</html>", content_type="text/html")


async def _hangs():
    await asyncio.sleep(3600)


@pytest.fixture
async def store():
    fake = Unwell()
    await fake.start()
    yield fake
    await fake.stop()


@pytest.fixture
async def node(tmp_path, store):
    signer = Signer.make(tmp_path)
    running = NodeProcesses(tmp_path, signer, store, guard_engine="embedded")
    await store.publish(bundle=signer.bundle(5), credentials=signer.credentials(1))
    running.start()
    await until(lambda: running.enforces(5))
    yield running
    if running.process.poll() is None:
        await running.stop()


@pytest.mark.parametrize("told", [None, _busy, _down, _failing, _redirects, _nonsense, _another_page, _hangs])
async def test_what_passed_while_the_store_was_unwell_arrives_once_and_without_a_hole(node, store, told):
    store.told = told
    for _ in range(REQUESTS):
        assert await node.chat() == ALLOWED
    if told is not None:
        await until(lambda: store.tried)
        assert store.records == []
    store.told = None
    if told is _hangs:  # the connection that hangs ends with the store, as in life
        await store.stop()
        await store.start()
    await until(lambda: len(set(store.identities())) >= REQUESTS)
    assert await node.stop() == 0
    numbers: dict[tuple[str, str], Counter[int]] = {}
    for record in (*store.records, *store.of_sources):
        source = json.loads(record["envelope"])["source"]
        numbers.setdefault((source["id"], source["boot_id"]), Counter())[source["seq"]] += 1
    ended = Counter(json.loads(record["envelope"])["request_id"] for record in store.records)
    assert (len(ended), set(ended.values())) == (REQUESTS, {1})
    for seen in numbers.values():
        assert seen == Counter(range(1, max(seen) + 1))
    assert not [each for each in store.of_sources if json.loads(each["envelope"])["kind"] == "loss"]
