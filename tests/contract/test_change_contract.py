# SPDX-License-Identifier: Apache-2.0
"""Change control, on every database."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from controlplane.identifiers import new_ulid
from controlplane.services.approval import Word
from controlplane.services.approvals import Approvals
from controlplane.services.environment_rules import UNSET, EnvironmentRules, WhenStale
from controlplane.services.errors import Conflict, PreconditionFailed
from controlplane.services.model import Policy, PolicyRevision, Principal, Release, Role
from controlplane.services.preconditions import IfMatch
from controlplane.services.rule_book import RuleBook
from tests.records import NOON

T = "default"
ADMIN = Principal(tenant=T, id="admin", name="admin", role=Role.ADMIN, created_at=NOON)
APPROVER = Principal(tenant=T, id="approver", name="approver", role=Role.APPROVER, created_at=NOON)


def release() -> Release:
    return Release(
        tenant=T,
        environment="production",
        id="rel_1",
        policy_set="default",
        revision="sha256:1",
        policies=(("chat-access", "sha256:a"), ("openai-routes", "sha256:b")),
        tests=(),
        snapshot=b"{}",
        description="",
        author="author",
        created_at=NOON,
    )


def revision(policy: str, name: str, author: str) -> PolicyRevision:
    return PolicyRevision(
        tenant=T,
        policy=policy,
        kind="access",
        version="1",
        revision=name,
        filename="a.yaml",
        source=b"",
        author=author,
        created_at=NOON,
    )


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


def test_a_release_has_one_word_of_each_principal_however_fast_they_say_it(store, rule_book):
    with store.write() as session:
        session.principals.put(APPROVER, token_hash="h")
        session.releases.add(release())
    approvals = Approvals(store=store, clock=lambda: NOON, new_id=new_ulid)
    both = Barrier(2)

    def say(verdict: Word) -> str:
        both.wait(timeout=10)
        about = {"revision": "sha256:1", "environment": "production", "comment": ""}
        try:
            approvals.give(APPROVER, "default", "rel_1", verdict=verdict, **about)
        except Conflict as exc:
            return exc.code
        return "kept"

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(say, (Word.APPROVE, Word.REJECT))) == ["approval-given", "kept"]
    standing, page = approvals.page(ADMIN, "default", "rel_1", after=None, limit=10)
    assert len(page.items) == len(standing.approved_by) + len(standing.rejected_by) == 1


def test_a_withdrawn_word_stays_on_record_and_is_withdrawn_once(store, rule_book):
    with store.write() as session:
        session.principals.put(APPROVER, token_hash="h")
        session.releases.add(release())
    approvals = Approvals(store=store, clock=lambda: NOON, new_id=new_ulid)
    about = {"revision": "sha256:1", "environment": "production", "comment": "", "verdict": Word.APPROVE}
    given = approvals.give(APPROVER, "default", "rel_1", **about).approval
    approvals.withdraw(APPROVER, "default", "rel_1", given.id)
    with pytest.raises(Conflict, match="approval-withdrawn"):
        approvals.withdraw(APPROVER, "default", "rel_1", given.id)
    approvals.give(APPROVER, "default", "rel_1", **about)
    with store.read() as session:
        assert [one.withdrawn_at for one in session.approvals.of_release(T, "rel_1")] == [NOON, None]
        assert session.approvals.of_release("other", "rel_1") == ()
        assert session.releases.pins(T, "rel_1") == release().policies
        assert session.releases.pins("other", "rel_1") == ()


def test_the_authors_of_a_revision_are_who_wrote_it_and_who_brought_it_back(store):
    with store.write() as session:
        session.policies.add_revision(revision("p", "sha256:1", "first"))
        session.policies.add_revision(revision("p", "sha256:2", "second"))
        session.policies.add_revision(revision("q", "sha256:1", "another"))
        session.policies.add(
            Policy(
                tenant=T,
                id="p",
                kind="access",
                version="1",
                revision="sha256:1",
                author="third",
                filename="a.yaml",
                created_at=NOON,
                updated_at=NOON,
            )
        )
        assert session.policies.authors(T, [("p", "sha256:1")]) == {"first", "third"}
        assert session.policies.authors(T, [("p", "sha256:2")]) == {"second"}
        many = {(f"r{number}", "sha256:0") for number in range(1200)}
        assert session.policies.authors(T, many | {("q", "sha256:1")}) == {"another"}
        assert session.policies.authors("other", [("p", "sha256:1")]) == frozenset()
        assert session.policies.authors(T, []) == frozenset()
