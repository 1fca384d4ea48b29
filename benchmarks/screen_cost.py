# SPDX-License-Identifier: Apache-2.0
"""What asking a prompt screen costs the proxy itself: a screen beside it answers at once, so that nothing else shows.

    python -m benchmarks.screen_cost [--rounds N] [--requests N]

The addons of one worker enforce requests one after the other, in turns with and without a policy that asks. CPU is
this process's, which has no HTTP layer and no disk: compare it with the whole proxy's of `benchmarks.pipeline`.
"""

import argparse
import asyncio
import json
import multiprocessing
import statistics
import time
from multiprocessing.connection import Connection
from typing import Any

import uvloop

from policies.contracts.decision import Mode
from policies.contracts.screening import ClassifierRule, ScreenAsk, ScreenEffect, ScreeningPolicy
from proxy_addons.clients.screen_client import ScreenClient, ScreenPlace
from tests.fake_screen import FakeScreen
from tests.unit.proxy_addons.harness import Harness, active_policy, key_ring, plain_answer

_WARM_UP = 200
_WORDS = "How far is it from Oslo to Bergen by train, and which way is the nicest? "
_RULE = ClassifierRule(
    id="injection",
    effect=ScreenEffect.DENY,
    threshold_bp=9000,
    thresholds_bp={},
    fields=(),
    operations=(),
    models=(),
    subjects=(),
    reason="prompt-injection",
)
_POLICY = ScreeningPolicy(
    id="screen", version="1", mode=Mode.ENFORCE, rules=(), classifier=(_RULE,), ask=ScreenAsk(deadline_ms=10_000)
)


def _body(turns: int) -> dict[str, Any]:
    messages = [{"role": ("user", "assistant")[turn % 2], "content": f"{turn}. {_WORDS * 2}"} for turn in range(turns)]
    return {"model": "parrot", "messages": messages}


def _serve(told: Connection) -> None:
    async def run() -> None:
        screen = await FakeScreen(lambda _: 0.01).start()
        told.send(screen.url)
        while True:
            await asyncio.sleep(1)
            screen.questions.clear()
            screen.headers.clear()

    asyncio.run(run())


async def _measure(harness: Harness, body: bytes, requests: int) -> tuple[float, float]:
    """Return CPU and latency of a request in microseconds; of the latency, the median."""
    latencies = []
    began_ns = time.process_time_ns()
    for _ in range(requests):
        sent_ns = time.perf_counter_ns()
        told = await harness.send(body, upstream=plain_answer("fine"))
        latencies.append((time.perf_counter_ns() - sent_ns) / 1000)
        if told.status != 200:  # OK
            raise SystemExit(f"a request was answered {told.status}")
    harness.sink.records.clear()
    return (time.process_time_ns() - began_ns) / 1000 / requests, statistics.median(latencies)


async def run(url: str, rounds: int, requests: int) -> None:
    client = ScreenClient(ScreenPlace(origin=url))
    without = Harness(policy=active_policy(), keys=key_ring())
    asking = Harness(policy=active_policy(screening=(_POLICY,)), keys=key_ring(), ask_screen=client.ask)
    print("| request | CPU without | CPU asking | latency without | latency asking |")
    print("| --- | --- | --- | --- | --- |")
    for turns in (1, 20):
        body = json.dumps(_body(turns)).encode()
        figures: list[list[tuple[float, float]]] = [[], []]
        for each in (without, asking):
            await _measure(each, body, _WARM_UP)
        for _ in range(rounds):
            for each, into in zip((without, asking), figures, strict=True):
                into.append(await _measure(each, body, requests))
        cells = [f"{statistics.median(one[kind] for one in into):.0f} µs" for kind in (0, 1) for into in figures]
        print(f"| {turns} message{'s' if turns > 1 else ''}, {len(body)} bytes | {' | '.join(cells)} |")
    await client.close()


def main(rounds: int = 7, requests: int = 300) -> None:
    here, there = multiprocessing.Pipe()
    screen = multiprocessing.get_context("spawn").Process(target=_serve, args=(there,), daemon=True)
    screen.start()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run(here.recv(), rounds, requests))
    finally:
        screen.terminate()
        screen.join()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=300)
    main(**vars(parser.parse_args()))
