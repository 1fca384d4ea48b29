# SPDX-License-Identifier: Apache-2.0
"""Distinct questions are asked once, however often they come."""

import asyncio
from dataclasses import replace

from controlplane.replays import evaluator as module
from controlplane.replays.evaluator import Evaluator
from policies.contracts.decision import Effect
from policies.contracts.request import RequestFacts, Subject
from policies.engines.casbin import CasbinAccess
from policies.evaluation.bulk import OneByOne
from policies.evaluation.recorded import DistinctRequests
from tests.unit.policies.evaluation.test_bulk import POLICY, Guard
from tests.unit.policies.evaluation.test_pipeline import REQUEST


def evaluator(reads=("subject.id",)):
    (guard,) = POLICY.guards
    policy = replace(POLICY, guards=(replace(guard, reads=reads),))
    engine = Guard()
    return engine, Evaluator(
        snapshot=policy,
        access=CasbinAccess(policy),
        guard=engine,
        many=OneByOne(engine),
        distinct=DistinctRequests(policy),
    )


def of(name, subject="alice", **facts):
    return replace(REQUEST, request_id=name, subject=Subject(type="user", id=subject), facts=RequestFacts(**facts))


def test_each_distinct_question_is_asked_once_within_a_slice_and_between_them():
    engine, release = evaluator()
    first = asyncio.run(release.judge([of("fine"), of("fine", n=2), of("denied", "bob")]))
    again = asyncio.run(release.judge([of("other"), of("other", "bob"), of("fine", "carol")]))
    assert [each.effect for each in first] == [Effect.ALLOW, Effect.ALLOW, Effect.DENY]
    assert [each.effect for each in again] == [Effect.ALLOW, Effect.DENY, Effect.ALLOW]
    assert (engine.asked, release.asked) == (["fine", "denied", "fine"], 3)
    assert again[0] is first[0]


def test_what_has_no_key_is_asked_each_time():
    engine, release = evaluator(reads=("request.n",))
    huge = of("fine", n=2**64)
    asyncio.run(release.judge([huge, huge]))
    assert len(engine.asked) == 2


def test_what_is_remembered_is_bounded(monkeypatch):
    monkeypatch.setattr(module, "_MOST_REMEMBERED", 2)
    engine, release = evaluator()
    for name in ("a", "b", "c", "a"):
        asyncio.run(release.judge([of("fine", name)]))
    assert len(engine.asked) == 4
    asyncio.run(release.judge([of("fine", "c"), of("fine", "a")]))
    assert len(engine.asked) == 4


def test_one_decision_by_itself_can_be_timed():
    engine, release = evaluator()
    assert asyncio.run(release.time_one(of("fine"))) >= 0
    assert engine.asked == ["fine"]
