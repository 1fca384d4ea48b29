# SPDX-License-Identifier: Apache-2.0
"""A deadline that is moved often makes few timers, and passes once, no earlier than it was set to."""

import asyncio

import pytest

from proxy_addons.http1.timer import Deadline


class FakeTimer:
    def __init__(self, at, callback):
        self.at, self.callback, self.cancelled = at, callback, False

    def when(self):
        return self.at

    def cancel(self):
        self.cancelled = True


class FakeLoop:
    """Has the two methods of a loop that a deadline uses, and a clock that the test moves."""

    def __init__(self):
        self.now = 0.0
        self.timers = []

    def time(self):
        return self.now

    def call_at(self, at, callback):
        self.timers.append(FakeTimer(at, callback))
        return self.timers[-1]

    def advance(self, to):
        self.now = to
        for timer in [timer for timer in self.timers if not timer.cancelled and timer.at <= to]:
            timer.cancelled = True
            timer.callback()


@pytest.fixture
def loop(monkeypatch):
    fake = FakeLoop()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: fake)
    return fake


@pytest.fixture
def passed(loop):
    return []


def deadline(loop, passed) -> Deadline:
    return Deadline(lambda: passed.append(loop.now))


def test_passes_once_when_its_time_has_gone_by(loop, passed):
    deadline(loop, passed).set(2)
    loop.advance(1.9)
    assert passed == []
    loop.advance(2)
    loop.advance(9)
    assert passed == [2]


def test_moved_later_a_hundred_times_it_makes_two_timers(loop, passed):
    it = deadline(loop, passed)
    for tenth in range(100):
        loop.now = tenth / 100
        it.set(2)
    assert len(loop.timers) == 1
    loop.advance(2)
    assert passed == []
    loop.advance(2.99)
    assert (passed, len(loop.timers)) == ([2.99], 2)


def test_moved_earlier_it_passes_earlier(loop, passed):
    it = deadline(loop, passed)
    it.set(9)
    it.set(1)
    loop.advance(1)
    loop.advance(9)
    assert passed == [1]


@pytest.mark.parametrize("ends", [Deadline.clear, Deadline.pause])
def test_ended_it_does_not_pass(loop, passed, ends):
    it = deadline(loop, passed)
    it.set(1)
    ends(it)
    loop.advance(5)
    assert passed == []


def test_set_again_after_a_pause_it_uses_the_timer_that_runs(loop, passed):
    it = deadline(loop, passed)
    it.set(1)
    it.pause()
    it.set(2)
    assert len(loop.timers) == 1
    loop.advance(1)
    loop.advance(2)
    assert passed == [2]
