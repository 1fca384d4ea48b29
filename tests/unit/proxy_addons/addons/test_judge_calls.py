# SPDX-License-Identifier: Apache-2.0
"""A judged stream at the seam to the layer: it waits, is told, and gives nothing where nobody could decide."""

import asyncio
import json
from typing import Any

import pytest

from policies.contracts.errors import EvaluationFailed
from policies.contracts.snapshot import Dialect
from policies.contracts.tools import AskedCall
from policies.evaluation.tool_calls import CallVerdict
from proxy_addons.addons.judge_calls import JudgedStream, verdicts_on
from proxy_addons.core.sse import SseEnforcer
from proxy_addons.core.streaming import CutsByItself, StreamEnforcer, Waits
from tests.unit.proxy_addons.harness import active_policy


def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: " + json.dumps({"id": "x", "choices": [choice]}).encode() + b"\n\n"


CALL = {"index": 0, "type": "function", "function": {"name": "search", "arguments": "{}"}}
ASKS = chunk({"tool_calls": [CALL]}) + chunk({}, "tool_calls")


class Judge:
    def __init__(self, problem: Exception | None = None) -> None:
        self.problem = problem

    async def judge(self, calls: Any) -> tuple[CallVerdict, ...]:
        if self.problem is not None:
            raise self.problem
        return tuple(CallVerdict(index=call.index) for call in calls)


def stream(problem: Exception | None = None) -> JudgedStream:
    rules = active_policy(redactions=()).redaction.rules_for(())
    enforcer = SseEnforcer(
        dialect=Dialect.CHAT, rules=rules, request_id="req_1", max_event_bytes=10_000, judged=True, strict=True
    )
    return JudgedStream(enforcer, Judge(problem))  # type: ignore[arg-type]  # all that is asked of a judge


def test_it_is_what_the_layer_takes():
    it = stream()
    assert isinstance(it, StreamEnforcer)
    assert isinstance(it, Waits)
    assert isinstance(it, CutsByItself)


async def test_it_waits_for_its_verdicts_and_then_goes_on():
    it = stream()
    assert (it.feed(chunk({"content": "well"})) != b"", it.waits) == (True, False)
    assert (it.feed(ASKS), it.waits, it.cut) == (b"", True, None)
    await it.decide()
    assert b"search" in it.decided()
    assert (it.waits, it.feed(b"data: [DONE]\n\n"), it.finish()) == (False, b"", b"data: [DONE]\n\n")


async def test_without_verdicts_it_ends_with_the_reason_and_nothing_that_waited():
    it = stream(EvaluationFailed("opa", "gone"))
    it.feed(ASKS + b"data: {broken\n\n")
    assert it.cut is None
    await it.decide()
    left = it.decided()
    assert (b"search" in left, b'"code":"evaluation-failed"' in left, it.waits) == (False, True, False)
    assert it.cut is not None
    assert it.cut.code == "evaluation-failed"
    assert it.finish() == b""


async def test_what_nobody_expected_is_not_swallowed():
    it = stream(RuntimeError("x"))
    it.feed(ASKS)
    with pytest.raises(RuntimeError):
        await it.decide()
    assert b"search" not in it.abort("evaluation-failed")
    assert it.waits is False


async def test_choices_do_not_wait_for_each_other():
    both = asyncio.Barrier(2)

    class Patient:
        async def judge(self, calls: Any) -> tuple[CallVerdict, ...]:
            await both.wait()  # for ever, were they asked one after the other
            return (CallVerdict(index=calls[0].index),)

    calls = [[AskedCall(index=index, name="search", arguments={})] for index in (0, 7)]
    given = await asyncio.wait_for(verdicts_on(Patient(), calls), 5)  # type: ignore[arg-type]  # as above
    assert [each.index for (each,) in given] == [0, 7]
