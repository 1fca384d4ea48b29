# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.contracts.decision import Mode
from policies.contracts.snapshot import FieldClass, RedactionAction, RedactionPolicy, RedactionRule, Strictness
from policies.redaction.engine import Redaction
from policies.redaction.field_rules import FieldRules


def rules(*of: RedactionRule, mode: Mode = Mode.ENFORCE, field: FieldClass = FieldClass.USER) -> FieldRules:
    policy = RedactionPolicy(id="p", version="1", mode=mode, operations=(), models=(), rules=of)
    return Redaction.of([policy]).rules_for(["p"] if mode is Mode.ENFORCE else []).field(field)


def rule(action: str, *detectors: str, **more: object) -> RedactionRule:
    return RedactionRule(id=action, detectors=detectors, action=RedactionAction(action), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("action", "changes", "stops"),
    [("replace", True, False), ("block", True, True), ("cut", True, True), ("annotate", False, False)],
)
def test_says_what_its_rules_may_do(action, changes, stops):
    of = rules(rule(action, "email"))
    assert (of.idle, of.changes, of.stops) == (False, changes, stops)


def test_rules_for_other_fields_leave_it_idle():
    assert rules(rule("block", "email", fields=(FieldClass.SYSTEM,))).idle


def test_asks_a_detector_as_strictly_as_its_rule_says():
    of = rules(rule("mask", "email", strictness=Strictness.STRICT), rule("replace", "iban"))
    assert {each.name: lenient for each, lenient in zip(of.finder.detectors, of.wanted, strict=True)} == {
        "email": False,
        "iban": True,
    }


def test_rules_that_only_look_decide_nothing():
    of = rules(rule("block", "email"), mode=Mode.OBSERVE)
    assert (of.deciding, of.changes, len(of.observing[0])) == ((None,), False, 1)
    with pytest.raises(LookupError):
        of.severity(0)
