# SPDX-License-Identifier: Apache-2.0
import asyncio

import pytest

from inference.answer import Answer, EngineBusy, EngineDown, GenerationFailed
from inference.job import Finished, FinishReason, Job

JOB = Job(prompt=(1, 2), max_tokens=4)
END = Finished(reason=FinishReason.STOP, completion_tokens=2)


async def test_pieces_come_in_order_from_another_thread():
    answer = Answer(JOB)

    def fill():
        for item in ("a", "b", END):
            answer.put(item)

    await asyncio.to_thread(fill)
    assert [item async for item in answer.pieces()] == ["a", "b", END]


async def test_a_failure_is_raised_behind_the_text():
    answer = Answer(JOB)
    answer.put("a")
    answer.put(GenerationFailed())
    seen = []
    with pytest.raises(GenerationFailed):
        seen.extend([item async for item in answer.pieces()])
    assert not answer.is_cancelled()


async def test_cancelling_twice_tells_the_engine_once():
    told = []
    answer = Answer(JOB, on_cancel=lambda: told.append(1))
    answer.cancel()
    answer.cancel()
    assert told == [1]


def test_an_answer_whose_loop_is_gone_is_cancelled():
    async def made() -> Answer:
        return Answer(JOB)

    answer = asyncio.run(made())
    answer.put(END)
    assert answer.is_cancelled()


def test_being_busy_says_when_to_come_back():
    assert EngineBusy(retry_after_s=7).retry_after_s == 7
    assert isinstance(EngineDown(), EngineBusy)
