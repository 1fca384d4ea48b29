# SPDX-License-Identifier: Apache-2.0
"""The working set: policies are created, revised, checked and removed here. Nothing of it is enforced yet."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from controlplane.identifiers import Clock
from controlplane.services.admin_log import note
from controlplane.services.documents import Judged, judge, load, rejected
from controlplane.services.errors import Conflict, NotFound
from controlplane.services.model import DEFAULT_ENVIRONMENT, Page, Policy, PolicyRevision, Principal
from controlplane.services.ports import Session, Store
from controlplane.services.preconditions import IfMatch
from controlplane.services.rego_engines import RegoEngines
from controlplane.services.release_tests import TriedRelease, compile_and_test
from policies.contracts.errors import Diagnostic, Position

_FILE_NAME: Final = "policy.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """`rego` is what the nodes evaluate guards with: what documents are checked for."""

    store: Store
    clock: Clock
    rego: RegoEngines

    def create(self, actor: Principal, *, source: str, policy_id: str | None, filename: str | None) -> PolicyRevision:
        """Put a policy into the working set. Raises Invalid with every diagnostic, Conflict where it is there."""
        revision = self._read(actor, source=source, policy_id=policy_id, filename=filename)
        with self.store.write() as session:
            if not session.policies.add(self._current(revision)):
                raise Conflict("policy-exists", f"There is a policy {revision.policy!r} already; add a revision to it.")
            session.policies.add_revision(revision)
            self._note(session, actor, "policy_created", revision)
        return revision

    def revise(
        self,
        actor: Principal,
        policy_id: str,
        *,
        source: str,
        filename: str | None,
        if_match: IfMatch,
    ) -> PolicyRevision:
        """Make `source` the current revision. The same source again changes nothing."""
        with self.store.read() as session:
            known = _must_have(session.policies.get(actor.tenant, policy_id))
        if_match.check(known.revision)
        revision = self._read(actor, source=source, policy_id=policy_id, filename=filename or known.filename)
        with self.store.write() as session:
            before = _must_have(session.policies.lock(actor.tenant, policy_id))
            if_match.check(before.revision)
            session.policies.add_revision(revision)
            session.policies.set_revision(self._current(revision))
            self._note(session, actor, "policy_revised", revision)
        return revision

    def remove(self, actor: Principal, policy_id: str, *, if_match: IfMatch) -> None:
        """Take a policy out of the working set. Its revisions stay, and releases that pin them too."""
        with self.store.write() as session:
            policy = _must_have(session.policies.lock(actor.tenant, policy_id))
            if_match.check(policy.revision)
            session.policies.remove(actor.tenant, policy_id, at=self.clock())
            note(session, actor, self.clock, action="policy_removed", target=policy_id, revision=policy.revision)

    def judge(self, files: Mapping[str, bytes]) -> Judged:
        """Return everything there is to say of documents, each by itself. Stores nothing."""
        return judge(files, rego=self.rego, at=self.clock())

    def try_out(self, actor: Principal, files: Mapping[str, bytes]) -> TriedRelease:
        """Return what documents give as one release, tests and all. Stores nothing. Raises Invalid."""
        return compile_and_test(files, tenant=actor.tenant, environment=DEFAULT_ENVIRONMENT, rego=self.rego)

    def page(self, actor: Principal, *, after: str | None, limit: int) -> Page[Policy]:
        with self.store.read() as session:
            return session.policies.page(actor.tenant, after=after, limit=limit)

    def current(self, actor: Principal, policy_id: str) -> tuple[Policy, PolicyRevision]:
        with self.store.read() as session:
            policy = _must_have(session.policies.get(actor.tenant, policy_id))
            return policy, _must_have_revision(session.policies.revision(actor.tenant, policy_id, policy.revision))

    def revision(self, actor: Principal, policy_id: str, revision: str) -> PolicyRevision:
        with self.store.read() as session:
            return _must_have_revision(session.policies.revision(actor.tenant, policy_id, revision))

    def revisions(self, actor: Principal, policy_id: str, *, after: str | None, limit: int) -> Page[PolicyRevision]:
        with self.store.read() as session:
            page = session.policies.revisions(actor.tenant, policy_id, after=after, limit=limit)
        if not page.items and after is None:
            raise NotFound("policy-unknown", "There is no such policy.")
        return page

    def _read(self, actor: Principal, *, source: str, policy_id: str | None, filename: str | None) -> PolicyRevision:
        name = filename or (f"{policy_id}.yaml" if policy_id else _FILE_NAME)
        content = source.encode()
        (document,) = load({name: content}, rego=self.rego)
        if policy_id is not None and document.id != policy_id:
            at = Position(file=name, pointer="/id")
            raise rejected(
                [
                    Diagnostic(
                        code="id-differs", at=at, message=f"The document's id is {document.id!r}, not {policy_id!r}."
                    )
                ],
            )
        return PolicyRevision(
            tenant=actor.tenant,
            policy=document.id,
            kind=str(document.kind),
            version=document.version,
            revision="sha256:" + hashlib.sha256(content).hexdigest(),
            filename=name,
            source=content,
            author=actor.id,
            created_at=self.clock(),
        )

    def _current(self, revision: PolicyRevision) -> Policy:
        return Policy(
            tenant=revision.tenant,
            id=revision.policy,
            kind=revision.kind,
            version=revision.version,
            revision=revision.revision,
            author=revision.author,
            filename=revision.filename,
            created_at=revision.created_at,
            updated_at=revision.created_at,
        )

    def _note(self, session: Session, actor: Principal, action: str, revision: PolicyRevision) -> None:
        note(session, actor, self.clock, action=action, target=revision.policy, revision=revision.revision)


def _must_have(policy: Policy | None) -> Policy:
    if policy is None:
        raise NotFound("policy-unknown", "There is no such policy in the working set.")
    return policy


def _must_have_revision(revision: PolicyRevision | None) -> PolicyRevision:
    if revision is None:
        raise NotFound("revision-unknown", "The policy has no such revision.")
    return revision
