# SPDX-License-Identifier: Apache-2.0
"""Many requests decided at once come to what each comes to alone."""

import asyncio
from dataclasses import dataclass, field, replace

import pytest

from policies.contracts.decision import Effect, EngineAnswer, Mode, Outcome, PolicyAnswer
from policies.contracts.errors import EvaluationFailed
from policies.contracts.snapshot import AccessPolicy, Grant
from policies.engines.casbin import CasbinAccess
from policies.evaluation.bulk import OneByOne, decide_many
from policies.evaluation.head import refused_on_head
from policies.evaluation.pipeline import decide
from tests.unit.policies.evaluation.test_head import ROUTE
from tests.unit.policies.evaluation.test_pipeline import REQUEST, rate, snapshot

GRANT = Grant(id="all", effect=Effect.ALLOW, subjects=("*",), models=("*",), operations=("*",))
ACCESS = AccessPolicy(id="access", version="1", mode=Mode.ENFORCE, grants=(GRANT,))
POLICY = snapshot(access=(ACCESS,), routes=(ROUTE,), limits=(rate("slow"),))
REQUESTS = [
    replace(REQUEST, request_id=name, action=action)
    for name, action in [
        ("fine", "chat.completions"),
        ("denied", "chat.completions"),
        ("broken", "chat.completions"),
        ("elsewhere", "embeddings"),
    ]
]


@dataclass
class Guard:
    """Answers by the id of the request."""

    gone: bool = False
    asked: list[str] = field(default_factory=list)

    async def evaluate(self, request, _access):
        self.asked.append(request.request_id)
        if self.gone:
            raise EvaluationFailed("opa", "no answer") from TimeoutError()
        if request.request_id == "broken":
            raise EvaluationFailed("opa", "a built-in failed")
        outcome = Outcome.DENY if request.request_id == "denied" else Outcome.NOT_APPLICABLE
        return EngineAnswer(engine="opa", answers=(PolicyAnswer(policy="caps", mode=Mode.ENFORCE, outcome=outcome),))


def many(requests, guard):
    return asyncio.run(
        decide_many(requests, snapshot=POLICY, access=CasbinAccess(POLICY), guards=OneByOne(guard)),
    )


async def full_bucket(_token):
    return 0.0


def alone(request, guard):
    refused = refused_on_head(request, POLICY)
    if refused is not None:
        return refused
    access = CasbinAccess(POLICY)
    return asyncio.run(decide(request, snapshot=POLICY, access=access, guard=guard, take_token=full_bucket))


def told(decision):
    return decision.effect, decision.reasons, decision.obligations, decision.would_have, decision.revision


def test_each_comes_to_what_it_comes_to_alone():
    guard = Guard()
    decisions = many(REQUESTS, guard)
    assert [told(decision) for decision in decisions] == [told(alone(request, Guard())) for request in REQUESTS]
    assert [decision.effect for decision in decisions] == [Effect.ALLOW, Effect.DENY, Effect.DENY, Effect.DENY]
    assert guard.asked == ["fine", "denied", "broken"]


def test_more_than_are_in_flight_at_once_keep_their_order():
    requests = [replace(REQUEST, request_id="denied" if number % 7 == 0 else "fine") for number in range(200)]
    effects = [decision.effect for decision in many(requests, Guard())]
    assert [number for number, effect in enumerate(effects) if effect is Effect.DENY] == list(range(0, 200, 7))


def test_an_engine_that_is_gone_is_no_refusal():
    with pytest.raises(EvaluationFailed, match="no answer"):
        many(REQUESTS, Guard(gone=True))


def test_an_answer_of_other_policies_is_a_refusal():
    class Other(Guard):
        async def evaluate(self, _request, _access):
            return EngineAnswer(engine="opa", answers=())

    (decision,) = many(REQUESTS[:1], Other())
    assert [reason.code for reason in decision.reasons] == ["evaluation-failed"]
