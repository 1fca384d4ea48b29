# SPDX-License-Identifier: Apache-2.0
import asyncio
import threading

import pytest

from inference.screen.batcher import CPU_BATCHES, Batcher, ScreenBusy, ScreenFailed
from inference.screen.judge import Judge
from inference.screen.question import Bounds, Input
from inference.screen.screen import Screen, Waiting
from tests.unit.inference.screen.fakes import THRESHOLDS, VERSIONS, FakeScorer, read_words


class Gate(FakeScorer):
    """A scorer that can be held in the middle of a batch."""

    def __init__(self):
        super().__init__()
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.go_on.set()
        self.fails = False

    def score(self, texts, origins):
        self.begun.release()
        assert self.go_on.wait(20)
        if self.fails:
            raise LookupError
        return super().score(texts, origins)


class NoMeter:
    def scored(self, **_): ...
    def reused(self, **_): ...


@pytest.fixture
def gate():
    return Gate()


@pytest.fixture
def screens(gate):
    made = []

    def make(read=read_words, **waiting):
        judge = Judge(gate, versions=VERSIONS, thresholds=THRESHOLDS, bounds=Bounds(), read=read)
        screen = Screen(judge, Batcher(gate, bounds=CPU_BATCHES, meter=NoMeter()), waiting=Waiting(**waiting))
        screen.start()
        made.append(screen)
        return screen

    yield make
    gate.go_on.set()
    for screen in made:
        screen.stop(timeout_s=10)


def ask(screen, *texts, joined=False, deadline_s=20):
    return screen.ask([Input(text) for text in texts], joined=joined, deadline_s=deadline_s)


async def test_many_questions_at_once_are_judged_as_each_alone(screens, judge):
    texts = [
        [f"text {number} {'EVIL' if number % 3 else 'fine'}", f"and {number * 7 % 5} EV", "IL"] for number in range(60)
    ]
    screen = screens()
    answers = await asyncio.gather(*(ask(screen, *each, joined=True) for each in texts))
    assert answers == [judge.judge([Input(text) for text in each], joined=True) for each in texts]


async def test_at_the_deadline_the_answer_is_what_there_is(screens, gate):
    gate.go_on.clear()
    judged = await ask(screens(), "one", "RULE", deadline_s=0.05)
    assert [each.complete for each in judged.results] == [False, False]
    assert [each.score for each in judged.results] == [0.0, 0.4]


async def test_questions_are_bounded_and_their_number_goes_down_again(screens, gate):
    screen = screens(questions=2)
    gate.go_on.clear()
    waiting = [asyncio.create_task(ask(screen, text)) for text in ("a", "b")]
    await asyncio.to_thread(gate.begun.acquire)
    with pytest.raises(ScreenBusy):
        await ask(screen, "c")
    gate.go_on.set()
    await asyncio.gather(*waiting)
    assert (await ask(screen, "c")).complete


async def test_characters_are_bounded_but_one_question_is_taken(screens, gate):
    screen = screens(chars=10)
    gate.go_on.clear()
    waiting = asyncio.create_task(ask(screen, "x" * 50))
    await asyncio.to_thread(gate.begun.acquire)
    with pytest.raises(ScreenBusy):
        await ask(screen, "c")
    gate.go_on.set()
    assert (await waiting).complete


async def test_a_question_that_is_left_makes_room_and_is_not_scored(screens, gate):
    screen = screens(questions=2)
    gate.go_on.clear()
    first = asyncio.create_task(ask(screen, "first"))
    await asyncio.to_thread(gate.begun.acquire)
    left = asyncio.create_task(ask(screen, "left"))
    await asyncio.sleep(0.05)
    left.cancel()
    with pytest.raises(asyncio.CancelledError):
        await left
    third = asyncio.create_task(ask(screen, "third"))
    await asyncio.sleep(0.05)
    gate.go_on.set()
    await asyncio.gather(first, third)
    assert {text for text, _ in gate.asked} == {"first", "tsrif", "third", "driht"}


async def test_a_question_that_is_left_is_not_read_further(screens):
    looks = []
    begun = threading.Event()

    def read_without_end(text, origin, is_over):
        begun.set()
        while not is_over():
            looks.append(1)
        return read_words(text, origin, is_over)

    screen = screens(read=read_without_end)
    left = asyncio.create_task(ask(screen, "left"))
    await asyncio.to_thread(begun.wait, 10)
    left.cancel()
    with pytest.raises(asyncio.CancelledError):
        await left
    await asyncio.to_thread(screen.stop, timeout_s=5)
    seen = len(looks)
    await asyncio.sleep(0.02)
    assert len(looks) <= seen + 1


async def test_a_failure_is_told(screens, gate):
    gate.fails = True
    with pytest.raises(ScreenFailed):
        await ask(screens(), "a")


async def test_a_stopped_screen_takes_nothing(screens):
    screen = screens()
    assert screen.is_ready
    await asyncio.to_thread(screen.stop, timeout_s=5)
    assert not screen.is_ready
    with pytest.raises(ScreenBusy):
        await ask(screen, "a")


async def test_a_text_that_takes_too_long_to_read_is_answered_at_the_deadline(screens):
    go_on = threading.Event()

    def read_slowly(text, origin, is_over):
        if text == "slow":
            assert go_on.wait(20)
        return read_words(text, origin, is_over)

    screen = screens(read=read_slowly)
    try:
        judged = await ask(screen, "RULE", "slow", joined=True, deadline_s=0.05)
    finally:
        go_on.set()
    assert [(each.complete, each.score) for each in judged.results] == [(False, 0.4), (False, 0.0)]
    assert judged.joined.complete is False
    assert (await ask(screen, "next")).complete
