# SPDX-License-Identifier: Apache-2.0
import asyncio
import errno
import os
from pathlib import Path

import pytest

from policies.contracts.record import LossReason
from proxy_addons.clients.flusher import Flusher
from proxy_addons.clients.losses import Losses
from proxy_addons.clients.segment_writer import SegmentWriter
from proxy_addons.clients.source_records import SourceRecords
from proxy_addons.clients.spool_groups import Group, Pending
from proxy_addons.clients.spool_lock import SpoolLock
from tests.spools import NOW, numbers, of_the_source, record, source_scope


class Rig:
    """A flusher without its thread."""

    def __init__(self, directory: Path, *, heartbeat_s: float = 60.0) -> None:
        self.own = SourceRecords(source_scope(), "b" * 32)
        self.losses = Losses()
        lock = SpoolLock(directory)
        segments = SegmentWriter(directory, segment_bytes=2**20, high_water_bytes=2**30, reserve_bytes=2**16)
        self.flusher = Flusher(segments, lock, self.own, self.losses, heartbeat_s=heartbeat_s)

    def next_source(self):
        return self.own.unnumbered

    def group(self, *, count: int = 1) -> Group:
        loop = asyncio.get_running_loop()
        return Group(
            loop,
            [Pending.of(record(self), admitted=True, done=loop.create_future()) for _ in range(count)],
            [loop.create_future()],
        )


def fail(*_, **__):
    raise OSError(errno.EIO, "Input/output error")


async def test_the_first_thing_written_is_that_the_source_began(tmp_path):
    rig = Rig(tmp_path)
    rig.flusher.look_after()
    assert rig.flusher.writable
    assert [told["kind"] for told in of_the_source(tmp_path)] == ["start"]
    rig.flusher.look_after()
    assert numbers(tmp_path) == [1]


async def test_there_is_nothing_to_do_before_the_next_heartbeat(tmp_path):
    rig = Rig(tmp_path, heartbeat_s=60.0)
    rig.flusher.look_after()
    assert 50 < rig.flusher.due_in_s() <= 60


async def test_heartbeats_come_without_any_request_and_at_their_pace(tmp_path):
    rig = Rig(tmp_path, heartbeat_s=0.0)
    for _ in range(3):
        assert rig.flusher.due_in_s() == 0
        rig.flusher.look_after()
    assert [told["kind"] for told in of_the_source(tmp_path)] == ["start", "heartbeat", "heartbeat", "heartbeat"]


async def test_where_there_is_no_room_it_is_looked_for_again_soon(tmp_path, monkeypatch):
    rig = Rig(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(os, "posix_fallocate", fail)
        rig.flusher.look_after()
        assert 0 < rig.flusher.due_in_s() <= 0.5
        group = rig.group()
        rig.flusher.flush([group])
        await asyncio.sleep(0)
        assert not rig.flusher.writable
        assert group.asking[0].done()
        assert "cannot be written" in str(group.pending[0].done.exception())
    rig.flusher._try_at_s = 0.0
    rig.flusher.look_after()
    assert rig.flusher.writable
    assert [told["kind"] for told in of_the_source(tmp_path)] == ["start", "loss"]


async def test_after_the_first_failure_room_is_looked_for_at_once(tmp_path, monkeypatch):
    rig = Rig(tmp_path)
    rig.flusher.look_after()
    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", fail)
        rig.flusher.flush([rig.group()])
        assert rig.flusher.due_in_s() == 0
        rig.flusher.look_after()
        assert rig.flusher.due_in_s() > 0
    assert not rig.flusher.writable


async def test_a_loss_is_told_before_what_follows_it_and_by_one_record(tmp_path):
    rig = Rig(tmp_path)
    rig.flusher.look_after()
    for _ in range(3):
        rig.losses.add(["deny"], LossReason.TOO_MANY, at=NOW)
    rig.flusher.flush([rig.group(count=2)])
    rig.flusher.stop()
    assert [(told["kind"], told["source"]["seq"]) for told in of_the_source(tmp_path)] == [
        ("start", 1),
        ("loss", 2),
        ("stop", 5),
    ]


async def test_the_end_tells_what_is_left_to_tell_also_where_only_the_reserve_is_left(tmp_path, monkeypatch):
    rig = Rig(tmp_path)
    rig.flusher.look_after()
    monkeypatch.setattr(rig.flusher._segments, "_high_water_bytes", 0)
    rig.flusher.flush([rig.group()])
    assert not rig.flusher.writable
    rig.losses.add(["deny"], LossReason.SPOOL_FULL, at=NOW)
    rig.flusher.flush([rig.group()])
    assert [told["kind"] for told in of_the_source(tmp_path)] == ["start"]
    rig.flusher.stop()
    assert [told["kind"] for told in of_the_source(tmp_path)] == ["start", "loss", "stop"]
    assert numbers(tmp_path) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("lost", [False, True], ids=["durable", "lost"])
async def test_only_a_write_that_succeeded_proves_that_another_would(tmp_path, monkeypatch, lost):
    rig = Rig(tmp_path)
    rig.flusher.look_after()
    before_s = rig.flusher.proved_at_s
    if lost:
        monkeypatch.setattr(os, "pwrite", fail)
    rig.flusher.flush([rig.group()])
    assert (rig.flusher.proved_at_s > before_s) is not lost
