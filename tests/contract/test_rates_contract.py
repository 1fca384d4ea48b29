# SPDX-License-Identifier: Apache-2.0
"""What every RateCounter promises, tried on the memory-mapped one and on a real Redis."""

import asyncio
import shutil
import socket
import subprocess

import pytest

from policies.contracts.errors import EvaluationFailed
from policies.contracts.snapshot import Rate
from proxy_addons.clients.rates import SharedRates
from proxy_addons.clients.redis_rates import RedisRates


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory):
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("no Redis: put redis-server on the PATH")
    path = tmp_path_factory.mktemp("redis") / "redis.sock"
    server = subprocess.Popen(
        [binary, "--port", "0", "--unixsocket", path, "--save", "", "--appendonly", "no"], stdout=subprocess.PIPE
    )
    while b"eady to accept" not in server.stdout.readline():
        assert server.poll() is None
    yield f"unix://{path}"
    server.terminate()
    server.communicate()


@pytest.fixture(params=["shared", pytest.param("redis", marks=pytest.mark.redis)])
async def make_counter(request, tmp_path):
    made = []

    def make(scope: str):
        if request.param == "redis":
            made.append(RedisRates(request.getfixturevalue("redis_url"), scope=f"{tmp_path.name}/{scope}"))
        else:
            made.append(SharedRates(tmp_path / scope.replace("/", "-"), scope=scope))
        return made[-1]

    yield make
    for counter in made:
        await counter.close()


@pytest.fixture
def counter(make_counter):
    return make_counter("default/production")


async def test_grants_exactly_the_burst(counter):
    waits = await asyncio.gather(*(counter.take("p", "user:alice", Rate(requests=5, per_s=3600)) for _ in range(20)))
    assert waits.count(0) == 5


async def test_says_when_the_next_token_is_there(counter):
    rate = Rate(requests=1, per_s=100)
    await counter.take("p", "user:alice", rate)
    assert await counter.take("p", "user:alice", rate) == pytest.approx(100, abs=1)


async def test_a_token_is_there_after_the_wait(counter):
    rate = Rate(requests=10, per_s=1)
    waits = [await counter.take("p", "user:alice", rate) for _ in range(11)]
    await asyncio.sleep(max(waits) + 0.001)
    assert await counter.take("p", "user:alice", rate) == 0


@pytest.mark.parametrize(
    ("policy", "subject"),
    [pytest.param("p", "user:bob", id="another-subject"), pytest.param("q", "user:alice", id="another-policy")],
)
async def test_buckets_are_apart(counter, policy, subject):
    rate = Rate(requests=1, per_s=3600)
    assert await counter.take("p", "user:alice", rate) == 0
    assert await counter.take("p", "user:alice", rate) > 0
    assert await counter.take(policy, subject, rate) == 0


async def test_environments_are_apart(make_counter):
    rate = Rate(requests=1, per_s=3600)
    assert await make_counter("default/production").take("p", "user:alice", rate) == 0
    assert await make_counter("default/staging").take("p", "user:alice", rate) == 0


async def test_a_redis_that_is_away_refuses(tmp_path):
    counter = RedisRates(f"unix://{tmp_path}/nobody.sock", scope="default/production")
    with pytest.raises(EvaluationFailed, match="Redis did not count"):
        await counter.take("p", "user:alice", Rate(requests=1, per_s=1))
    await counter.close()


async def test_a_redis_that_hangs_refuses_within_the_deadline(tmp_path):
    with socket.socket(socket.AF_UNIX) as silent:  # its backlog takes the connection, and nobody answers
        silent.bind(str(tmp_path / "silent.sock"))
        silent.listen()
        counter = RedisRates(f"unix://{tmp_path}/silent.sock", scope="default/production")
        async with asyncio.timeout(1):
            with pytest.raises(EvaluationFailed, match="Redis did not count"):
                await counter.take("p", "user:alice", Rate(requests=1, per_s=1))
        await counter.close()
