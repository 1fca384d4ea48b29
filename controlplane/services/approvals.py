# SPDX-License-Identifier: Apache-2.0
"""Who approved a release, and whether that suffices to put it to work.

Rules: an approval is for one release, its very digest and its environment; since a release never changes, whatever is
edited is another release, for which nobody has approved yet. Nobody approves what they wrote: the release, or a
revision in it that is not in force already. One rejection by anybody who might approve stops a release until they
withdraw it.

Theory: nothing is decided when an approval is given. It is judged whenever it is needed, by the rules, the roles and
what is in force at that moment, behind the environment's lock: so a rule that was tightened, a principal who was
removed or who lost the role counts at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from controlplane.identifiers import Clock, NewId
from controlplane.services.admin_log import note
from controlplane.services.approval import Approval, JudgedApproval, Standing, Void, Word
from controlplane.services.environment_rules import EnvironmentRules
from controlplane.services.errors import Conflict, Forbidden, NotFound, Problem
from controlplane.services.model import Page, Principal, Release
from controlplane.services.ports import Session, Store
from controlplane.services.promotions import require_promoted
from controlplane.services.release_lookup import pins_in_force, release_of
from controlplane.services.scope import is_in_scope, require_scope

_EVENTS: Final = {Word.APPROVE: "release_approved", Word.REJECT: "release_rejected"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Approvals:
    """Takes approvals and rejections, and lists them with what they count for."""

    store: Store
    clock: Clock
    new_id: NewId

    def give(
        self,
        actor: Principal,
        policy_set: str,
        release_id: str,
        *,
        revision: str,
        environment: str,
        verdict: Word,
        comment: str,
    ) -> JudgedApproval:
        """Keep the word of `actor` for the release of `revision` in `environment`, which MUST be the release's own."""
        with self.store.write() as session:
            release = release_of(session, actor, policy_set, release_id)
            require_scope(actor, release.environment)
            # Of two words of one principal at once the second finds the first.
            session.environments.lock(actor.tenant, release.environment)
            _check_target(release, revision=revision, environment=environment)
            rules = session.environment_rules.get(actor.tenant, release.environment)
            if not _may_approve(session, actor.id, release, rules):
                raise Forbidden("role-not-asked", f"In {release.environment} {_roles(rules)} approve.")
            if verdict is Word.APPROVE and actor.id in authors_of(session, release):
                raise Forbidden("own-release", "Whoever wrote a release, or what it changes, cannot approve it.")
            if _has_word(session, actor, release):
                raise Conflict("approval-given", "You gave your word for this release; withdraw that first.")
            approval = Approval(
                tenant=actor.tenant,
                id=self.new_id("apr_"),
                release=release.id,
                revision=release.revision,
                environment=release.environment,
                verdict=verdict,
                comment=comment,
                by=actor.id,
                role=actor.role.value,
                given_at=self.clock(),
            )
            session.approvals.add(approval)
            note(
                session,
                actor,
                self.clock,
                action=_EVENTS[verdict],
                target=release.id,
                approval=approval.id,
                revision=release.revision,
                environment=release.environment,
            )
        return JudgedApproval(approval=approval, void=None)

    def withdraw(self, actor: Principal, policy_set: str, release_id: str, approval_id: str) -> JudgedApproval:
        """Take back the word of `actor`. It stays on record, and counts no more."""
        with self.store.write() as session:
            release = release_of(session, actor, policy_set, release_id)
            session.environments.lock(actor.tenant, release.environment)
            approval = session.approvals.get(actor.tenant, release.id, approval_id)
            if approval is None:
                raise NotFound("approval-unknown", "There is no such approval.")
            if approval.by != actor.id:
                raise Forbidden("approval-of-another", "Whoever gave an approval withdraws it.")
            if not session.approvals.withdraw(approval, at=self.clock()):
                raise Conflict("approval-withdrawn", "That approval was withdrawn already.")
            note(session, actor, self.clock, action="approval_withdrawn", target=release.id, approval=approval.id)
            after = session.approvals.get(actor.tenant, release.id, approval_id) or approval
        return JudgedApproval(approval=after, void=Void.WITHDRAWN)

    def page(
        self, actor: Principal, policy_set: str, release_id: str, *, after: str | None, limit: int
    ) -> tuple[Standing, Page[JudgedApproval]]:
        """Return how the release stands, and its approvals and rejections, the oldest first."""
        with self.store.read() as session:
            release = release_of(session, actor, policy_set, release_id)
            rules = session.environment_rules.get(actor.tenant, release.environment)
            judged = tuple(_judged(session, release, rules))
            standing = _standing(session, judged, rules)
            listed = session.approvals.page(actor.tenant, release.id, after=after, limit=limit)
        by_id = {one.approval.id: one for one in judged}
        shown = Page(items=tuple(by_id[one.id] for one in listed.items), next_key=listed.next_key)
        return standing, shown


def require_activatable(
    session: Session, actor: Principal, release: Release, rules: EnvironmentRules, *, break_glass: bool
) -> None:
    """Raise Forbidden or Conflict unless `actor` may put `release` to work where it was made for, by `rules`.

    The caller holds the environment's lock. Who may approve and activates gives their own approval by it. With
    `break_glass` one principal suffices, whoever wrote the release: that is reviewed afterwards.
    """
    if break_glass:
        return
    authors = authors_of(session, release)
    if actor.id in authors:
        raise Forbidden("own-release", "Whoever wrote a release cannot put it to work; somebody else must.")
    require_promoted(session, release, rules)
    standing = _standing(session, tuple(_judged(session, release, rules)), rules)
    if standing.rejected_by:
        raise Conflict(
            "release-rejected",
            "It was rejected; whoever did that withdraws it, or a release without the fault is made.",
            problems=tuple(Problem(code="rejected-by", message=by) for by in standing.rejected_by),
        )
    approved = set(standing.approved_by)
    mine = session.principals.of_the_persons(actor.tenant, {actor.id})
    if _may_approve(session, actor.id, release, rules) and approved.isdisjoint(mine):
        approved.add(actor.id)
    missing = standing.required - len(approved)
    if missing > 0:
        raise Conflict(
            "approvals-missing",
            f"{len(approved)} of {standing.required} approvals: {missing} more, by {_roles(rules)}, "
            "of nobody who wrote part of it.",
            problems=tuple(Problem(code="approved-by", message=by) for by in sorted(approved)),
        )


def approve_by_activating(
    session: Session, actor: Principal, release: Release, rules: EnvironmentRules, *, clock: Clock, new_id: NewId
) -> None:
    """Keep the approval that `actor` gives by activating `release`: it counts when somebody else rolls back to it."""
    if not _may_approve(session, actor.id, release, rules) or _has_word(session, actor, release):
        return
    session.approvals.add(
        Approval(
            tenant=actor.tenant,
            id=new_id("apr_"),
            release=release.id,
            revision=release.revision,
            environment=release.environment,
            verdict=Word.APPROVE,
            comment="",
            by=actor.id,
            role=actor.role.value,
            given_at=clock(),
            by_activation=True,
        )
    )


def authors_of(session: Session, release: Release) -> frozenset[str]:
    """Return who wrote what `release` would change, with every other principal of the same persons."""
    changed = set(release.policies) - pins_in_force(session, release.tenant, release.environment)
    wrote = session.policies.authors(release.tenant, changed) | {release.author}
    return session.principals.of_the_persons(release.tenant, wrote)


def _has_word(session: Session, actor: Principal, release: Release) -> bool:
    given = session.approvals.of_release(actor.tenant, release.id)
    mine = session.principals.of_the_persons(actor.tenant, {actor.id})
    return any(one.by in mine and one.withdrawn_at is None for one in given)


def _judged(session: Session, release: Release, rules: EnvironmentRules) -> Iterator[JudgedApproval]:
    authors = authors_of(session, release)
    for approval in session.approvals.of_release(release.tenant, release.id):
        yield JudgedApproval(approval=approval, void=_void(session, approval, release, rules, authors))


def _void(
    session: Session, approval: Approval, release: Release, rules: EnvironmentRules, authors: frozenset[str]
) -> Void | None:
    if approval.withdrawn_at is not None:
        return Void.WITHDRAWN
    if (approval.revision, approval.environment) != (release.revision, release.environment):
        return Void.OTHER_RELEASE
    if not _may_approve(session, approval.by, release, rules):
        return Void.ROLE_MISSING
    if approval.verdict is Word.APPROVE and approval.by in authors:
        return Void.OWN_RELEASE
    return None


def _standing(session: Session, judged: tuple[JudgedApproval, ...], rules: EnvironmentRules) -> Standing:
    """Return who approved, one principal of each person, and who rejected."""
    counted = [one.approval for one in judged if one.void is None]
    approved: set[str] = set()
    for approval in sorted(counted, key=lambda approval: approval.by):
        if approval.verdict is Word.APPROVE:
            theirs = session.principals.of_the_persons(approval.tenant, {approval.by})
            approved |= {approval.by} if approved.isdisjoint(theirs) else set()
    rejected = {approval.by for approval in counted if approval.verdict is Word.REJECT}
    return Standing(
        required=rules.approvals_required,
        approved_by=tuple(sorted(approved)),
        rejected_by=tuple(sorted(rejected)),
    )


def _may_approve(session: Session, principal_id: str, release: Release, rules: EnvironmentRules) -> bool:
    principal = session.principals.by_id(release.tenant, principal_id)
    return (
        principal is not None
        and principal.role.value in rules.approver_roles
        and is_in_scope(principal, release.environment)
    )


def _check_target(release: Release, *, revision: str, environment: str) -> None:
    """Raise Conflict where somebody's word is for another thing than what they would give it to."""
    if environment != release.environment:
        raise Conflict("environment-differs", f"The release was made for {release.environment!r}.")
    if revision != release.revision:
        raise Conflict("revision-differs", f"The release is {release.revision}; look at that before you approve it.")


def _roles(rules: EnvironmentRules) -> str:
    return " or ".join(f"{role}s" for role in rules.approver_roles)
