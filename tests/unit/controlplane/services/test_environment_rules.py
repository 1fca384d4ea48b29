# SPDX-License-Identifier: Apache-2.0
from controlplane.services.environment_rules import UNSET, EnvironmentRules, WhenStale


def test_rules_survive_being_written_and_read():
    rules = EnvironmentRules(approver_roles=("admin", "approver"), max_staleness_s=5, when_stale=WhenStale.SERVE)
    assert EnvironmentRules.from_json(rules.to_json()) == rules


def test_rules_of_another_release_are_read_as_far_as_they_are_known():
    older = {"approvals_required": 3}
    later = UNSET.to_json() | {"approvers_named": ["a"]}
    assert EnvironmentRules.from_json(older) == EnvironmentRules(approvals_required=3)
    assert EnvironmentRules.from_json(later) == UNSET


def test_what_was_never_set_differs_from_the_defaults_in_the_one_rule_that_would_refuse():
    assert EnvironmentRules(untested_needs_reason=False) == UNSET
