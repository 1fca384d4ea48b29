# SPDX-License-Identifier: Apache-2.0
"""Which rules hold: a table of selectors, a table of conflicts, and that what is remembered is the right thing."""

from types import SimpleNamespace
from typing import Any

import pytest

from policies.contracts.decision import Mode
from policies.contracts.snapshot import (
    Direction,
    FieldClass,
    HoldBounds,
    RedactionAction,
    RedactionPolicy,
    RedactionRule,
    Strictness,
)
from policies.detectors.catalogue import Catalogue
from policies.redaction.selection import RuleUse, Selected, Selection

CATALOGUE = Catalogue(
    SimpleNamespace(name=name, group=group) for name, group in (("card", "pay"), ("key", "secrets"), ("email", ""))
)
ALICE = ("user:alice", "group:staff", "*")
EVERY = FieldClass.ASSISTANT_TEXT


def rule(name: str = "rule", *detectors: str, action=RedactionAction.REPLACE, **said: Any) -> RedactionRule:
    return RedactionRule(id=name, detectors=detectors or ("card",), action=action, **said)


def policy(name: str, *rules: RedactionRule, mode=Mode.ENFORCE, **said: Any) -> RedactionPolicy:
    said = {"operations": (), "models": (), **said}
    return RedactionPolicy(id=name, version="1", mode=mode, rules=rules or (rule(),), **said)


def selected(*policies: RedactionPolicy, **asked: Any) -> Selected:
    """Return what holds with every one of `policies` obliged."""
    said = {"operation": "chat.completions", "model": "parrot", "subject": ALICE, **asked}
    return Selection(policies, CATALOGUE).rules_for([each.id for each in policies], **said)


def deciding(of: Selected, field: FieldClass = EVERY) -> dict[str, str]:
    return {use.detector: f"{use.deciding.policy}/{use.deciding.rule}" for use in of.fields[field] if use.deciding}


@pytest.mark.parametrize(
    ("said", "holds"),
    [
        pytest.param({}, True, id="nothing"),
        pytest.param({"operations": ("chat.completions",)}, True, id="its-operation"),
        pytest.param({"operations": ("completions",)}, False, id="another-operation"),
        pytest.param({"operations": ("*",)}, True, id="any-operation"),
        pytest.param({"models": ("parrot",)}, True, id="its-model"),
        pytest.param({"models": ("other",)}, False, id="another-model"),
        pytest.param({"models": ("*",)}, True, id="any-model"),
        pytest.param({"subjects": ("user:alice",)}, True, id="its-subject"),
        pytest.param({"subjects": ("group:staff", "user:bob")}, True, id="a-group-of-its-subject"),
        pytest.param({"subjects": ("user:bob", "group:guests")}, False, id="other-subjects"),
        pytest.param({"subjects": ("*",)}, True, id="any-subject"),
        pytest.param({"models": ("parrot",), "subjects": ("user:bob",)}, False, id="one-of-two"),
        pytest.param({"directions": (Direction.REQUEST,)}, False, id="the-other-direction"),
        pytest.param({"directions": (Direction.REQUEST, Direction.ANSWER)}, True, id="both-directions"),
        pytest.param({"fields": (EVERY,)}, True, id="its-field"),
        pytest.param({"fields": (FieldClass.REASONING,)}, False, id="another-field"),
    ],
)
def test_what_a_rule_selects(said, holds):
    assert deciding(selected(policy("p", rule(**said)))) == ({"card": "p/rule"} if holds else {})


@pytest.mark.parametrize("mode", [Mode.WARN, Mode.OBSERVE])
@pytest.mark.parametrize(
    ("said", "holds"),
    [
        ({}, True),
        ({"operations": ("completions",)}, False),
        ({"models": ("other",)}, False),
        ({"subjects": ("user:bob",)}, False),
        ({"subjects": ("group:staff",)}, True),
    ],
)
def test_a_policy_that_looks_selects_by_itself(mode, said, holds):
    got = selected(policy("p", mode=mode, **said))
    assert (got.enforcing, got.idle) == (False, not holds)
    assert [use.mode for each in got.fields[EVERY] for use in each.observing] == [mode] * holds


def test_a_policy_that_is_obliged_holds_whatever_its_own_selectors_say():
    """A guard may oblige what selects nothing."""
    assert deciding(selected(policy("p", models=("other",)))) == {"card": "p/rule"}


def test_a_policy_that_nobody_obliges_does_nothing():
    assert Selection((policy("p"),), CATALOGUE).rules_for([]).idle


def test_an_obligation_that_cannot_be_met_is_an_error():
    with pytest.raises(LookupError, match="gone"):
        Selection((policy("p"),), CATALOGUE).rules_for(["p", "gone"])


def test_a_rule_without_directions_is_for_answers():
    assert selected(policy("p"), direction=Direction.REQUEST).idle
    assert not selected(policy("p"), direction=Direction.ANSWER).idle


@pytest.mark.parametrize("model", [None, "parrot"])
def test_an_operation_without_a_model_is_not_selected_by_models(model):
    got = selected(policy("p", rule(models=("*",))), operation="models.list", model=model)
    assert got.idle == (model is None)


def test_what_is_not_given_narrows_nothing():
    said = {"operations": ("completions",), "models": ("other",), "subjects": ("user:bob",)}
    of = Selection((policy("p", rule(**said)), policy("w", mode=Mode.WARN, **said)), CATALOGUE)
    assert of.rules_for(["p"]).policies == ("p", "w")


@pytest.mark.parametrize(
    ("first", "second", "decides"),
    [
        pytest.param({"action": "mask"}, {"action": "block"}, "second", id="severest"),
        pytest.param({"action": "cut"}, {"action": "remove"}, "first", id="cut-before-remove"),
        pytest.param({"action": "hash"}, {"action": "replace"}, "second", id="replace-before-hash"),
        pytest.param({"action": "replace"}, {"action": "replace"}, "first", id="then-the-order"),
        pytest.param({"action": "mask", "keep_last": 4}, {"action": "mask"}, "second", id="masks-that-leave-less"),
        pytest.param({"reversible": True}, {}, "second", id="what-is-not-put-back"),
    ],
)
@pytest.mark.parametrize("apart", [False, True], ids=["two-rules", "two-policies"])
def test_of_two_rules_one_decides(first, second, decides, apart):
    rules = [
        rule(name, **{**said, "action": RedactionAction(said.get("action", "replace"))})
        for name, said in (("first", first), ("second", second))
    ]
    policies = [policy("a", rules[0]), policy("b", rules[1])] if apart else [policy("a", *rules)]
    of = policies[-1].id if decides == "second" else "a"
    assert deciding(selected(*policies)) == {"card": f"{of}/{decides}"}


def test_the_rule_that_decides_is_lenient_where_any_is():
    """What the lenient rule alone would have found must not leave because a severer one is strict."""
    strict = rule("strict", action=RedactionAction.BLOCK, strictness=Strictness.STRICT)
    (use,) = selected(policy("p", strict, rule("lenient"))).fields[EVERY]
    assert use.deciding == RuleUse(
        policy="p",
        rule="strict",
        detector="card",
        action=RedactionAction.BLOCK,
        strictness=Strictness.LENIENT,
    )
    (use,) = selected(policy("p", strict)).fields[EVERY]
    assert use.deciding is not None
    assert use.deciding.strictness is Strictness.STRICT


def test_one_that_looks_is_beside_the_one_that_decides():
    (use,) = selected(policy("p"), policy("w", rule(action=RedactionAction.BLOCK), mode=Mode.WARN)).fields[EVERY]
    assert use.deciding is not None
    assert (use.deciding.policy, [each.policy for each in use.observing]) == ("p", ["w"])


def test_annotating_changes_nothing():
    got = selected(policy("p", rule(action=RedactionAction.ANNOTATE)))
    assert (got.idle, got.enforcing) == (False, False)


def test_the_uses_of_a_field_stand_in_the_order_of_the_detectors():
    got = selected(policy("p", rule("a", "email"), rule("b", "all", "secrets"), rule("c", "card")))
    assert [use.detector for use in got.fields[EVERY]] == ["card", "key", "email"]
    assert deciding(got) == {"email": "p/a", "card": "p/b", "key": "p/b"}


def test_fields_differ():
    got = selected(policy("p", rule("text", fields=(EVERY,), action=RedactionAction.BLOCK), rule("rest")))
    assert deciding(got, EVERY) == {"card": "p/text"}
    assert deciding(got, FieldClass.ERROR) == {"card": "p/rest"}
    assert set(got.fields) == set(FieldClass)


def test_the_terms_are_those_of_the_policies_that_have_a_rule_here():
    tight = HoldBounds(max_bytes=1024)
    requests = policy("a", rule(directions=(Direction.REQUEST,)), hold=tight)
    assert selected(requests, policy("b")).terms.hold == HoldBounds()
    assert selected(requests, policy("b"), direction=Direction.REQUEST).terms.hold == tight


def test_the_same_is_the_same_object_whatever_names_a_client_makes_up():
    of = Selection((policy("p", rule(models=("parrot",)), rule("b", "key", subjects=("user:bob",))),), CATALOGUE)
    first = of.rules_for(["p"], operation="chat.completions", model="one", subject=ALICE)
    assert of.rules_for(["p"], operation="chat.x", model="two", subject=("user:carol", "*")) is first
    assert of.rules_for(["p"], operation="chat.completions", model="parrot", subject=ALICE) is not first
    assert of.rules_for(["p"], operation="chat.completions", model="one", subject=("user:bob", "*")) is not first
    assert of.rules_for(["p"], operation="chat.completions", model=None, subject=ALICE) is not first


def test_a_name_that_no_detector_has_is_an_error():
    with pytest.raises(ValueError, match="policy 'p', rule 'rule': no such detector: 'iban'"):
        Selection((policy("p", rule("rule", "iban")),), CATALOGUE)


@pytest.mark.parametrize(
    ("asked", "want"),
    [
        ({}, ["all", "requests", "staff"]),
        ({"direction": Direction.ANSWER}, ["all", "staff"]),
        ({"direction": Direction.REQUEST}, ["requests"]),
        ({"subject": ("user:bob", "*")}, ["all", "requests"]),
        ({"model": "other"}, ["all", "other", "requests", "staff"]),
        ({"operation": "completions"}, ["all", "requests", "staff", "text"]),
    ],
)
def test_applicable_are_enforcing_policies_that_select(asked, want):
    policies = (
        policy("all"),
        policy("other", models=("other",)),
        policy("requests", rule(directions=(Direction.REQUEST,))),
        policy("staff", subjects=("group:staff",)),
        policy("text", operations=("completions",)),
        policy("watched", mode=Mode.OBSERVE),
    )
    said = {"operation": "chat.completions", "model": "parrot", "subject": ALICE, **asked}
    assert list(Selection(policies, CATALOGUE).applicable(**said)) == want
