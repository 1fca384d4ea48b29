# SPDX-License-Identifier: Apache-2.0
import asyncio
import contextlib

from proxy_addons.node.posture import Found, Outcome, Posture

PASSED = Found(Outcome.PASSED, "as-set")


class Checked:
    """A node that checks at once, and what it was asked for."""

    def __init__(self, *outcomes, every_s=1, in_force=5):
        self.rounds, self.outcomes, self.policy, self.pause = 0, list(outcomes), in_force, every_s
        self.told = asyncio.Event()
        self.posture = Posture(
            {"one": self.check},
            every_s=lambda: self.pause,
            in_force=lambda: self.policy,
            changed=self.told.set,
            deadline_s=0.05,
            look_every_s=0.01,
        )

    async def check(self):
        self.rounds += 1
        outcome = self.outcomes.pop(0) if self.outcomes else PASSED
        if isinstance(outcome, Exception):
            raise outcome
        if outcome is None:
            await asyncio.Event().wait()
        return outcome

    @contextlib.asynccontextmanager
    async def running(self):
        task = asyncio.create_task(self.posture.run())
        try:
            yield self
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def test_a_round_is_reported_and_followed_by_the_next():
    async with Checked(Found(Outcome.FAILED, "no-tls")).running() as node:
        await asyncio.wait_for(node.told.wait(), 10)
        [result] = node.posture.results
        assert result.to_json() | {"at": ""} == {"check": "one", "result": "failed", "detail": "no-tls", "at": ""}
        node.told.clear()
        await asyncio.wait_for(node.told.wait(), 10)
        assert node.posture.results[0].found is PASSED


async def test_what_cannot_be_checked_is_skipped_and_ends_nothing():
    for trouble, detail in ((OSError(), "not-checked"), (ValueError(), "not-checked"), (None, "timed-out")):
        node = Checked(trouble)
        await node.posture.check()
        assert node.posture.results[0].found == Found(Outcome.SKIPPED, detail)


async def test_without_a_document_or_a_policy_nothing_is_checked():
    for node in (Checked(every_s=None), Checked(in_force=None)):
        node.pause = node.pause and 0.01
        async with node.running():
            await asyncio.sleep(0.1)
        assert node.rounds == 0
