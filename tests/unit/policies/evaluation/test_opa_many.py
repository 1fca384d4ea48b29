# SPDX-License-Identifier: Apache-2.0
"""Many questions in one query get the answers that each would have got alone, by a real OPA."""

import asyncio
from dataclasses import replace

import pytest

from controlplane.services.rego_engines import GuardEngineName, RegoEngines
from policies.contracts.decision import EngineAnswer, Mode, Outcome, PolicyAnswer
from policies.contracts.errors import EvaluationFailed
from policies.contracts.request import RequestFacts
from policies.contracts.snapshot import GuardPolicy
from policies.evaluation import opa_many
from policies.evaluation.pipeline import AskGuard
from tests.unit.policies.evaluation.test_pipeline import REQUEST, snapshot

# to_number fails for what is no number; `twice` makes another rule of `input` stand for each question.
MODULE = """\
package gatehouse.guard.caps
import rego.v1
deny contains "too-much" if input.request.max_tokens > 100
deny contains "too-much" if to_number(input.request.tool_choice) > 1
deny contains "too-much" if twice > 100
twice := input.request.n * 2
"""
GUARD = GuardPolicy(id="caps", version="1", mode=Mode.ENFORCE, module=MODULE, data={}, reasons={"too-much": "No."})
SILENT = GuardPolicy(
    id="silent", version="1", mode=Mode.ENFORCE, module="package gatehouse.guard.silent", data={}, reasons={}
)
ALLOWED = EngineAnswer(
    engine="casbin", answers=(PolicyAnswer(policy="access", mode=Mode.ENFORCE, outcome=Outcome.ALLOW),)
)


def ask(**facts):
    return AskGuard(request=replace(REQUEST, facts=RequestFacts(**facts)), access=ALLOWED)


def asked_both_ways(opa_binary, asks):
    """Return the outcomes asked together, and one by one, and how many queries the former took."""

    async def run():
        policy = snapshot(guards=(GUARD, SILENT))
        rego = RegoEngines(nodes=GuardEngineName.OPA, opa_binary=str(opa_binary))
        async with rego.many(policy) as (guard, many):
            queries = []
            plain = many._query
            many._query = lambda asked, path: (queries.append(path), plain(asked, path))[1]
            together = [outcome_of(given) for given in await many.evaluate_many(asks)]
            count = len(queries)
            alone = []
            for each in asks:
                try:
                    alone.append(outcome_of(await guard.evaluate(each.request, each.access)))
                except EvaluationFailed as exc:
                    alone.append(outcome_of(exc))
            return together, alone, count

    return asyncio.run(run())


def outcome_of(given):
    if isinstance(given, EvaluationFailed):
        return "failed"
    return [
        (answer.policy, str(answer.outcome), [reason.code for reason in answer.reasons]) for answer in given.answers
    ]


def test_one_query_has_the_answers_to_all(opa_binary):
    asks = [ask(max_tokens=number, n=number % 60) for number in range(60, 140)]
    together, alone, queries = asked_both_ways(opa_binary, asks)
    assert together == alone
    assert queries == 1
    assert {answers[0][1] for answers in together} == {"deny", "not_applicable"}


def test_a_question_that_fails_is_no_other_ones_failure(opa_binary):
    asks = [ask(max_tokens=number, tool_choice="auto" if number in {3, 4, 17} else "0") for number in range(20)]
    together, alone, _ = asked_both_ways(opa_binary, asks)
    assert together == alone
    assert [place for place, given in enumerate(together) if given == "failed"] == [3, 4, 17]


def test_questions_are_put_in_portions(opa_binary, monkeypatch):
    monkeypatch.setattr(opa_many, "_MOST_QUESTIONS", 7)
    asks = [ask(max_tokens=number) for number in range(90, 110)]
    together, alone, queries = asked_both_ways(opa_binary, asks)
    assert (together == alone, queries) == (True, 3)


def test_an_opa_that_is_gone_is_told_from_one_that_fails(opa_binary):
    async def run():
        policy = snapshot(guards=(GUARD,))
        async with RegoEngines(nodes=GuardEngineName.OPA, opa_binary=str(opa_binary)).many(policy) as (_, many):
            await many.close()
            many._client._connections._socket_path += ".gone"
            await many.evaluate_many([ask(), ask()])

    with pytest.raises(EvaluationFailed, match="not reachable"):
        asyncio.run(run())
