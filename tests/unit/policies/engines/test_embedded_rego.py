# SPDX-License-Identifier: Apache-2.0
"""The embedded engine as a thing with a thread: late, closed, asked by many at once, and beside another."""

import asyncio

import pytest

from policies.contracts.decision import Outcome
from policies.contracts.errors import EvaluationFailed
from policies.engines.embedded_rego import EmbeddedGuard
from policies.engines.rego_plan import RegoRefused
from tests.contract.guards import ALLOWED, data_of, guard, modules_of, request_of, snapshot_of

SLOW = """package gatehouse.guard.request_caps

deny contains "max-tokens-over-cap" if {
  input.request.n == 2
  some a in numbers.range(1, 3000)
  some b in numbers.range(1, 100)
  a * b == -1
}
"""


def engine_of(*modules: str, deadline_s: float = 10) -> EmbeddedGuard:
    snapshot = snapshot_of(*(guard(module) for module in modules or (guard().module,)))
    return EmbeddedGuard(snapshot, modules=modules_of(snapshot), data=data_of(snapshot), deadline_s=deadline_s)


async def test_refuses_when_late_and_answers_once_the_late_query_has_ended() -> None:
    engine = engine_of(SLOW, deadline_s=0.1)
    try:
        with pytest.raises(EvaluationFailed, match="no answer within"):
            await engine.evaluate(request_of("bob", n=2), ALLOWED)
        async with asyncio.timeout(60):
            while True:
                try:
                    answer = await engine.evaluate(request_of("bob"), ALLOWED)
                except EvaluationFailed:
                    continue
                break
    finally:
        await engine.close()
    assert answer.answers[0].outcome is Outcome.NOT_APPLICABLE


async def test_a_closed_engine_refuses() -> None:
    engine = engine_of()
    await engine.close()
    with pytest.raises(EvaluationFailed, match="closed"):
        await engine.evaluate(request_of(), ALLOWED)


async def test_many_at_once_each_get_their_own_answer_and_two_engines_stand_side_by_side() -> None:
    old, new = engine_of(), engine_of()
    try:
        answers = await asyncio.gather(
            *(
                engine.evaluate(request_of("bob", max_tokens=512 + number % 2), ALLOWED)
                for number in range(50)
                for engine in (old, new)
            ),
        )
    finally:
        await old.close()
        await new.close()
    outcomes = [answer.answers[0].outcome for answer in answers]
    assert outcomes == [Outcome.NOT_APPLICABLE, Outcome.NOT_APPLICABLE, Outcome.DENY, Outcome.DENY] * 25


@pytest.mark.parametrize(
    "module",
    [
        pytest.param('package gatehouse.guard.request_caps\n\nallow if net.cidr_contains("a", "b")', id="built-in"),
        pytest.param("package gatehouse.guard.request_caps\n\nallow if inputt.x", id="unsafe-variable"),
        pytest.param("package gatehouse.guard.request_caps\n\nallow if {", id="syntax"),
    ],
)
def test_refuses_at_load(module) -> None:
    with pytest.raises(RegoRefused):
        engine_of(module)
