# SPDX-License-Identifier: Apache-2.0
"""Power is lost at every place of a run: what was acknowledged until then is there when the machine is up again."""

import asyncio
import random
import shutil
from pathlib import Path

import pytest

from proxy_addons.clients import flusher as flusher_module
from proxy_addons.clients.spool import Spool
from proxy_addons.node.spool_reader import SpoolReader
from tests.forgetful_disk import ForgetfulDisk
from tests.spools import envelopes, open_spool, record

OUTCOMES = 2  # tried of each moment


async def a_run(folder: Path, monkeypatch) -> ForgetfulDisk:
    """Write records of all sizes, alone and in groups, over several segments, by two processes, and in the reserve."""
    disk = ForgetfulDisk(folder)
    number = 0

    async def write(spool: Spool, size: int) -> None:
        nonlocal number
        mine, number = number, number + 1
        await spool.write(record(spool, mine=mine, filler="x" * size))
        disk.promised.append(mine)

    with disk.in_place():
        for _ in range(2):
            with open_spool(folder, segment_bytes=5_000, reserve_bytes=20_000) as spool:
                for size in (10, 700, 3_000):
                    await write(spool, size)
                await asyncio.gather(*(write(spool, 300) for _ in range(6)))
                with monkeypatch.context() as patched:
                    patched.setattr(spool._flusher._segments, "_high_water_bytes", 0)
                    await asyncio.gather(*(write(spool, 400) for _ in range(4)))
                    assert not spool.writable
                async with asyncio.timeout(10):
                    while not spool.writable:
                        await asyncio.sleep(0.002)
                await write(spool, 50)
    return disk


async def after_a_restart(folder: Path) -> list[int]:
    """Return the numbers of what a shipper sends when the machine is up again and a worker has started."""
    with open_spool(folder, reserve_bytes=20_000) as spool:
        await spool.write(record(spool, mine=-1))
    reader, lines = SpoolReader(folder), []
    while (batch := reader.read_batch(max_lines=7, max_bytes=10**6)) is not None:
        lines += batch.lines
        reader.acknowledge(batch)
    told = envelopes(lines)
    by_number = {(each["source"]["boot_id"], each["source"]["seq"]): each for each in told}
    assert len(by_number) == len(told)
    return [each["mine"] for each in told if each["kind"] == "terminal"]


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(flusher_module, "_TRIAL_EVERY_S", 0.005)


async def lost_after(tmp_path: Path, disk: ForgetfulDisk, dice: random.Random) -> list[str]:
    """Return what is missing, or there twice, of all that was tried."""
    wrong = []
    for place, (state, promised) in enumerate(disk.moments):
        for _ in range(OUTCOMES):
            folder = tmp_path / "after"
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            state.after_loss_of_power(folder, dice)
            found = await after_a_restart(folder)
            if missing := set(promised) - set(found):
                wrong.append(f"at {place}: {sorted(missing)} missing")
            if len(found) != len(set(found)):
                wrong.append(f"at {place}: some twice")
    return wrong


@pytest.mark.parametrize("seed", range(2))
async def test_what_was_acknowledged_outlives_a_loss_of_power(memory_folder, monkeypatch, seed):
    disk = await a_run(memory_folder / "w0", monkeypatch)
    assert len(disk.moments) > 60
    assert len(disk.promised) == 28
    assert await lost_after(memory_folder, disk, random.Random(seed)) == []


async def test_a_write_that_is_not_synced_would_be_missed(memory_folder, monkeypatch):
    monkeypatch.setattr("proxy_addons.clients.open_segment._FLAGS", 1)  # O_WRONLY, without O_DSYNC
    disk = await a_run(memory_folder / "w0", monkeypatch)
    assert await lost_after(memory_folder, disk, random.Random(1)) != []


async def test_a_name_that_is_not_synced_would_be_missed(memory_folder, monkeypatch):
    monkeypatch.setattr("proxy_addons.clients.open_segment.sync_directory", lambda _: None)
    disk = await a_run(memory_folder / "w0", monkeypatch)
    assert await lost_after(memory_folder, disk, random.Random(1)) != []
