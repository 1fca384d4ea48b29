# SPDX-License-Identifier: Apache-2.0
"""Change control, on every database."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from controlplane.services.environment_rules import UNSET, EnvironmentRules, WhenStale
from controlplane.services.errors import PreconditionFailed
from controlplane.services.model import Principal, Role
from controlplane.services.preconditions import IfMatch
from controlplane.services.rule_book import RuleBook
from tests.records import NOON

T = "default"
ADMIN = Principal(tenant=T, id="admin", name="admin", role=Role.ADMIN, created_at=NOON)


@pytest.fixture
def rule_book(store) -> RuleBook:
    with store.write() as session:
        session.environments.ensure(T, "production")
        session.environments.ensure(T, "staging")
        session.environments.ensure("other", "production")
    return RuleBook(store=store, clock=lambda: NOON, publish=lambda *_: None, published=lambda: None)


def test_rules_are_kept_as_they_were_set(store, rule_book):
    rules = EnvironmentRules(
        approvals_required=2,
        approver_roles=("admin", "approver"),
        promote_from="staging",
        gate_suite=True,
        max_staleness_s=600,
        when_stale=WhenStale.SERVE,
    )
    kept = rule_book.put(ADMIN, "production", rules, if_match=IfMatch(frozenset({"0"})))
    with store.read() as session:
        assert session.environment_rules.kept(T, "production") == kept
        assert session.environment_rules.get(T, "production") == rules
        assert session.environment_rules.get(T, "staging") == UNSET
        assert session.environment_rules.get("other", "production") == UNSET
    assert rule_book.put(ADMIN, "production", UNSET, if_match=IfMatch(frozenset({"1"}))).version == 2


def test_of_two_who_change_the_same_rules_at_once_one_is_told(rule_book):
    both = Barrier(2)

    def change(count: int) -> str:
        both.wait(timeout=10)
        rules = EnvironmentRules(approvals_required=count)
        try:
            rule_book.put(ADMIN, "production", rules, if_match=IfMatch(frozenset({"0"})))
        except PreconditionFailed as exc:
            return exc.code
        return "kept"

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(change, (2, 3))) == ["kept", "state-changed"]
