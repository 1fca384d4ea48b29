# SPDX-License-Identifier: Apache-2.0
"""What each stage says of a request, in order, and what would have to differ."""

import asyncio
from dataclasses import replace

import pytest

from policies.contracts.decision import Effect, EngineAnswer, Mode, Outcome, PolicyAnswer, Reason
from policies.contracts.request import RequestFacts
from policies.contracts.snapshot import Grant
from policies.engines.casbin import CasbinAccess
from policies.evaluation.bulk import OneByOne
from policies.evaluation.explaining import explain_request
from policies.redaction.examination import everything
from tests.unit.policies.evaluation.test_bulk import ACCESS
from tests.unit.policies.evaluation.test_head import LIMIT, ROUTE
from tests.unit.policies.evaluation.test_pipeline import REQUEST, rate, snapshot

GRANTS = (
    Grant(id="may", effect=Effect.ALLOW, subjects=("*",), models=("parrot",), operations=("*",)),
    Grant(id="never", effect=Effect.DENY, subjects=("group:banned",), models=("*",), operations=("*",)),
)
(GUARD,) = snapshot().guards
POLICY = snapshot(
    groups={"banned": ("user:eve",)},
    access=(replace(ACCESS, grants=GRANTS),),
    guards=(replace(GUARD, module="deny if input.request.max_tokens > 100", reads=("request.max_tokens",)),),
    routes=(ROUTE,),
    limits=(LIMIT, rate("slow")),
    redactions=(everything(),),
)


class Caps:
    """Says no above 100."""

    async def evaluate(self, request, _access):
        over = (request.facts.max_tokens or 0) > 100
        answer = PolicyAnswer(
            policy="caps",
            mode=Mode.ENFORCE,
            outcome=Outcome.DENY if over else Outcome.NOT_APPLICABLE,
            reasons=(Reason(code="too-much", policy="caps"),) if over else (),
        )
        return EngineAnswer(engine="opa", answers=(answer,))


def explained(request, policy=POLICY):
    return asyncio.run(explain_request(request, snapshot=policy, access=CasbinAccess(policy), guards=OneByOne(Caps())))


def verdicts(found):
    return {stage.name: stage.verdict for stage in found.stages}


@pytest.mark.parametrize(
    ("facts", "model", "want"),
    [
        pytest.param({}, "parrot", "pass pass pass pass unknown unknown pass", id="allowed"),
        pytest.param({"max_tokens": 101}, "parrot", "pass pass pass refuse not-asked not-asked not-asked", id="guard"),
        pytest.param({}, "owl", "pass pass neutral pass not-asked not-asked not-asked", id="no grant"),
        pytest.param(
            {"body_bytes": 11}, "parrot", "pass refuse not-asked not-asked not-asked not-asked not-asked", id="size"
        ),
    ],
)
def test_every_stage_has_its_verdict_in_order(facts, model, want):
    request = replace(REQUEST, facts=RequestFacts(**facts), resource=replace(REQUEST.resource, id=model))
    found = explained(request)
    assert list(verdicts(found)) == ["route", "size", "access", "guards", "rates", "redaction", "tools"]
    assert " ".join(verdicts(found).values()) == want


def test_the_rules_that_had_a_part_are_named():
    eve = replace(REQUEST, subject=replace(REQUEST.subject, id="eve"), facts=RequestFacts(max_tokens=101))
    stages = {stage.name: stage for stage in explained(eve).stages}
    (access,) = stages["access"].said
    assert [(rule.rule, rule.role) for rule in access.rules] == [("may", "allows"), ("never", "denies")]
    (caps,) = stages["guards"].said
    assert [(rule.rule, rule.role) for rule in caps.rules] == [("too-much", "denies")]
    assert caps.facts == {"reads": ["request.max_tokens"]}
    assert [rule.rule for said in stages["route"].said for rule in said.rules] == ["chat"]


def test_what_would_have_to_differ_was_decided():
    found = explained(replace(REQUEST, facts=RequestFacts(max_tokens=101)))
    assert {(each.what, each.to, each.effect) for each in found.differences} == {
        ("max_tokens", None, Effect.ALLOW),
        ("max_tokens", 99, Effect.ALLOW),
        ("max_tokens", 100, Effect.ALLOW),
    }
    allowed = explained(REQUEST)
    assert [(each.what, each.to, each.reasons) for each in allowed.differences] == [
        ("subject.groups", "+banned", ("access-denied",)),
        ("max_tokens", 101, ("too-much",)),
    ]
    assert allowed.tried > len(allowed.differences)


def test_an_operation_without_a_route_is_refused_first():
    found = explained(replace(REQUEST, action="embeddings"))
    assert (verdicts(found)["route"], verdicts(found)["access"]) == ("refuse", "not-asked")
    assert [(each.what, each.to) for each in found.differences] == [("operation", "chat.completions")]
