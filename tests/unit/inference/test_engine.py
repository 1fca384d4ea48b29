# SPDX-License-Identifier: Apache-2.0
import asyncio
import threading

import pytest

from inference.answer import EngineBusy, EngineDown, GenerationFailed
from inference.engine import FAILURES_TO_UNREADY, Engine
from inference.job import Finished, FinishReason, Job
from inference.load import EngineLoad, Outcome

JOB = Job(prompt=(1, 2), max_tokens=4)
END = Finished(reason=FinishReason.STOP, completion_tokens=2)


@pytest.fixture
def start():
    engines = []

    def started(run, *, queue_size=4, observer=None):
        engine = Engine(run, queue_size=queue_size, observer=observer)
        engine.start()
        engines.append(engine)
        return engine

    yield started
    for engine in engines:
        engine.stop(timeout_s=5)


async def read(answer):
    return [item async for item in answer.pieces()]


async def test_answers_come_in_order_and_whole(start):
    def run(job, on_text, is_cancelled):
        on_text("a")
        on_text("b")
        return END

    engine = start(run)
    answers = [engine.submit(JOB) for _ in range(3)]
    assert [await read(answer) for answer in answers] == [["a", "b", END]] * 3


async def test_a_full_queue_refuses_at_once(start):
    gate, running = threading.Event(), threading.Event()

    def run(job, on_text, is_cancelled):
        running.set()
        gate.wait(5)
        return END

    engine = start(run, queue_size=2)
    first = engine.submit(JOB)
    await asyncio.to_thread(running.wait, 5)
    waiting = [engine.submit(JOB), engine.submit(JOB)]
    with pytest.raises(EngineBusy):
        engine.submit(JOB)
    assert engine.load() == EngineLoad(waiting=2, running=1, cache_usage=0.0)
    gate.set()
    assert [await read(answer) for answer in (first, *waiting)] == [[END]] * 3


async def test_a_cancelled_answer_in_the_queue_never_starts(start):
    gate = threading.Event()
    started = []

    def run(job, on_text, is_cancelled):
        started.append(job)
        gate.wait(5)
        return END

    engine = start(run)
    first, second = engine.submit(JOB), engine.submit(JOB)
    second.cancel()
    gate.set()
    await read(first)
    assert (await read(second))[-1].reason == FinishReason.CANCELLED
    assert len(started) == 1


async def test_a_failure_ends_one_answer_and_not_the_engine(start):
    outcomes = iter([RuntimeError("secret"), END])

    def run(job, on_text, is_cancelled):
        on_text("a")
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    engine = start(run)
    failing = engine.submit(JOB)
    with pytest.raises(GenerationFailed):
        await read(failing)
    assert await read(engine.submit(JOB)) == ["a", END]
    assert engine.is_ready


async def test_failures_in_a_row_end_readiness(start):
    def run(job, on_text, is_cancelled):
        raise MemoryError

    engine = start(run)
    for _ in range(FAILURES_TO_UNREADY):
        assert engine.is_ready
        with pytest.raises(GenerationFailed):
            await read(engine.submit(JOB))
    assert not engine.is_ready


async def test_stopping_ends_what_runs_and_what_waits(start):
    def run(job, on_text, is_cancelled):
        while not is_cancelled():
            threading.Event().wait(0.001)
        return Finished(reason=FinishReason.CANCELLED, completion_tokens=1)

    engine = start(run, queue_size=1)
    running = engine.submit(JOB)
    engine.stop(timeout_s=5)
    assert (await read(running))[-1].reason == FinishReason.CANCELLED
    assert not engine.is_ready
    with pytest.raises(EngineDown):
        engine.submit(JOB)


class Told:
    """Writes down what it is told."""

    def __init__(self):
        self.told = []

    def begun(self, *, prompt_tokens, queue_s):
        self.told.append(("begun", prompt_tokens, queue_s >= 0))

    def first_token(self, *, after_s):
        self.told.append(("first_token", after_s >= 0))

    def tokens(self, count):
        self.told.append(("tokens", count))

    def ended(self, outcome, *, completion_tokens, after_s):
        self.told.append(("ended", outcome, completion_tokens, after_s >= 0))


async def test_an_observer_is_told_what_happens_to_each_job(start):
    def run(job, on_text, is_cancelled):
        on_text("a")
        on_text("b")
        return END

    observer = Told()
    await read(start(run, observer=observer).submit(JOB))
    want = [("begun", 2, True), ("first_token", True), ("tokens", 2), ("ended", Outcome.STOP, 2, True)]
    assert want == observer.told
