# SPDX-License-Identifier: Apache-2.0
"""Which rules may refuse a request for what it says."""

from dataclasses import replace

import pytest

from policies.contracts.decision import Mode
from policies.contracts.prompts import OnOwn, PromptRule, PromptsPolicy
from policies.contracts.screening import ScreenEffect
from policies.evaluation.text_rules import NotJudged, may_refuse_texts, not_judged, text_rules_for
from tests.unit.policies.evaluation.test_pipeline import REQUEST, snapshot
from tests.unit.policies.evaluation.test_screening import OVERRIDE, policy


def rules(screening, request=REQUEST):
    return text_rules_for(snapshot(screening=(screening,)), request)


def test_rules_that_may_refuse_a_request_are_told_apart_by_what_they_are():
    known = rules(policy(OVERRIDE))
    assert len(known) == 1
    assert rules(replace(policy(OVERRIDE), version="9")) == known
    assert rules(policy(replace(OVERRIDE, phrases=("another",)))) != known


@pytest.mark.parametrize(
    "screening",
    [
        pytest.param(policy(replace(OVERRIDE, effect=ScreenEffect.FLAG)), id="flags"),
        pytest.param(replace(policy(OVERRIDE), mode=Mode.OBSERVE), id="observes"),
        pytest.param(policy(replace(OVERRIDE, models=("owl",))), id="another model"),
    ],
)
def test_what_refuses_no_such_request_is_no_rule_of_it(screening):
    assert rules(screening) == frozenset()


def test_prompts_refuse_too():
    one = PromptRule(id="r", operations=(), models=(), subjects=(), require=("p",), insert=None, on_own=OnOwn.REFUSE)
    prompts = PromptsPolicy(id="p", version="1", mode=Mode.ENFORCE, prompts=(), rules=(one,))
    assert len(text_rules_for(snapshot(prompts=(prompts,)), REQUEST)) == 1


def test_what_was_not_judged_is_told_by_kind_and_policy():
    one = PromptRule(id="r", operations=(), models=(), subjects=(), require=("p",), insert=None, on_own=OnOwn.REFUSE)
    prompts = PromptsPolicy(id="house", version="1", mode=Mode.ENFORCE, prompts=(), rules=(one,))
    both = snapshot(screening=(policy(OVERRIDE, replace(OVERRIDE, id="again")),), prompts=(prompts,))
    assert not_judged(both, REQUEST) == NotJudged(("prompts", "screening"), ("house", "screen"))
    assert not_judged(snapshot(), REQUEST) == NotJudged((), ())
    assert (may_refuse_texts(both), may_refuse_texts(snapshot())) == (True, False)
