# SPDX-License-Identifier: Apache-2.0
import json
from dataclasses import asdict, replace

import pytest

from policies.contracts.codec import canonical_bytes
from policies.contracts.decision import Mode
from policies.contracts.members import plain
from policies.contracts.redaction import FieldClass
from policies.contracts.screening import ClassifierRule, ScreenAsk, ScreenEffect, ScreeningPolicy, ScreeningRule

RULE = ScreeningRule(
    id="r",
    effect=ScreenEffect.DENY,
    phrases=("ignore that",),
    expressions=("a{2,3}",),
    fields=(FieldClass.USER,),
    operations=(),
    models=("parrot",),
    subjects=("*",),
    reason="prompt-screened",
)
POLICY = ScreeningPolicy(id="p", version="1", mode=Mode.OBSERVE, rules=(RULE,))


def test_is_read_back_as_it_was_written():
    assert ScreeningPolicy.from_json(plain(POLICY)) == POLICY


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"rules": [{**asdict(RULE), "effect": "warn"}]}, "ScreenEffect", id="an-unknown-effect"),
        pytest.param({"rules": [{**asdict(RULE), "fields": ["all"]}]}, "FieldClass", id="an-unknown-field"),
        pytest.param({"rules": [{**asdict(RULE), "score": 1}]}, "has members", id="an-unknown-member"),
        pytest.param({"mode": "shadow"}, "Mode", id="an-unknown-mode"),
    ],
)
def test_anything_else_is_refused(changes, said):
    with pytest.raises(ValueError, match=said):
        ScreeningPolicy.from_json(plain(POLICY) | changes)


ASKING = ScreeningPolicy(
    id="p",
    version="1",
    mode=Mode.ENFORCE,
    rules=(),
    classifier=(
        ClassifierRule(
            id="c",
            effect=ScreenEffect.DENY,
            threshold_bp=9000,
            thresholds_bp={FieldClass.TOOL_RESULT: 5000},
            fields=(),
            operations=(),
            models=(),
            subjects=(),
            reason="prompt-injection",
        ),
    ),
    ask=ScreenAsk(),
)


def test_a_classifier_is_read_back_as_it_was_written():
    assert ScreeningPolicy.from_json(json.loads(canonical_bytes(plain(ASKING)))) == ASKING


def test_a_policy_of_before_has_the_bytes_of_before():
    assert plain(POLICY).keys() == {"id", "version", "mode", "rules"}


@pytest.mark.parametrize(
    ("of", "threshold"),
    [(FieldClass.USER, 9000), (FieldClass.TOOL_RESULT, 5000), (FieldClass.OTHER, 9000)],
)
def test_a_class_has_its_own_threshold_or_the_one_of_all(of, threshold):
    assert ASKING.classifier[0].threshold_of(of) == threshold


def test_a_class_that_is_not_selected_has_none():
    rule = replace(ASKING.classifier[0], fields=(FieldClass.USER,))
    assert (rule.threshold_of(FieldClass.USER), rule.threshold_of(FieldClass.TOOL_RESULT)) == (9000, None)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"ask": None}, id="rules-without-ask"),
        pytest.param({"classifier": []}, id="ask-without-rules"),
        pytest.param({"ask": {**plain(ScreenAsk()), "deadline_ms": 0}}, id="no-time"),
        pytest.param({"ask": {**plain(ScreenAsk()), "when_absent": "pass"}}, id="an-unknown-word"),
        pytest.param({"classifier": [{**plain(ASKING.classifier[0]), "threshold_bp": 0}]}, id="finds-everything"),
        pytest.param({"classifier": [{**plain(ASKING.classifier[0]), "threshold_bp": 10_001}]}, id="finds-nothing"),
        pytest.param({"classifier": [{**plain(ASKING.classifier[0]), "threshold_bp": True}]}, id="a-boolean"),
        pytest.param(
            {"classifier": [{**plain(ASKING.classifier[0]), "threshold_bp": None, "thresholds_bp": {}}]}, id="none"
        ),
        pytest.param(
            {"classifier": [{**plain(ASKING.classifier[0]), "thresholds_bp": {"all": 1}}]}, id="unknown-class"
        ),
    ],
)
def test_a_classifier_that_would_judge_otherwise_is_refused(changes):
    with pytest.raises(ValueError, match=r"screen|FieldClass|Otherwise|classifier"):
        ScreeningPolicy.from_json(plain(ASKING) | changes)
