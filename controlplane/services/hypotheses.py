# SPDX-License-Identifier: Apache-2.0
"""Explain what a policy says of a request: one that somebody thinks of, or one that the log has.

Facts: nothing of a question is stored or logged; of a recorded request the input is read from its payload, so that only
who may read decisions may ask for one.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from controlplane.identifiers import Clock
from controlplane.replays.recorded_decision import Replayable, read_decision
from controlplane.services.errors import Conflict, Forbidden, Invalid, NotFound, Problem
from controlplane.services.model import Principal, Release, Role
from controlplane.services.ports import Session, Store
from controlplane.services.rego_engines import OpaNotStarted, RegoEngines
from controlplane.services.rule_places import RulePlaces
from policies.contracts.decision import Effect
from policies.contracts.errors import EvaluationFailed
from policies.contracts.identity import CertificateField
from policies.contracts.redaction import Direction, FieldClass
from policies.contracts.request import EvaluationRequest, RequestFacts, Resource, Subject
from policies.contracts.scope import Scope
from policies.contracts.snapshot import PolicySnapshot
from policies.engines.casbin import CasbinAccess
from policies.engines.rego_plan import RegoRefused
from policies.evaluation.explained import Rule, Said
from policies.evaluation.explaining import Explained, explain_request
from policies.evaluation.explaining_credentials import AskedCredential
from policies.evaluation.explaining_texts import AskedText

ROLES: Final = {
    "system": FieldClass.SYSTEM,
    "developer": FieldClass.DEVELOPER,
    "user": FieldClass.USER,
    "assistant": FieldClass.ASSISTANT_TEXT,
    "tool": FieldClass.TOOL_RESULT,
}
_MAY_READ_DECISIONS: Final = frozenset({Role.AUDITOR, Role.INVESTIGATOR})


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis:
    """A request that somebody thinks of. `model` is None for operations that name none."""

    subject: Subject
    operation: str
    model: str | None
    facts: RequestFacts
    at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What else is shown of a request. `texts` None: what it says is not known, and judged by nobody."""

    texts: tuple[AskedText, ...] | None = None
    credential: AskedCredential | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypotheses:
    store: Store
    rego: RegoEngines
    clock: Clock

    def explain(
        self,
        actor: Principal,
        *,
        hypothesis: Hypothesis | None,
        recorded: str | None,
        release: str | None,
        environment: str,
        also: Shown | None = None,
    ) -> dict[str, Any]:
        """Return the explanation of a hypothesis or of a recorded request, by a release or by what is in force.

        A recorded request is explained by what decided it, unless a release is named. Raises NotFound, Conflict,
        Forbidden, Invalid.
        """
        with self.store.read() as session:
            found = None if recorded is None else _recorded(session, actor, recorded)
            chosen = _release(session, actor, release, environment, found)
            files = _files(session, chosen)
        snapshot = PolicySnapshot.from_json(json.loads(chosen.snapshot))
        if found is not None:
            request = replace(found.request, environment=snapshot.environment)
        elif hypothesis is not None:
            request = request_of(hypothesis, snapshot, now=self.clock())
        else:
            raise Invalid("body-invalid", "Say what is to be explained: a subject and an operation, or a request id.")
        try:
            explained = asyncio.run(explained_by(self.rego, request, snapshot, also))
        except (RegoRefused, OpaNotStarted, EvaluationFailed) as exc:
            raise Conflict("not-evaluable", f"The engine did not answer for the release: {exc}.") from exc
        return {
            "release": chosen.id,
            "revision": chosen.revision,
            "environment": chosen.environment,
            **shown(explained, RulePlaces.of(files)),
        }


def shown_of(body: Mapping[str, Any]) -> Shown:
    """Return what the body of a question shows beside the request."""
    texts: tuple[AskedText, ...] | None = None
    if "text" in body:
        direction = Direction(body.get("direction", Direction.REQUEST))
        texts = (AskedText(text=body["text"], direction=direction, field=_field(body, direction)),)
    elif "messages" in body:
        texts = tuple(AskedText(text=each["content"], field=ROLES[each["role"]]) for each in body["messages"])
    given = body.get("credential")
    if given is None:
        return Shown(texts=texts)
    scope, certificate = given.get("scope") or {}, given.get("certificate") or {}
    if certificate:
        certificate = {"field": CertificateField(certificate["field"]), "name": certificate["name"]}
    narrowed = {name: None if listed is None else tuple(listed) for name, listed in scope.items()}
    return Shown(
        texts=texts,
        credential=AskedCredential(
            issuer=given.get("issuer"), audience=given.get("audience"), scope=Scope(**narrowed), **certificate
        ),
    )


def _field(body: Mapping[str, Any], direction: Direction) -> FieldClass:
    usual = FieldClass.USER if direction is Direction.REQUEST else FieldClass.ASSISTANT_TEXT
    return FieldClass(body.get("field", usual))


def request_of(hypothesis: Hypothesis, snapshot: PolicySnapshot, *, now: datetime) -> EvaluationRequest:
    """Return the request of a hypothesis, in the environment of `snapshot`."""
    named = hypothesis.model is not None
    return EvaluationRequest(
        request_id="req_explained",
        tenant=snapshot.tenant,
        environment=snapshot.environment,
        subject=hypothesis.subject,
        action=hypothesis.operation,
        resource=Resource(type="model" if named else "route", id=hypothesis.model or hypothesis.operation),
        facts=hypothesis.facts,
        at=hypothesis.at or now,
    )


async def explained_by(
    rego: RegoEngines, request: EvaluationRequest, snapshot: PolicySnapshot, also: Shown | None = None
) -> Explained:
    """Return the explanation by a snapshot. Raises EvaluationFailed, OpaNotStarted, RegoRefused."""
    also = also or Shown()
    async with rego.many(snapshot) as (_, many):
        return await explain_request(
            request,
            snapshot=snapshot,
            access=CasbinAccess(snapshot),
            guards=many,
            texts=also.texts,
            credential=also.credential,
        )


def shown(explained: Explained, places: RulePlaces) -> dict[str, Any]:
    """Return the explanation as JSON, each rule with its place. A stage beside the decision may refuse as well."""
    decision = explained.decision
    beside = [stage.reason for stage in explained.stages if stage.reason is not None]
    return {
        "effect": (Effect.DENY if beside else decision.effect).value,
        "reasons": [
            {
                "code": reason.code,
                "policy": reason.policy or None,
                "rule": reason.rule or None,
                "source": places.source(reason.policy, reason.rule or reason.code),
            }
            for reason in (*beside, *decision.reasons)
        ],
        "would_have": None if decision.would_have is None else decision.would_have.value,
        "groups": list(explained.groups),
        "stages": [
            {"stage": stage.name, "verdict": stage.verdict, "said": [_said(said, places) for said in stage.said]}
            for stage in explained.stages
        ],
        "differences": [
            {
                "what": each.what,
                "to": list(each.to) if isinstance(each.to, list | tuple) else each.to,
                "effect": each.effect.value,
                "reasons": list(each.reasons),
            }
            for each in explained.differences
        ],
        "tried": explained.tried,
    }


def _said(said: Said, places: RulePlaces) -> dict[str, Any]:
    return {
        "policy": said.policy,
        "mode": said.mode.value,
        "outcome": str(said.outcome),
        "rules": [_rule(rule, places) for rule in said.rules],
        "facts": dict(said.facts or {}),
        "source": places.source(said.policy),
    }


def _rule(rule: Rule, places: RulePlaces) -> Mapping[str, Any]:
    return {"rule": rule.rule, "role": rule.role, "source": places.source(rule.policy, rule.rule)}


def _recorded(session: Session, actor: Principal, identifier: str) -> Replayable:
    if actor.role not in _MAY_READ_DECISIONS:
        raise Forbidden("not-permitted", f"The role {actor.role.value} may not read decisions.")
    as_of, index = session.decisions.size(actor.tenant), session.decision_index
    decision = index.by_request(actor.tenant, identifier, as_of=as_of) or index.by_record(
        actor.tenant, identifier, as_of=as_of
    )
    if decision is None:
        raise NotFound("decision-unknown", "No record is of that request or has that id.")
    found = read_decision(decision, tenant=actor.tenant, environment="")
    if not isinstance(found, Replayable):
        raise Conflict("not-replayable", f"It cannot be decided again: {found.cause.value}.")
    return found


def _release(
    session: Session, actor: Principal, release_id: str | None, environment: str, found: Replayable | None
) -> Release:
    if release_id is not None:
        release = session.releases.get(actor.tenant, release_id)
        if release is None:
            problem = Problem(code="release-unknown", message="There is no such release.", pointer="/release")
            raise Invalid("release-unknown", "There is no such release.", problems=(problem,))
        return release
    serial, revision = None, None
    if found is not None:
        environment, serial = str(found.envelope.get("environment")), found.envelope.get("serial")
        revision = found.envelope.get("revision")
    current = session.environments.get(actor.tenant, environment)
    if current is None:
        raise NotFound("environment-unknown", "There is no such environment.")
    at = serial if type(serial) is int else current.serial
    activation = session.activations.at_serial(actor.tenant, environment, at)
    release = None if activation is None else session.releases.get(actor.tenant, activation.release)
    if release is None or (revision is not None and release.revision != revision):
        raise NotFound("nothing-published", "What decided is not known here. Name a release.")
    return release


def _files(session: Session, release: Release) -> dict[str, bytes]:
    """Return the pinned sources that are kept, by policy and file name."""
    kept = [session.policies.revision(release.tenant, policy, revision) for policy, revision in release.policies]
    names = [each.filename for each in kept if each is not None]
    return {
        each.filename if names.count(each.filename) == 1 else f"{each.policy}/{each.filename}": each.source
        for each in kept
        if each is not None
    }
