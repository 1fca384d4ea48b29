# SPDX-License-Identifier: Apache-2.0
import asyncio
import errno
import os
from dataclasses import replace

import pytest

from policies.contracts.recording import LoggingPolicy, RecordsMode
from proxy_addons.addons.record_decision import RecordDecision
from proxy_addons.clients import flusher as flusher_module
from proxy_addons.clients import spool as spool_module
from tests.spools import of_requests, of_the_source, open_spool
from tests.unit.proxy_addons.harness import (
    FakeSink,
    Harness,
    active_policy,
    chat,
    plain_answer,
    ready_harness,
    streamed_answer,
)


@pytest.fixture
def spool(tmp_path, monkeypatch):
    monkeypatch.setattr(flusher_module, "_TRIAL_EVERY_S", 0.01)
    with open_spool(tmp_path / "w0", reserve_bytes=256 * 1024) as spool:
        yield spool


@pytest.fixture
async def harness(spool) -> Harness:
    await spool.prove()
    made = ready_harness()
    made.addon(RecordDecision)._sink = spool
    return made


def full_disk(patched) -> None:
    """Let nothing be allocated any more."""
    real = os.pwrite

    def no_room(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    def pwrite(file, content, at):
        return real(file, content, at) if at + len(content) <= os.fstat(file).st_size else no_room()

    patched.setattr(os, "pwrite", pwrite)
    patched.setattr(os, "posix_fallocate", no_room)


def use_up_what_is_allocated(spool) -> None:
    segment = spool._flusher._segments._segment
    os.ftruncate(segment._descriptor, segment.size)
    segment._allocated = segment.size


async def writable(spool) -> None:
    async with asyncio.timeout(10):
        while not spool.writable:
            await asyncio.sleep(0.01)


async def test_on_a_full_disk_no_upstream_is_asked_and_each_refusal_is_recorded(harness, spool, tmp_path, monkeypatch):
    assert (await harness.send(chat())).status == 200
    monkeypatch.setattr(spool_module, "_FRESH_S", -1.0)  # the last write was long ago
    with monkeypatch.context() as patched:
        full_disk(patched)
        use_up_what_is_allocated(spool)
        refused = [await harness.send(chat()) for _ in range(4)]
    await writable(spool)
    assert [(told.status, told.code, told.sent_upstream) for told in refused] == [(503, "record-unavailable", [])] * 4
    assert (await harness.send(chat())).status == 200
    outcomes = [told["outcome"] for told in of_requests(tmp_path / "w0")]
    assert outcomes == ["allow", *["error_deny"] * 4, "allow"]
    assert not spool.losses.total


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
async def test_a_disk_that_fills_while_the_upstream_answers_has_room_for_what_was_let_in(
    harness, spool, tmp_path, monkeypatch, stream
):
    with monkeypatch.context() as patched:
        original = harness.hook

        async def fill_behind_the_request(name, flow):
            await original(name, flow)
            if name == "request":
                full_disk(patched)
                use_up_what_is_allocated(spool)

        patched.setattr(harness, "hook", fill_behind_the_request)
        answer = streamed_answer("hello") if stream else plain_answer("hello")
        told = await harness.send(chat(stream=stream), upstream=answer)
        assert told.status == 200
        assert not spool.writable
    kinds = [told["kind"] for told in of_requests(tmp_path / "w0")]
    assert kinds == (["admission", "terminal"] if stream else ["terminal"])


async def test_where_nothing_can_be_written_an_answer_is_withheld_and_the_loss_is_told(
    harness, spool, tmp_path, monkeypatch
):
    with monkeypatch.context() as patched:

        def fail(*_, **__):
            raise OSError(errno.EIO, "Input/output error")

        for call in ("pwrite", "rename"):
            patched.setattr(os, call, fail)
        told = await harness.send(chat(), upstream=plain_answer("computed and withheld"))
        assert (told.status, told.code) == (503, "record-unavailable")
        assert (await harness.send(chat())).sent_upstream == []
    await writable(spool)
    [loss] = [told for told in of_the_source(tmp_path / "w0") if told["kind"] == "loss"]
    assert loss["outcomes"] == {"error_deny": 2}


async def test_a_disk_that_fills_while_the_body_arrives_refuses_the_request(harness, spool, monkeypatch):
    original = harness.hook

    async def fill_before_the_body(name, flow):
        if name == "request":
            monkeypatch.setattr(spool._flusher, "writable", False)
        await original(name, flow)

    harness.hook = fill_before_the_body
    told = await harness.send(chat())
    assert (told.code, told.sent_upstream) == ("record-unavailable", [])


async def test_other_refusals_are_told_before_that_nothing_can_be_recorded(harness, spool, monkeypatch):
    monkeypatch.setattr(spool._flusher, "writable", False)
    assert (await harness.send(chat(), target=b"/unlisted")).code == "route-not-listed"


# ── by policy ──


def recorded(records: RecordsMode | None, *, models: tuple[str, ...] = (), name: str = "logs") -> LoggingPolicy:
    return LoggingPolicy(
        id=name,
        version="1",
        records=records,
        prompts=None,
        answers=None,
        max_bytes=None,
        operations=(),
        models=models,
        subjects=(),
    )


def harness_with(*policies: LoggingPolicy) -> tuple[Harness, FakeSink]:
    harness = ready_harness()
    policy = active_policy(serial=9)
    harness.feed.swap(replace(policy, snapshot=replace(policy.snapshot, logging=policies)))
    return harness, harness.sink


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
async def test_best_effort_waits_for_no_record_and_goes_on_without(stream):
    harness, sink = harness_with(recorded(RecordsMode.BEST_EFFORT))
    sink.full, sink.writable, sink.proved = True, False, False
    answer = streamed_answer("hello") if stream else plain_answer("hello")
    told = await harness.send(chat(stream=stream), upstream=answer)
    assert (told.status, sink.records) == (200, [])
    assert len(sink.posted) == (2 if stream else 1)


@pytest.mark.parametrize(
    "policies",
    [
        pytest.param((recorded(RecordsMode.STRICT),), id="strict"),
        pytest.param((recorded(None),), id="nothing-said"),
        pytest.param((recorded(RecordsMode.BEST_EFFORT, models=("another",)),), id="said-of-another-model"),
        pytest.param(
            (recorded(RecordsMode.BEST_EFFORT), recorded(RecordsMode.STRICT, name="more")), id="one-of-two-is-strict"
        ),
    ],
)
@pytest.mark.parametrize(
    ("writable", "proved"), [pytest.param(False, False, id="known"), pytest.param(True, False, id="found-out")]
)
async def test_unless_all_say_best_effort_nothing_goes_on_without_a_record(policies, writable, proved):
    harness, sink = harness_with(*policies)
    sink.full, sink.writable, sink.proved = True, writable, proved
    told = await harness.send(chat())
    assert (told.code, told.sent_upstream, sink.posted) == ("record-unavailable", [], [])
