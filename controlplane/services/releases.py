# SPDX-License-Identifier: Apache-2.0
"""Releases: pinned revisions of policies, compiled and tested as a whole. Immutable; enforced only once activated."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from controlplane.identifiers import Clock, NewId
from controlplane.services.admin_log import note
from controlplane.services.documents import rejected
from controlplane.services.errors import Invalid, NotFound, Problem
from controlplane.services.model import Page, PolicyRevision, Principal, Release
from controlplane.services.ports import Session, Store
from controlplane.services.publishing import Publisher
from controlplane.services.rego_engines import RegoEngines
from controlplane.services.release_lookup import check_set, release_of
from controlplane.services.release_manifests import manifest_of
from controlplane.services.release_tests import compile_and_test
from controlplane.services.scope import require_scope
from policies.contracts.codec import canonical_bytes
from policies.contracts.errors import PolicyRejected
from policies.document.loader import load_documents
from policies.evaluation.coverage import RuleCoverage, RuleRef, coverage


@dataclass(frozen=True, slots=True, kw_only=True)
class Releases:
    """`rego` is what the nodes evaluate guards with: what a release is checked and tested for."""

    store: Store
    publisher: Publisher
    clock: Clock
    new_id: NewId
    rego: RegoEngines

    def make(
        self,
        actor: Principal,
        policy_set: str,
        *,
        environment: str,
        description: str,
        pins: Mapping[str, str] | None,
        untested_reason: str = "",
        promoted_from: str | None = None,
        validate_only: bool = False,
    ) -> Release:
        """Return a release of the current revision of every policy, or of `pins`. With `validate_only` it is not kept.

        Raises Invalid where the policies do not compile together, one of their tests fails, or the environment's rules
        ask for a reason why rules are untested and there is none; nothing is stored then.
        """
        check_set(policy_set)
        require_scope(actor, environment)
        with self.store.read() as session:
            if session.environments.get(actor.tenant, environment) is None:
                raise NotFound("environment-unknown", "There is no such environment.")
            pinned = self._pinned(session, actor, pins)
            rules = session.environment_rules.get(actor.tenant, environment)
        # Compiling takes long, so no transaction is open: revisions are immutable and cannot change meanwhile.
        tried = compile_and_test(
            _files(pinned),
            tenant=actor.tenant,
            environment=environment,
            rego=self.rego,
        )
        release = Release(
            tenant=actor.tenant,
            environment=environment,
            id=self.new_id("rel_"),
            policy_set=policy_set,
            revision=tried.snapshot.revision,
            policies=tuple((revision.policy, revision.revision) for revision in pinned),
            tests=tried.tests,
            snapshot=canonical_bytes(tried.snapshot.to_json()),
            description=description,
            author=actor.id,
            created_at=self.clock(),
            untested=tuple(f"{ref.policy}/{ref.rule}" for ref in tried.uncovered),
            untested_reason=untested_reason,
            promoted_from=promoted_from,
        )
        if tried.failed:
            raise Invalid(
                "tests-failed",
                f"{len(tried.failed)} of {len(tried.tests)} policy tests failed; nothing was stored.",
                problems=tuple(
                    Problem(code="test-failed", message=f"{test.name}: {test.problem}", file=_file(pinned, test.policy))
                    for test in tried.failed
                ),
            )
        if tried.uncovered and rules.untested_needs_reason and not untested_reason:
            raise _untested(pinned, tried.uncovered, environment)
        if validate_only:  # unsigned: nobody must take it for a release
            return release
        release = replace(release, manifest=self.publisher.sign_release(manifest_of(release)))
        with self.store.write() as session:
            session.releases.add(release)
            note(
                session,
                actor,
                self.clock,
                action="release_made",
                target=release.id,
                revision=release.revision,
                environment=environment,
            )
        return release

    def get(self, actor: Principal, policy_set: str, release_id: str) -> Release:
        with self.store.read() as session:
            return release_of(session, actor, policy_set, release_id)

    def coverage(self, actor: Principal, policy_set: str, release_id: str) -> tuple[RuleCoverage, ...]:
        """Return the rules of a release with the tests that tried them when it was made."""
        release = self.get(actor, policy_set, release_id)
        with self.store.read() as session:
            pinned = self._pinned(session, actor, dict(release.policies))
        try:
            return coverage(load_documents(_files(pinned)), release.tests)
        except PolicyRejected as exc:  # made by another version, whose documents are read otherwise today
            raise rejected(exc.diagnostics) from exc

    def page(self, actor: Principal, policy_set: str, *, after: str | None, limit: int) -> Page[Release]:
        check_set(policy_set)
        with self.store.read() as session:
            return session.releases.page(actor.tenant, policy_set, after=after, limit=limit)

    def _pinned(
        self,
        session: Session,
        actor: Principal,
        pins: Mapping[str, str] | None,
    ) -> tuple[PolicyRevision, ...]:
        if pins is None:
            pins = {policy.id: policy.revision for policy in session.policies.current(actor.tenant)}
        found = {
            policy: session.policies.revision(actor.tenant, policy, revision)
            for policy, revision in sorted(pins.items())
        }
        unknown = tuple(
            Problem(
                code="revision-unknown",
                message=f"The policy {policy!r} has no such revision.",
                pointer=f"/policies/{policy.replace('~', '~0').replace('/', '~1')}",
            )
            for policy, revision in found.items()
            if revision is None
        )
        if unknown:
            raise Invalid("revision-unknown", "A pinned revision does not exist.", problems=unknown)
        return tuple(revision for revision in found.values() if revision is not None)


def _files(pinned: tuple[PolicyRevision, ...]) -> dict[str, bytes]:
    """Return the sources by file name; where several policies came from files of one name, by policy and name."""
    names = [revision.filename for revision in pinned]
    return {
        revision.filename if names.count(revision.filename) == 1 else f"{revision.policy}/{revision.filename}": (
            revision.source
        )
        for revision in pinned
    }


def _untested(pinned: tuple[PolicyRevision, ...], rules: tuple[RuleRef, ...], environment: str) -> Invalid:
    return Invalid(
        "untested-rules",
        f"No passing test tries {len(rules)} rules that enforce, and {environment} asks why; nothing was stored.",
        problems=tuple(
            Problem(
                code="untested-rule",
                message=f"No passing test tries the rule {ref.rule!r} of {ref.policy!r}.",
                pointer=ref.pointer,
                file=_file(pinned, ref.policy),
                fix="Add a test that it decides, or say in untested_reason why it needs none.",
            )
            for ref in rules
        ),
    )


def _file(pinned: tuple[PolicyRevision, ...], policy: str) -> str | None:
    return next((revision.filename for revision in pinned if revision.policy == policy), None)
