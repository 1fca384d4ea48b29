# SPDX-License-Identifier: Apache-2.0
"""Which requests have the system prompt that policy wants."""

from datetime import UTC, datetime

import pytest

from policies.contracts.decision import Mode, Outcome
from policies.contracts.prompts import ApprovedPrompt, OnOwn, PromptRule, PromptsPolicy, prompt_digest
from policies.contracts.request import EvaluationRequest, RequestFacts, Resource, Subject
from policies.contracts.snapshot import PolicySnapshot
from policies.evaluation.system_prompts import SystemTexts, judge_prompts

HELP, ANSWER = (
    ApprovedPrompt(name=text[4:], text=text, digest=prompt_digest(text)) for text in ("You help", "You answer")
)


def rule(rule_id="r", *, require=(), insert=None, on_own=OnOwn.REFUSE, models=()):
    return PromptRule(
        id=rule_id, operations=(), models=models, subjects=(), require=require, insert=insert, on_own=on_own
    )


def policy(*rules, policy_id="p", mode=Mode.ENFORCE):
    return PromptsPolicy(id=policy_id, version="1", mode=mode, prompts=(HELP, ANSWER), rules=rules)


def judged(*policies, said, model="parrot"):
    snapshot = PolicySnapshot(tenant="default", environment="production", groups={}, prompts=policies)
    request = EvaluationRequest(
        request_id="req_1",
        tenant="default",
        environment="production",
        subject=Subject(type="user", id="alice"),
        action="chat.completions",
        resource=Resource(type="model", id=model),
        facts=RequestFacts(),
        at=datetime(2026, 11, 20, tzinfo=UTC),
    )
    got = judge_prompts(snapshot, request, said)
    denied = [(each.policy, each.reasons[0].rule) for each in got.answer.answers if each.outcome is Outcome.DENY]
    assert {each.policy for each in got.answer.answers} == {each.id for each in policies}
    return denied, got.prompt


REQUIRE = policy(rule(require=("help",)))
INSERT = policy(rule(insert="help"))
KEEP = policy(rule(insert="help", on_own=OnOwn.KEEP))


@pytest.mark.parametrize(
    ("of", "said", "allowed"),
    [
        pytest.param(REQUIRE, SystemTexts(texts=("You help",)), True, id="the-approved-one"),
        pytest.param(REQUIRE, SystemTexts(texts=("You answer",)), False, id="another-approved-one"),
        pytest.param(REQUIRE, SystemTexts(texts=("You help ",)), False, id="a-blank-more"),
        pytest.param(REQUIRE, SystemTexts(texts=("you help",)), False, id="another-case"),
        pytest.param(REQUIRE, SystemTexts(texts=(None,)), False, id="more-than-a-text"),
        pytest.param(REQUIRE, SystemTexts(texts=()), False, id="none"),
        pytest.param(REQUIRE, SystemTexts(texts=("You help", "You help")), False, id="twice"),
        pytest.param(REQUIRE, SystemTexts(texts=("You help", "Forget it")), False, id="and-one-more"),
        pytest.param(REQUIRE, SystemTexts(texts=("You help",), leads=False), False, id="not-first"),
        pytest.param(REQUIRE, SystemTexts(has_roles=False), False, id="nowhere-to-stand"),
        pytest.param(REQUIRE, None, True, id="no-text-is-asked-for"),
        pytest.param(INSERT, SystemTexts(texts=()), True, id="put-in"),
        pytest.param(INSERT, SystemTexts(texts=("Mine",)), False, id="one-of-its-own"),
        pytest.param(INSERT, SystemTexts(has_roles=False), False, id="nowhere-to-put-it"),
        pytest.param(KEEP, SystemTexts(texts=("Mine", None)), True, id="its-own-are-kept"),
    ],
)
def test_a_rule_allows_exactly_what_it_says(of, said, allowed):
    denied, _ = judged(of, said=said)
    assert denied == ([] if allowed else [("p", "r")])


def test_the_first_rule_that_selects_counts():
    of = policy(rule("owl", models=("owl",), require=("answer",)), rule("rest", insert="help"))
    assert judged(of, said=SystemTexts())[1].rule == "rest"
    assert judged(of, said=SystemTexts(), model="owl") == ([("p", "owl")], None)


def test_a_rule_that_selects_nothing_says_nothing():
    assert judged(policy(rule(models=("owl",), require=("help",))), said=SystemTexts()) == ([], None)


def test_the_prompt_is_told():
    _, prompt = judged(REQUIRE, said=SystemTexts(texts=("You help",)))
    assert (prompt.prompt.digest, prompt.inserted) == (prompt_digest("You help"), False)
    assert judged(INSERT, said=SystemTexts())[1].inserted


def test_a_policy_that_only_watches_puts_nothing_in_and_still_says_no():
    watching = policy(rule(insert="help"), mode=Mode.OBSERVE)
    assert judged(watching, said=SystemTexts()) == ([], None)
    assert judged(policy(rule(require=("help",)), mode=Mode.WARN), said=SystemTexts())[0] == [("p", "r")]


def test_two_policies_that_put_in_different_texts_refuse_the_request():
    other = policy(rule(insert="answer"), policy_id="q")
    assert judged(INSERT, other, said=SystemTexts())[0] == [("q", "r")]
    same = policy(rule(insert="help"), policy_id="q")
    assert judged(INSERT, same, said=SystemTexts())[0] == []
