# SPDX-License-Identifier: Apache-2.0
"""What a release passed, with evidence that the decision log bears out, and whether it may be promoted.

Rules: whoever ran a gate says what became of each request; the log must say the same of every one of them, decided in
that environment by that release. Whoever made a release gives no evidence for it.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from controlplane.identifiers import Clock, NewId
from controlplane.services.admin_log import note
from controlplane.services.approvals import authors_of
from controlplane.services.decision_filter import DecisionFilter
from controlplane.services.errors import Conflict, Forbidden, Problem
from controlplane.services.gate import Claim, Gate, GateEvidence, Trials
from controlplane.services.gate_reports import about, read_must_refuse, read_suite
from controlplane.services.gate_trials import trials_of
from controlplane.services.model import Page, Principal, Release
from controlplane.services.ports import Session, Store
from controlplane.services.release_lookup import release_of
from controlplane.services.scope import require_scope
from policies.contracts.codec import digest
from policies.contracts.decision import Effect, Mode, Outcome
from policies.contracts.record import RecordOutcome, pseudonym
from policies.contracts.snapshot import PolicySnapshot
from policies.document.loader import load_documents

_IDS_AT_ONCE: Final = 100
_MOST_TOLD: Final = 20
_OUTCOMES: Final = {Effect.ALLOW: "allow", Effect.DENY: "deny"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gates:
    """Takes evidence and gives it out. `pseudonym_key` tells whose request a record is of."""

    store: Store
    clock: Clock
    new_id: NewId
    pseudonym_key: bytes

    def trials(self, actor: Principal, policy_set: str, release_id: str) -> Trials:
        """Return the requests that the gate `must-refuse` sends."""
        with self.store.read() as session:
            return _trials(session, release_of(session, actor, policy_set, release_id))

    def give(
        self, actor: Principal, policy_set: str, release_id: str, *, gate: Gate, report: Mapping[str, Any]
    ) -> GateEvidence:
        """Keep that the release passed `gate`, once the log bears out `report`.

        Raises Invalid where the report does not say so, Conflict where the log does not, or not yet.
        """
        with self.store.read() as session:
            release = release_of(session, actor, policy_set, release_id)
            require_scope(actor, release.environment)
            if actor.id in authors_of(session, release):
                raise Forbidden("own-release", "Whoever made a release gives no evidence for it.")
            match gate:
                case Gate.SUITE:
                    claims, summary = read_suite(report)
                case Gate.MUST_REFUSE:
                    trials = _trials(session, release)
                    claims, summary = read_must_refuse(report, trials)
                    self._require_keyless(session, release, trials, claims)
            logged = self._check(session, release, claims)
            if gate is Gate.MUST_REFUSE:
                failed = ((claim.about, _upstream_failure(logged[claim.request_id])) for claim in claims)
                summary["upstream_failed"] = [f"{about} ({code})" for about, code in failed if code]
        evidence = GateEvidence(
            tenant=actor.tenant,
            id=self.new_id("evd_"),
            release=release.id,
            environment=release.environment,
            gate=gate,
            by=actor.id,
            role=actor.role.value,
            given_at=self.clock(),
            digest=digest(report),
            decision_count=len(claims),
            summary=summary,
        )
        with self.store.write() as session:
            session.gates.add(evidence)
            note(
                session,
                actor,
                self.clock,
                action="gate_passed",
                target=release.id,
                gate=gate.value,
                evidence=evidence.id,
                environment=release.environment,
                digest=evidence.digest,
            )
        return evidence

    def page(
        self, actor: Principal, policy_set: str, release_id: str, *, after: str | None, limit: int
    ) -> Page[GateEvidence]:
        with self.store.read() as session:
            release = release_of(session, actor, policy_set, release_id)
            return session.gates.page(actor.tenant, release.id, after=after, limit=limit)

    def _check(self, session: Session, release: Release, claims: tuple[Claim, ...]) -> Mapping[str, Mapping[str, Any]]:
        """Return what the log has of each claim's request. Raises Conflict where it does not bear a claim out."""
        logged = dict(_logged(session, release.tenant, {claim.request_id for claim in claims}))
        lacking = [claim for claim in claims if claim.request_id not in logged]
        if lacking:
            raise Conflict(
                "evidence-not-logged",
                f"The log has no ended decision for {len(lacking)} of {len(claims)} requests. Records arrive within "
                "seconds: send the report again.",
                problems=_problems("not-logged", lacking),
            )
        serials = session.gates.serials(release.tenant, release.environment, release.id)
        others = [claim for claim in claims if not _is_of(logged[claim.request_id], release, serials)]
        if others:
            raise Conflict(
                "evidence-of-another-release",
                f"{len(others)} of {len(claims)} requests were not decided in {release.environment} by this release.",
                problems=_problems("decided-elsewhere", others),
            )
        differing = [claim for claim in claims if not self._agrees(logged[claim.request_id], release.tenant, claim)]
        if differing:
            raise Conflict(
                "evidence-differs",
                f"The log says otherwise of {len(differing)} of {len(claims)} requests.",
                problems=_problems("log-differs", differing),
            )
        return logged

    def _require_keyless(self, session: Session, release: Release, trials: Trials, claims: tuple[Claim, ...]) -> None:
        """Raise Conflict where a test was left out for want of a key, and its subject has one."""
        asked, now = {claim.about for claim in claims}, self.clock()
        left_out = {f"{one.subject.type}:{one.subject.id}": one for one in trials.sendable if about(one) not in asked}
        if not left_out:
            return
        holders = {
            key.subject
            for key in session.api_keys.of_environment(release.tenant, release.environment)
            if key.revoked_at is None and (key.expires_at is None or key.expires_at > now)
        }
        if found := sorted(left_out.keys() & holders):
            raise Conflict(
                "evidence-differs",
                f"{found[0]} has a key of {release.environment}: send its requests.",
                problems=tuple(Problem(code="has-a-key", message=about(left_out[name])) for name in found),
            )

    def _agrees(self, envelope: Mapping[str, Any], tenant: str, claim: Claim) -> bool:
        http, subject, resource = (envelope.get(name) or {} for name in ("http", "subject", "resource"))
        whose = None if claim.subject is None else f"{claim.subject.type}:{claim.subject.id}"
        return (
            http.get("status") == claim.status
            and (claim.effect is None or _decided(envelope) == _OUTCOMES[claim.effect])
            and (claim.operation is None or envelope.get("action") == claim.operation)
            and (claim.model is None or resource.get("id") == claim.model)
            and (
                whose is None or subject.get("pseudonym") == pseudonym(self.pseudonym_key, tenant=tenant, subject=whose)
            )
        )


def _decided(envelope: Mapping[str, Any]) -> object:
    """Return what policy made of the request: a gate is about that, and not about what a model can answer."""
    return _OUTCOMES[Effect.ALLOW] if _upstream_failure(envelope) else envelope.get("outcome")


def _upstream_failure(envelope: Mapping[str, Any]) -> str:
    """Return the code where policy allowed the request, as the engines said, and its upstream failed it; else ''."""
    codes = [str(reason["code"]) for reason in envelope.get("reasons") or ()]
    said = {
        answer["outcome"]
        for engine in envelope.get("engines") or ()
        for answer in engine["answers"]
        if answer["mode"] == Mode.ENFORCE
    }
    failed = bool(codes) and all(code.startswith("upstream-") for code in codes)
    allowed = Outcome.ALLOW in said and said.isdisjoint({Outcome.DENY, Outcome.ERROR})
    return codes[0] if failed and allowed and envelope.get("outcome") == RecordOutcome.ERROR_DENY else ""


def _trials(session: Session, release: Release) -> Trials:
    revisions = (session.policies.revision(release.tenant, *pin) for pin in release.policies)
    # Named by their policy: two may come from files of one name.
    files = {f"{one.policy}/{one.filename}": one.source for one in revisions if one is not None}
    return trials_of(load_documents(files), PolicySnapshot.from_json(json.loads(release.snapshot)))


def _logged(session: Session, tenant: str, request_ids: Iterable[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the terminal record's members of each of these requests that has one."""
    wanted, size = sorted(request_ids), session.decisions.size(tenant)
    for first in range(0, len(wanted), _IDS_AT_ONCE):
        some = DecisionFilter(request_ids=tuple(wanted[first : first + _IDS_AT_ONCE]))
        after: int | None = None
        while True:
            found = session.decision_index.find(
                tenant, some, after=after, as_of=size, descending=False, limit=_IDS_AT_ONCE
            )
            for one in found.items:
                if one.terminal is not None:
                    yield one.request_id, json.loads(one.terminal.envelope)
            if found.at is None:
                break
            after = found.at


def _is_of(envelope: Mapping[str, Any], release: Release, serials: frozenset[int]) -> bool:
    """Tell whether `release` decided. What is refused before a policy is asked for names no serial, but a place."""
    if envelope.get("environment") != release.environment:
        return False
    serial = envelope.get("serial")
    return serial in serials if serial is not None else envelope.get("outcome") != _OUTCOMES[Effect.ALLOW]


def _problems(code: str, claims: list[Claim]) -> tuple[Problem, ...]:
    return tuple(Problem(code=code, message=f"{claim.about}: {claim.request_id}") for claim in claims[:_MOST_TOLD])
