# SPDX-License-Identifier: Apache-2.0
import asyncio
import threading

import pytest

from inference.answer import EngineBusy, EngineDown, GenerationFailed
from inference.embeddings.engine import BATCH_TOKENS, EmbeddingEngine


class Encoder:
    """Embeds a text as its length. It waits at its gate, and remembers its batches."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.began = threading.Event()
        self.batches: list[list[int]] = []

    def __call__(self, texts):
        self.batches.append([len(text) for text in texts])
        self.began.set()
        assert self.gate.wait(30)
        if any(text[0] == 13 for text in texts):
            raise LookupError("a secret")
        return [[float(len(text))] for text in texts]


@pytest.fixture
def encoder():
    return Encoder()


@pytest.fixture
def engine(encoder):
    engine = EmbeddingEngine(encoder, queue_size=2)
    engine.start()
    yield engine
    encoder.gate.set()
    engine.stop(timeout_s=10)


def text(length: int) -> tuple[int, ...]:
    return (1,) * length


async def begun(encoder) -> None:
    await asyncio.to_thread(encoder.began.wait, 30)


async def test_vectors_come_in_the_order_of_their_texts(engine, encoder):
    assert await engine.embed([text(5), text(1), text(3)]) == [[5.0], [1.0], [3.0]]
    assert encoder.batches == [[1, 3, 5]]


async def test_requests_that_wait_share_batches(engine, encoder):
    encoder.gate.clear()
    first = asyncio.create_task(engine.embed([text(1)]))
    await begun(encoder)
    waiting = [asyncio.create_task(engine.embed([text(size), text(size + 2)])) for size in (10, 11)]
    await asyncio.sleep(0)
    encoder.gate.set()
    assert [await first, *[await each for each in waiting]] == [[[1.0]], [[10.0], [12.0]], [[11.0], [13.0]]]
    assert encoder.batches == [[1], [10, 11, 12, 13]]


async def test_a_batch_is_bounded_with_its_padding(engine, encoder):
    long = BATCH_TOKENS // 2
    await engine.embed([text(long + 1), text(long), text(long), text(1), text(2 * BATCH_TOKENS)])
    assert encoder.batches == [[1, long], [long], [long + 1], [2 * BATCH_TOKENS]]


async def test_one_request_too_many_is_refused(engine, encoder):
    encoder.gate.clear()
    running = asyncio.create_task(engine.embed([text(1)]))
    await begun(encoder)
    waiting = [asyncio.create_task(engine.embed([text(1)])) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(EngineBusy):
        await engine.embed([text(1)])
    encoder.gate.set()
    assert len(await asyncio.gather(running, *waiting)) == 3


async def test_a_request_that_is_given_up_is_left_out(engine, encoder):
    encoder.gate.clear()
    given_up = asyncio.create_task(engine.embed([text(BATCH_TOKENS), text(BATCH_TOKENS + 1)]))
    await begun(encoder)
    given_up.cancel()
    await asyncio.sleep(0)
    encoder.gate.set()
    assert await engine.embed([text(7)]) == [[7.0]]
    assert encoder.batches == [[BATCH_TOKENS], [7]]


async def test_a_batch_that_fails_ends_its_requests_and_not_the_thread(engine, capfd):
    with pytest.raises(GenerationFailed):
        await engine.embed([(13,), text(BATCH_TOKENS)])
    assert await engine.embed([text(2)]) == [[2.0]]
    assert engine.is_ready
    assert "secret" not in "".join(capfd.readouterr())


async def test_a_stop_turns_away_what_runs_and_what_waits(engine, encoder):
    encoder.gate.clear()
    asked = [asyncio.create_task(engine.embed([text(1), text(BATCH_TOKENS)]))]
    await begun(encoder)
    asked += [asyncio.create_task(engine.embed([text(1)])) for _ in range(2)]
    await asyncio.sleep(0)
    engine.stop(timeout_s=0)
    encoder.gate.set()
    for each in asked:
        with pytest.raises(EngineDown):
            await each
    with pytest.raises(EngineDown):
        await engine.embed([text(1)])
    assert not engine.is_ready
