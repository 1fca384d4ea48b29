# SPDX-License-Identifier: Apache-2.0
import subprocess
import sys

import pytest

from policies.contracts.errors import EvaluationFailed
from policies.contracts.snapshot import Rate
from proxy_addons.clients import rates as rates_module
from proxy_addons.clients.rates import SharedRates


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def rates(tmp_path, clock):
    counter = SharedRates(tmp_path / "rates", scope="default/production", clock=clock)
    yield counter
    await counter.close()


async def test_grants_the_burst_then_says_how_long_to_wait(rates, clock):
    rate = Rate(requests=2, per_s=10)
    assert [await rates.take("p", "user:alice", rate) for _ in range(3)] == [0, 0, 5]
    clock.now += 5
    assert [await rates.take("p", "user:alice", rate) for _ in range(2)] == [0, 5]


async def test_an_idle_bucket_is_never_more_than_full(rates, clock):
    rate = Rate(requests=2, per_s=10)
    await rates.take("p", "user:alice", rate)
    clock.now += 1_000_000
    assert [await rates.take("p", "user:alice", rate) for _ in range(3)] == [0, 0, 5]


async def test_a_new_revision_of_a_limit_does_not_refill(rates):
    assert [await rates.take("p", "user:alice", Rate(requests=2, per_s=10)) for _ in range(2)] == [0, 0]
    assert await rates.take("p", "user:alice", Rate(requests=5, per_s=10)) == 2


async def test_state_survives_the_process_that_counted(tmp_path, rates, clock):
    rate = Rate(requests=1, per_s=60)
    assert await rates.take("p", "user:alice", rate) == 0
    again = SharedRates(tmp_path / "rates", scope="default/production", clock=clock)
    assert await again.take("p", "user:alice", rate) == 60
    await again.close()


async def test_a_file_of_another_boot_begins_anew(tmp_path, rates, clock):
    rate = Rate(requests=1, per_s=60)
    assert await rates.take("p", "user:alice", rate) == 0
    with (tmp_path / "rates").open("r+b") as file:
        file.seek(32)
        file.write(b"another boot".ljust(64, b"\0"))
    again = SharedRates(tmp_path / "rates", scope="default/production", clock=clock)
    assert await again.take("p", "user:alice", rate) == 0
    await again.close()


async def test_a_torn_bucket_counts_as_spent(rates, clock):
    rate = Rate(requests=2, per_s=10)
    await rates.take("p", "user:alice", rate)
    clock.now -= 500  # as if the time of counting had been torn: it lies ahead
    assert await rates.take("p", "user:alice", rate) == 5


async def test_in_a_full_set_the_one_idle_longest_gives_way(rates, clock, monkeypatch):
    monkeypatch.setattr(rates_module, "_SETS", 1)
    rate = Rate(requests=1, per_s=3600)
    for number in range(8):
        assert await rates.take("p", f"user:{number}", rate) == 0
        clock.now += 1
    assert await rates.take("p", "user:new", rate) == 0  # takes the place of user:0
    assert await rates.take("p", "user:1", rate) > 0
    assert await rates.take("p", "user:7", rate) > 0


async def test_a_lock_that_is_held_refuses_within_the_deadline(tmp_path, rates, monkeypatch):
    monkeypatch.setattr(rates_module, "_DEADLINE_S", 0.05)
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import fcntl,sys\nf=open(sys.argv[1],'r+b');fcntl.lockf(f,fcntl.LOCK_EX)\nprint('held',flush=True);input()",
            tmp_path / "rates",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    holder.stdout.readline()
    with pytest.raises(EvaluationFailed, match="locked"):
        await rates.take("p", "user:alice", Rate(requests=1, per_s=1))
    holder.kill()  # a dead holder's lock is given back
    holder.communicate()
    assert await rates.take("p", "user:alice", Rate(requests=1, per_s=1)) == 0


TAKER = """
import asyncio, sys
from pathlib import Path
from policies.contracts.snapshot import Rate
from proxy_addons.clients.rates import SharedRates

async def take():
    counter = SharedRates(Path(sys.argv[1]), scope="s")
    print("ready", flush=True)
    input()
    waits = [await counter.take("p", "user:alice", Rate(requests=1000, per_s=86400)) for _ in range(600)]
    print(waits.count(0), flush=True)

asyncio.run(take())
"""


def test_four_processes_are_granted_exactly_the_burst(tmp_path):
    takers = [
        subprocess.Popen(
            [sys.executable, "-c", TAKER, tmp_path / "rates"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    for taker in takers:
        assert taker.stdout.readline() == "ready\n"
    for taker in takers:
        taker.stdin.write("\n")
        taker.stdin.flush()
    granted = [int(taker.communicate()[0]) for taker in takers]
    assert sum(granted) == 1000  # 2,400 asked; the refill within the test is below one token
