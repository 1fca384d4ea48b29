# SPDX-License-Identifier: Apache-2.0
from policies.contracts.snapshot import FieldClass
from policies.redaction.rules import ActiveRules
from proxy_addons.core.coverage import covering
from tests.redaction import RulesOf
from tests.streams import rules

LOOKED = [("b", FieldClass.USER), ("a", FieldClass.OTHER)]


def test_fields_stand_beside_the_rules_that_looked_at_them():
    coverage = covering(rules(), LOOKED, {"m": "decided-on"})
    assert coverage.scanned == ("a", "b")
    assert coverage.by == ((("policy/rule",), ("a", "b")),)
    assert coverage.not_scanned == (("m", "decided-on"),)


def test_what_no_rule_selects_was_scanned_by_nobody():
    coverage = covering(ActiveRules.none(), LOOKED, {})
    assert (coverage.scanned, coverage.by) == ((), ())
    assert coverage.not_scanned == (("a", "no-rule-for-other"), ("b", "no-rule-for-user"))


def test_texts_of_several_classes_at_one_path_are_told_apart():
    looked = [("content", FieldClass.USER), ("content", FieldClass.SYSTEM)]
    coverage = covering(RulesOf({FieldClass.USER: "x"}), looked, {})
    assert coverage.scanned == ("content",)
    assert coverage.not_scanned == (("content", "no-rule-for-system"),)
