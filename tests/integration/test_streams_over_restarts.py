# SPDX-License-Identifier: Apache-2.0
"""Streams that run while the workers under them are replaced one by one: each ends as it would have."""

import asyncio
import signal

from tests.node_processes import until
from tests.signing import ALICE_KEY
from tests.soak.kinds import KINDS, Sender
from tests.soak.wire import ask, marking_upstream

STREAM = next(kind for kind in KINDS if kind.name == "stream")
_CLIENTS = 6
SENDER = Sender(key=ALICE_KEY, revoked_key="")


async def test_no_stream_is_cut_when_workers_restart_one_by_one(node, signer, control_plane):
    async with marking_upstream() as (origin, _):
        node.environment["GATEHOUSE_UPSTREAM_URL"] = origin
        await control_plane.publish(bundle=signer.bundle(5), credentials=signer.credentials(1))
        node.start()
        await until(lambda: node.enforces(5))
        told = await _ask_meanwhile(node)
    assert len(told) > _CLIENTS
    assert {(answer[:3] if answer else None) for answer in told} == {(200, None, True)}
    assert len({answer[3] for answer in told}) == 1


async def _ask_meanwhile(node) -> list:
    """Return what streams were told that were asked for while all workers were replaced, twice."""
    told = []

    async def keep_asking() -> None:
        while True:
            answer = await ask(node.proxy_port, STREAM.raw(SENDER, "m-1-"), within_s=20)
            told.append(None if answer is None else (answer.status, answer.code, answer.whole, answer.text))

    asking = [asyncio.create_task(keep_asking()) for _ in range(_CLIENTS)]
    for _ in range(2):
        before = set(node.workers().values())
        node.process.send_signal(signal.SIGHUP)
        await until(lambda: node.enforces(5) and not set(node.workers().values()) & before)  # noqa: B023  # awaited here
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    return told
