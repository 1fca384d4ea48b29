# SPDX-License-Identifier: Apache-2.0
import asyncio

import pytest

from proxy_addons.clients.control_plane import ControlPlaneUnavailable, Fetched, NothingPublished
from proxy_addons.node import follow as module
from proxy_addons.node.changed import Changed
from proxy_addons.node.follow import Backoff, NotAccepted, follow


class Recorder:
    def __init__(self) -> None:
        self.etag = None
        self.refused = False
        self.resumed = 0
        self.accepted = []
        self.failures = []

    async def resume(self) -> None:
        self.resumed += 1

    async def accept(self, fetched: Fetched) -> None:
        if self.failures:
            raise self.failures.pop()
        self.accepted.append(fetched.etag)
        self.etag = fetched.etag


def test_delays_double_up_to_two_seconds_and_begin_anew():
    backoff = Backoff(chance=lambda: 1.0)
    assert [backoff.next_s() for _ in range(7)] == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]
    backoff.reset()
    assert backoff.next_s() == 0.1


async def run(acceptor: Recorder, answers: list, confirmed=lambda: None) -> list:
    asked = []
    done = asyncio.Event()

    async def fetch(etag):
        asked.append(etag)
        if not answers:
            done.set()
            await asyncio.Event().wait()
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    task = asyncio.create_task(follow("test", fetch, acceptor, confirmed=confirmed))
    async with asyncio.timeout(5):
        await done.wait()
    task.cancel()
    return asked


@pytest.fixture
def quick(monkeypatch):
    for name in ("_FIRST_DELAY_S", "_NOTHING_YET_S", "_LEAST_PERIOD_S"):
        monkeypatch.setattr(module, name, 0.001)


@pytest.mark.usefixtures("quick")
async def test_asks_for_something_else_than_it_holds():
    acceptor = Recorder()
    asked = await run(acceptor, [Fetched(etag="a", content=b""), None, Fetched(etag="b", content=b"")])
    assert asked == [None, "a", "a", "b"]
    assert acceptor.accepted == ["a", "b"]


@pytest.mark.usefixtures("quick")
async def test_an_outage_resumes_what_was_kept_and_ends_with_the_next_answer():
    acceptor = Recorder()
    await run(acceptor, [ControlPlaneUnavailable("away"), NothingPublished("none"), Fetched(etag="a", content=b"")])
    assert acceptor.resumed == 2  # at start, and in the outage
    assert acceptor.accepted == ["a"]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("failure", [NotAccepted("no guard"), OSError(28, "No space left on device")])
async def test_what_is_not_accepted_now_is_fetched_again(failure):
    acceptor = Recorder()
    acceptor.failures = [failure]
    asked = await run(acceptor, [Fetched(etag="a", content=b""), Fetched(etag="a", content=b"")])
    assert asked == [None, None, "a"]


async def test_until_sees_a_change_and_gives_up_in_time():
    changed, values = Changed(), []
    waiting = asyncio.create_task(changed.until(lambda: bool(values), timeout_s=5))
    await asyncio.sleep(0)
    values.append(1)
    changed.notify()
    assert await waiting is True
    assert await changed.until(lambda: False, timeout_s=0.01) is False


@pytest.mark.usefixtures("quick")
async def test_confirms_with_every_answer_that_leaves_nothing_newer():
    acceptor, confirmed = Recorder(), []
    answers = [ControlPlaneUnavailable("away"), NothingPublished("none"), Fetched(etag="a", content=b""), None]
    await run(acceptor, answers, lambda: confirmed.append(acceptor.etag))
    assert confirmed == ["a", "a"]


@pytest.mark.usefixtures("quick")
async def test_what_was_refused_confirms_nothing():
    acceptor, confirmed = Recorder(), []
    acceptor.refused = True
    await run(acceptor, [Fetched(etag="a", content=b""), None], lambda: confirmed.append(1))
    assert confirmed == []
