# SPDX-License-Identifier: Apache-2.0
"""Every file call of the spool and of its reader fails once, at each place. What was acknowledged arrives, once."""

import asyncio
import contextlib
import errno
import itertools
import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from proxy_addons.clients import flusher as flusher_module
from proxy_addons.clients.spool import Spool, SpoolUnavailable
from proxy_addons.node.spool_reader import SpoolReader
from tests.failing_calls import FailingCalls
from tests.spools import envelopes, open_spool, record

# Each call of a run fails in one of these ways; which one depends on its place and on the pass. All passes make all
# calls fail in all ways, and take minutes.
HOW = ("before", "behind", "cut")
WAYS = tuple(itertools.product((errno.EIO, errno.ENOSPC, errno.EROFS, errno.EINTR), HOW))
TRIES = 30
PASSES = len(WAYS) if os.environ.get("HYPOTHESIS_PROFILE") == "deep" else 1


@dataclass
class Run:
    """Two processes one after the other write; a shipper sends what they wrote, and is started anew in between."""

    directory: Path
    acknowledged: list[int] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)
    refused: int = 0

    async def go(self) -> None:
        number = 0
        for _ in range(2):
            reader = self._tried(lambda: SpoolReader(self.directory))
            with await self._opened() as spool:
                for _ in range(6):
                    await self._write(spool, number)
                    number += 1
                    self._ship(reader)
        self._ship(self._tried(lambda: SpoolReader(self.directory)), rounds=30)

    async def _opened(self) -> Spool:
        """As the node does: a worker that cannot open its spool ends, and is started again."""
        return self._tried(lambda: open_spool(self.directory, segment_bytes=700))

    async def _write(self, spool: Spool, number: int) -> None:
        try:
            await spool.write(record(spool, mine=number))
            self.acknowledged.append(number)
        except SpoolUnavailable:
            self.refused += 1
            async with asyncio.timeout(10):
                while not spool.writable:
                    await asyncio.sleep(0.002)

    def _tried(self, make):
        for _ in range(TRIES):
            with contextlib.suppress(OSError, SpoolUnavailable):
                return make()
        return make()

    def _ship(self, reader: SpoolReader, rounds: int = 1) -> None:
        for _ in range(rounds):
            try:
                batch = reader.read_batch(max_lines=3, max_bytes=10**6)
                if batch is not None:
                    self.sent += batch.lines
                    reader.acknowledge(batch)
            except OSError:  # the shipper waits, and tries again
                continue


def check(run: Run) -> None:
    by_number: dict[tuple[str, int], bytes] = {}
    for line in run.sent:
        source = json.loads(json.loads(line)["envelope"])["source"]
        assert by_number.setdefault((source["boot_id"], source["seq"]), line) == line
    told = envelopes(by_number.values())
    arrived = [each["mine"] for each in told if each["kind"] == "terminal"]
    assert set(run.acknowledged) <= set(arrived)
    assert len(arrived) == len(set(arrived))
    given_up = {
        (each["source"]["boot_id"], number)
        for each in told
        if each["kind"] == "loss"
        for first, last in each["numbers"] or ()
        for number in range(first, last + 1)
    }
    for boot in {boot for boot, _ in by_number}:
        numbers = {seq for of, seq in by_number.keys() | given_up if of == boot}
        assert numbers == set(range(1, max(numbers) + 1))
    assert run.refused >= sum(each["count"] for each in told if each["kind"] == "loss")


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(flusher_module, "_TRIAL_EVERY_S", 0.005)
    monkeypatch.setattr(flusher_module, "_NAME_EVERY_S", 0.0)


async def run_with(memory_folder: Path, **options) -> FailingCalls:
    folder = memory_folder / "spool"
    shutil.rmtree(folder, ignore_errors=True)
    calls = FailingCalls(folder, **options)
    run = Run(folder / "w0")
    with calls.in_place():
        async with asyncio.timeout(20):
            await run.go()
    check(run)
    calls.refused = run.refused
    return calls


async def test_without_a_fault_everything_is_written_once(memory_folder):
    calls = await run_with(memory_folder)
    assert calls.failed is None
    assert calls.count > 150


@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("number", range(PASSES))
async def test_a_call_that_fails_once_loses_nothing_that_was_acknowledged(memory_folder, number, part):
    failed = []
    place = part
    while True:
        problem, how = WAYS[(place // 4 + 3 * part + number) % len(WAYS)]
        calls = await run_with(memory_folder, fails_at=place, problem=problem, how=how)
        if calls.failed is None:
            break
        failed.append(calls.failed)
        place += 4
    assert {"pwrite", "open", "close", "pread", "listdir"} <= set(failed)


@pytest.mark.parametrize("problem", [errno.EIO, errno.ENOSPC], ids=errno.errorcode.get)
@pytest.mark.parametrize(("only", "times"), [(None, 7), (None, 20), ("pwrite", 2), ("pwrite", 3), ("pwrite", 12)])
async def test_calls_that_fail_in_a_row_lose_nothing_that_was_acknowledged(memory_folder, only, times, problem):
    refused = 0
    for place in range(0, 24 if only else 200, 1 if only else 7):
        how = HOW[place % len(HOW)]
        calls = await run_with(memory_folder, fails_at=place, times=times, problem=problem, how=how, only=only)
        refused += calls.refused
    assert refused
