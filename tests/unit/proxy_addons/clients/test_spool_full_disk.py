# SPDX-License-Identifier: Apache-2.0
"""A real disk, filled to the brim under load: a small tmpfs, which root alone can mount."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy_addons.clients import flusher as flusher_module
from proxy_addons.clients.segments import segments
from proxy_addons.clients.spool import Spool, SpoolUnavailable
from proxy_addons.node.spool_reader import SpoolReader
from tests.small_disk import fill, small_disk
from tests.spools import envelopes, numbers, open_spool, record


@pytest.fixture
def disk(tmp_path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", size_bytes=4 * 1024 * 1024) as disk:
        yield disk


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(flusher_module, "_TRIAL_EVERY_S", 0.01)


class Load:
    """Clients that each write a record, and another one when it is written: of requests let in, and of refusals."""

    def __init__(self, spool: Spool) -> None:
        self.acknowledged: list[int] = []
        self.refused = 0
        self._spool = spool
        self._number = 0
        self._stop = False

    async def run(self, *, clients: int) -> None:
        await asyncio.gather(*(self._client(of) for of in range(clients)))

    def stop(self) -> None:
        self._stop = True

    async def _client(self, of: int) -> None:
        while not self._stop:
            mine = self._number = self._number + 1
            try:
                await self._spool.write(record(self._spool, mine=mine, filler="x" * 900), admitted=of % 2 == 0)
                self.acknowledged.append(mine)
            except SpoolUnavailable:
                self.refused += 1


async def until(holds) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.005)


async def test_a_disk_filled_to_the_brim_under_load_loses_nothing_that_was_acknowledged(disk):
    directory, sent = disk / "w0", []
    with open_spool(directory, reserve_bytes=512 * 1024, segment_bytes=256 * 1024) as spool:
        load = Load(spool)
        running = asyncio.create_task(load.run(clients=16))
        for _ in range(3):
            await until(lambda: load.refused > 100)  # full, and the reserve used up
            assert not spool.writable
            load.refused, refused = 0, load.refused
            assert refused
            reader = SpoolReader(directory)
            while (batch := reader.read_batch(max_lines=500, max_bytes=10**6)) is not None:
                sent += batch.lines
                reader.acknowledge(batch)  # on a full disk, where the position cannot be written
            await until(lambda: spool.writable)
        load.stop()
        await running
        total = spool.losses.total
    reader = SpoolReader(directory)
    while (batch := reader.read_batch(max_lines=500, max_bytes=10**6)) is not None:
        sent += batch.lines
        reader.acknowledge(batch)
    unique = list(dict.fromkeys(sent))
    told = envelopes(unique)
    assert sorted(load.acknowledged) == sorted(each["mine"] for each in told if each["kind"] == "terminal")
    losses = [each for each in told if each["kind"] == "loss"]
    assert len(losses) <= 5
    assert sum(each["count"] for each in losses) == total == told[-1]["lost"]
    assert {why for each in losses for why in each["why"]} == {"disk-full"}
    assert numbers(unique) == list(range(1, len(unique) + 1))
    assert len(segments(directory)) == 1


async def test_a_disk_without_room_for_anything_starts_and_recovers(disk):
    filler = disk / "filler"
    (disk / "w0").mkdir()
    fill(filler, but_bytes=8192)  # which is what a lock needs
    with open_spool(disk / "w0") as spool:
        assert not spool.writable
        with pytest.raises(SpoolUnavailable):
            await spool.write(record(spool))
        filler.unlink()
        await until(lambda: spool.writable)
        await spool.write(record(spool))
    batch = SpoolReader(disk / "w0").read_batch(max_lines=10, max_bytes=10**6)
    assert [each["kind"] for each in envelopes(batch.lines)] == ["start", "loss", "terminal", "stop"]
