# SPDX-License-Identifier: Apache-2.0
"""When texts make no difference to what a replay says, and when nobody can say."""

from dataclasses import replace

import pytest

from controlplane.replays.comparison import Judged
from controlplane.replays.text_rules import is_settled, text_rules_for
from policies.contracts.decision import Effect, Mode
from policies.contracts.prompts import OnOwn, PromptRule, PromptsPolicy
from policies.contracts.screening import ScreenEffect
from tests.unit.policies.evaluation.test_pipeline import REQUEST, snapshot
from tests.unit.policies.evaluation.test_screening import OVERRIDE, policy

ALLOW, DENY = Judged(effect=Effect.ALLOW), Judged(effect=Effect.DENY)
NONE, ONE, OTHER = frozenset(), frozenset({"one"}), frozenset({"other"})


@pytest.mark.parametrize(
    ("was", "now", "was_rules", "now_rules", "settled"),
    [
        pytest.param(ALLOW, ALLOW, NONE, NONE, (True, True), id="no rules on either side"),
        pytest.param(ALLOW, ALLOW, ONE, ONE, (True, True), id="the same"),
        pytest.param(ALLOW, ALLOW, NONE, ONE, (False, False), id="a new one"),
        pytest.param(ALLOW, ALLOW, None, ONE, (False, False), id="not known"),
        pytest.param(ALLOW, ALLOW, OTHER, ONE, (False, False), id="others"),
        pytest.param(DENY, ALLOW, ONE, ONE, (False, False), id="refused before any text was looked at"),
        pytest.param(DENY, ALLOW, ONE, NONE, (True, True), id="newly allowed"),
        pytest.param(ALLOW, ALLOW, ONE, NONE, (True, False), id="none any more"),
        pytest.param(ALLOW, DENY, ONE, ONE, (True, False), id="a baseline that may have refused it, too"),
        pytest.param(DENY, DENY, ONE, OTHER, (True, True), id="refused by both, texts aside"),
    ],
)
def test_when_texts_make_no_difference(was, now, was_rules, now_rules, settled):
    said = {"was_rules": was_rules, "now_rules": now_rules}
    assert tuple(is_settled(was, now, is_on_record=on_record, **said) for on_record in (True, False)) == settled


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
