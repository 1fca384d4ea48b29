# SPDX-License-Identifier: Apache-2.0
import asyncio
import os

import pytest

from proxy_addons.addons.record_decision import RecordDecision
from proxy_addons.clients import spool as spool_module
from proxy_addons.clients.spool import Spool
from tests.unit.proxy_addons.harness import Harness, chat, plain_answer, ready_harness


@pytest.fixture
def spool(tmp_path, monkeypatch):
    monkeypatch.setattr(spool_module, "_TRIAL_EVERY_S", 0.01)
    with Spool.open(tmp_path / "w0", source_id="node-1/w0") as spool:
        yield spool


@pytest.fixture
def harness(spool) -> Harness:
    made = ready_harness()
    made.addon(RecordDecision)._sink = spool
    return made


async def test_on_a_full_disk_the_upstream_is_asked_once_and_again_when_there_is_room(harness, spool, monkeypatch):
    assert (await harness.send(chat())).status == 200
    with monkeypatch.context() as full:

        def fail(*_):
            raise OSError(28, "No space left on device")

        full.setattr(os, "pwrite", fail)
        first = await harness.send(chat(), upstream=plain_answer("computed and withheld"))
        others = [await harness.send(chat()) for _ in range(3)]
    async with asyncio.timeout(10):
        while not spool.writable:
            await asyncio.sleep(0.01)
    assert [(told.status, told.code) for told in (first, *others)] == [(503, "record-unavailable")] * 4
    assert [len(told.sent_upstream) for told in (first, *others)] == [1, 0, 0, 0]
    assert (await harness.send(chat())).status == 200


async def test_a_disk_that_fills_while_the_body_arrives_refuses_the_request(harness, spool, monkeypatch):
    original = harness.hook

    async def fill_before_the_body(name, flow):
        if name == "request":
            monkeypatch.setattr(spool, "_writable", False)
        await original(name, flow)

    harness.hook = fill_before_the_body
    told = await harness.send(chat())
    assert (told.code, told.sent_upstream) == ("record-unavailable", [])


async def test_other_refusals_are_told_before_that_nothing_can_be_recorded(harness, spool, monkeypatch):
    monkeypatch.setattr(spool, "_writable", False)
    assert (await harness.send(chat(), target=b"/unlisted")).code == "route-not-listed"
