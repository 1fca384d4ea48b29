# SPDX-License-Identifier: Apache-2.0
"""The queue and the supervisor, over a batch that does what the test says."""

import asyncio
import queue
import threading
import time

import pytest

from inference.answer import EngineBusy, EngineDown, GenerationFailed
from inference.batching.batch import BatchDied, Progress
from inference.batching.writing import Writer
from inference.engine import Engine
from inference.job import Finished, FinishReason, Job
from inference.load import EngineLoad, Outcome

END = 0
JOB = Job(prompt=(1, 2), max_tokens=4)


class FakeBatch:
    """Holds what it is given; the test says what becomes of it."""

    cache_tokens = 100
    cache_usage = 0.5

    def __init__(self):
        self.jobs, self.cancelled, self.closed = {}, [], False
        self.steps, self.waiting, self.is_alive = 0, 0, False
        self._arrived = queue.SimpleQueue()

    def start(self):
        self.is_alive = True

    def add(self, key, job, *, seed):
        self.jobs[key] = job

    def cancel(self, key):
        self.cancelled.append(key)
        self.jobs.pop(key, None)

    def arrived(self, *, timeout_s):
        try:
            item = self._arrived.get(timeout=timeout_s)
        except queue.Empty:
            item = []
        if not item and not self.is_alive:
            raise BatchDied
        return item

    def wake(self):
        self._arrived.put([])

    def close(self):
        self.closed = True
        return True

    def tell(self, key, text, *, ended=False, failed=False):
        self.steps += 1
        tokens = [*text.encode(), *([END] if ended and not failed else [])]
        self._arrived.put([Progress(key=key, tokens=tokens, ended=ended, failed=failed)])

    def die(self):
        self.is_alive = False
        self.wake()


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

    def ended(self, outcome, *, completion_tokens, after_s, first_token_after_s):
        # A job with tokens knows when its first came, and that was not after its end.
        assert (first_token_after_s is not None) is (completion_tokens > 0)
        assert (first_token_after_s or 0) <= after_s
        self.told.append(("ended", outcome, completion_tokens, after_s >= 0))


def write(job):
    return Writer(job, decode=lambda tokens: bytes(t for t in tokens if t).decode(), end_tokens=frozenset({END}))


class Bench:
    """An engine and the batches it opened."""

    def __init__(self, *, most_running=2, queue_size=2, observer=None, refuse=lambda: None):
        self.batches = []
        self.refuse = refuse
        self.engine = Engine(
            self._open,
            write=write,
            context_tokens=50,
            most_running=most_running,
            queue_size=queue_size,
            observer=observer,
        )

    def _open(self):
        self.refuse()
        self.batches.append(FakeBatch())
        return self.batches[-1]

    @property
    def batch(self):
        return self.batches[-1]


@pytest.fixture
def bench():
    made = []

    def start(**how):
        made.append(Bench(**how))
        made[-1].engine.start()
        return made[-1]

    yield start
    for each in made:
        each.engine.stop(timeout_s=5)


async def read(answer):
    return [item async for item in answer.pieces()]


async def until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


async def test_answers_come_whole_and_each_to_its_own(bench):
    of = bench()
    first, second = of.engine.submit(JOB), of.engine.submit(JOB)
    of.batch.tell("2", "x")
    of.batch.tell("1", "ab")
    of.batch.tell("2", "xy", ended=True)
    of.batch.tell("1", "abc", ended=True)
    assert await read(first) == ["ab", "c", Finished(reason=FinishReason.STOP, completion_tokens=4)]
    assert await read(second) == ["x", "y", Finished(reason=FinishReason.STOP, completion_tokens=3)]
    assert of.engine.load() == EngineLoad(waiting=0, running=0, cache_usage=0.5)


async def test_a_full_queue_refuses_at_once_and_says_when_to_come_back(bench):
    of = bench(most_running=1, queue_size=2)
    answers = [of.engine.submit(JOB) for _ in range(3)]
    assert of.engine.load() == EngineLoad(waiting=2, running=1, cache_usage=0.5)
    with pytest.raises(EngineBusy) as busy:
        of.engine.submit(JOB)
    assert busy.value.retry_after_s >= 1
    assert not isinstance(busy.value, EngineDown)
    for key in "123":
        await until(lambda key=key: key in of.batch.jobs)
        of.batch.tell(key, "a", ended=True)
    assert [(await read(answer))[0] for answer in answers] == ["a", "a", "a"]


async def test_the_jobs_of_one_request_are_queued_together_or_not_at_all(bench):
    of = bench(most_running=1, queue_size=1)
    of.engine.submit(JOB)
    of.engine.submit_all([JOB] * 3)
    assert of.engine.load().waiting == 3
    with pytest.raises(EngineBusy):
        of.engine.submit_all([JOB] * 2)
    assert of.engine.load().waiting == 3


async def test_what_the_cache_keeps_out_counts_as_waiting(bench):
    of = bench()
    of.engine.submit_all([JOB] * 2)
    of.batch.waiting = 1
    assert of.engine.load() == EngineLoad(waiting=1, running=1, cache_usage=0.5)


async def test_a_cancelled_answer_in_the_queue_never_begins(bench):
    of = bench(most_running=1)
    first, second = of.engine.submit(JOB), of.engine.submit(JOB)
    second.cancel()
    assert (await read(second))[-1] == Finished(reason=FinishReason.CANCELLED, completion_tokens=0)
    of.batch.tell("1", "a", ended=True)
    await read(first)
    assert of.batch.cancelled == []
    assert of.engine.load().waiting == 0


async def test_a_cancelled_answer_leaves_the_batch_and_lets_another_in(bench):
    of = bench(most_running=1)
    first, second = of.engine.submit(JOB), of.engine.submit(JOB)
    of.batch.tell("1", "a")
    pieces = first.pieces()
    assert await anext(pieces) == "a"
    first.cancel()
    assert await anext(pieces) == Finished(reason=FinishReason.CANCELLED, completion_tokens=1)
    assert of.batch.cancelled == ["1"]
    assert "2" in of.batch.jobs
    second.cancel()


async def test_a_stop_sequence_takes_the_job_out_of_the_batch(bench):
    of = bench()
    answer = of.engine.submit(Job(prompt=(1,), max_tokens=9, stop=("cd",)))
    of.batch.tell("1", "ab")
    of.batch.tell("1", "abc")
    of.batch.tell("1", "abcdef")
    assert await read(answer) == ["ab", Finished(reason=FinishReason.STOP, completion_tokens=4)]
    await until(lambda: of.batch.cancelled == ["1"])


async def test_a_job_longer_than_the_context_is_never_queued(bench):
    of = bench()
    with pytest.raises(ValueError, match="longer than the context"):
        of.engine.submit(Job(prompt=(1,) * 40, max_tokens=11))
    assert of.batch.jobs == {}


async def test_the_context_is_no_longer_than_what_the_cache_holds(bench, monkeypatch):
    monkeypatch.setattr(FakeBatch, "cache_tokens", 30)
    assert bench().engine.context_tokens == 30


async def test_when_the_batch_dies_its_answers_fail_and_the_queue_lives_on(bench):
    gate = threading.Event()
    gate.set()
    of = bench(most_running=2, refuse=lambda: gate.wait(10))
    running = [of.engine.submit(JOB) for _ in range(2)]
    waiting = of.engine.submit(JOB)
    gate.clear()
    of.batch.tell("1", "a", ended=True, failed=True)  # transformers tells some of its end
    of.batch.die()
    for answer in running:
        with pytest.raises(GenerationFailed):
            await read(answer)
    await until(lambda: not of.engine.is_ready)
    assert of.batches[0].closed or not gate.is_set()
    with pytest.raises(EngineDown):
        of.engine.submit(JOB)
    gate.set()
    await until(lambda: of.engine.is_ready)
    assert len(of.batches) == 2
    of.batch.tell("3", "b", ended=True)
    assert (await read(waiting))[0] == "b"
    assert of.batches[0].closed


async def test_who_waits_and_does_not_fit_a_smaller_new_cache_fails_and_others_go_on(bench, monkeypatch):
    of = bench(most_running=1)
    first = of.engine.submit(JOB)
    long, short = of.engine.submit(Job(prompt=(1,) * 20, max_tokens=20)), of.engine.submit(JOB)
    monkeypatch.setattr(FakeBatch, "cache_tokens", 30)
    of.batch.die()
    for answer in (first, long):
        with pytest.raises(GenerationFailed):
            await read(answer)
    await until(lambda: len(of.batches) == 2 and "3" in of.batch.jobs)
    of.batch.tell("3", "a", ended=True)
    assert (await read(short))[0] == "a"


async def test_when_no_new_batch_can_be_had_those_that_wait_fail_until_there_is_one(bench):
    broken = threading.Event()

    def refuse():
        if broken.is_set():
            raise MemoryError("secret")

    of = bench(most_running=1, refuse=refuse)
    answers = [of.engine.submit(JOB) for _ in range(3)]
    broken.set()
    of.batch.die()
    for answer in answers:
        with pytest.raises(GenerationFailed):
            await read(answer)
    assert not of.engine.is_ready
    broken.clear()
    await until(lambda: of.engine.is_ready)
    again = of.engine.submit(JOB)
    of.batch.tell("4", "c", ended=True)
    assert (await read(again))[0] == "c"


def test_an_engine_that_cannot_begin_says_why():
    def refuse():
        raise MemoryError("too small")

    of = Bench(refuse=refuse)
    with pytest.raises(MemoryError, match="too small"):
        of.engine.start()
    assert not of.engine.is_ready


async def test_a_thread_that_makes_no_step_is_given_up(bench, monkeypatch):
    of = bench()
    answer = of.engine.submit(JOB)
    of.batch.tell("1", "a")
    monkeypatch.setattr("inference.engine.STALLED_S", 0.0)
    with pytest.raises(GenerationFailed):
        await read(answer)
    assert not of.engine.is_ready
    with pytest.raises(EngineDown):
        of.engine.submit(JOB)


async def test_a_fault_while_writing_fails_the_batch_and_not_the_engine(bench):
    of = bench()
    answer = of.engine.submit(JOB)
    of.batch._arrived.put([Progress(key="1", tokens=[0xFF], ended=False)])  # no text in UTF-8
    with pytest.raises(GenerationFailed):
        await read(answer)
    await until(lambda: len(of.batches) == 2 and of.engine.is_ready)


async def test_stopping_ends_what_runs_and_what_waits(bench):
    of = bench(most_running=1)
    answers = [of.engine.submit(JOB) for _ in range(2)]
    of.engine.stop(timeout_s=5)
    assert [(await read(answer))[-1].reason for answer in answers] == [FinishReason.CANCELLED] * 2
    assert not of.engine.is_ready
    assert of.batch.closed
    with pytest.raises(EngineDown):
        of.engine.submit(JOB)


async def test_an_observer_is_told_what_happens_to_each_job(bench):
    observer = Told()
    of = bench(most_running=1, observer=observer)
    answers = [of.engine.submit(JOB) for _ in range(2)]
    of.batch.tell("1", "ab")
    of.batch.tell("1", "abc", ended=True)
    await read(answers[0])
    answers[1].cancel()
    await read(answers[1])
    first = [
        ("begun", 2, True),
        ("first_token", True),
        ("tokens", 2),
        ("ended", Outcome.STOP, 4, True),
        ("tokens", 2),
    ]
    assert first == observer.told[:5]
    assert observer.told[-1] == ("ended", Outcome.CANCELLED, 0, True)
