# SPDX-License-Identifier: Apache-2.0
"""Answers of the batching engine to many jobs at once, on the GPU if there is one: greedy, and drawn with a seed."""

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from inference.batching.opening import open_engine
from inference.engine import Engine
from inference.job import Finished, Job
from inference.loading import LoadedModel, load_model

JOBS = 48


def said(number: int) -> str:
    return f"{number} Polly wants a cracker, äöü. " * (1 + number % 12)


def jobs(loaded: LoadedModel, **wishes: float) -> list[Job]:
    prompts = [loaded.prompts.encode_chat([{"role": "user", "content": said(number)}]) for number in range(JOBS)]
    return [Job(prompt=tuple(prompt), max_tokens=1024, **wishes) for prompt in prompts]


async def answers(engine: Engine, asked: Sequence[Job]) -> list[str]:
    async def whole(job: Job) -> str:
        answer = engine.submit(job)
        return "".join([piece async for piece in answer.pieces() if not isinstance(piece, Finished)])

    return list(await asyncio.gather(*map(whole, asked)))


def main() -> None:
    loaded = load_model(Path(sys.argv[1]))
    engine = open_engine(loaded, queue_size=JOBS, cache_mib=256, most_running=32)
    engine.start()
    greedy = asyncio.run(answers(engine, jobs(loaded, temperature=0.0)))
    drawn = [asyncio.run(answers(engine, jobs(loaded, temperature=1.0, seed=7))) for _ in range(2)]
    load = engine.load()
    engine.stop(timeout_s=10)
    told = {
        "device": str(loaded.model.device),
        "wanted": [said(number) for number in range(JOBS)],
        "greedy": greedy,
        "drawn": drawn,
        "left": [load.waiting, load.running],
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
