# SPDX-License-Identifier: Apache-2.0
"""Which policy governed whom at a time: what was in force, who put it there, and what it says of a request.

Facts: an activation is in force from when the control plane published it; nodes enforce it within moments, and
`active_at` is when all of them were first seen to. In between some still enforced the one before: what a single request
was decided by stands in its record. What is evaluated is the snapshot as it was stored with the release, by the engines
that decide requests; of a request nothing is known but who asks for what, so that guards are asked about an empty one.
"""

import asyncio
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from controlplane.services.errors import Invalid, NotFound, Problem
from controlplane.services.model import Activation, PolicyRevision, Principal, Release
from controlplane.services.ports import Session, Store
from controlplane.services.rego_engines import OpaNotStarted, RegoEngines
from policies.contracts.decision import Decision, Effect, Reason
from policies.contracts.errors import EvaluationFailed
from policies.contracts.request import EvaluationRequest, RequestFacts, Resource, Subject
from policies.contracts.snapshot import PolicySnapshot
from policies.engines.casbin import CasbinAccess
from policies.engines.ports import GuardEngine
from policies.engines.rego_plan import RegoRefused
from policies.evaluation.concerning import concerning
from policies.evaluation.pipeline import TakeToken, decide
from policies.evaluation.text_rules import not_judged

# An auditor who names no action is told of each that a route is for; a snapshot has a dozen.
_MOST_ACTIONS: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class WhoAsked:
    """About whom and what. Without `action` each is told of that a route is for; `model` is None for those of none."""

    subject: Subject
    model: str | None
    action: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedPolicy:
    """A policy as it was in force. `revision` is None where the release pins one that is no longer kept."""

    id: str
    pinned: str
    revision: PolicyRevision | None

    @property
    def source_digest(self) -> str | None:
        return None if self.revision is None else f"sha256:{hashlib.sha256(self.revision.source).hexdigest()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What the snapshot says of an action. `concerning` has the rules that are for it, by policy.

    `not_judged` are the policies that would have looked at the texts of such a request.
    """

    action: str
    decision: Decision
    concerning: Mapping[str, tuple[str, ...]]
    not_judged: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Governing:
    """What was in force at `at`. `until` is when the next activation was made, None where there is none."""

    at: datetime
    activation: Activation
    until: datetime | None
    release: Release
    policies: tuple[PinnedPolicy, ...]
    answers: tuple[Answered, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PointInTime:
    store: Store
    rego: RegoEngines

    def in_force(self, actor: Principal, *, environment: str, at: datetime, asked: WhoAsked | None) -> Governing:
        """Return what was in force in `environment` at `at`, and what it says of `asked`.

        Raises NotFound where nothing was in force, Invalid for a snapshot that cannot be evaluated here.
        """
        with self.store.read() as session:
            found = in_force_at(session, actor.tenant, environment, at)
        if found is None:
            raise NotFound("nothing-in-force", "Nothing was in force there at that time.")
        if asked is None:
            return found
        snapshot = PolicySnapshot.from_json(json.loads(found.release.snapshot))
        answers = asyncio.run(self._answers(snapshot, asked, at))
        return Governing(
            at=at,
            activation=found.activation,
            until=found.until,
            release=found.release,
            policies=found.policies,
            answers=answers,
        )

    async def _answers(self, snapshot: PolicySnapshot, asked: WhoAsked, at: datetime) -> tuple[Answered, ...]:
        routed = sorted({route.operation for route in snapshot.routes})[:_MOST_ACTIONS]
        actions = routed if asked.action is None else [asked.action]
        try:
            async with self.rego.guard(snapshot) as guard:
                requests = [_request(snapshot, asked, action, at) for action in actions]
                return tuple([await _answer(snapshot, request, guard) for request in requests])
        except (RegoRefused, OpaNotStarted, EvaluationFailed) as exc:
            raise Invalid(
                "not-evaluable",
                "The snapshot of then cannot be evaluated by the engine of now.",
                problems=(Problem(code="not-evaluable", message=f"{exc}."),),
            ) from exc


def in_force_at(session: Session, tenant: str, environment: str, at: datetime) -> Governing | None:
    """Return what was in force, without what it says of anybody; None where nothing was."""
    activation = session.activations.in_force(tenant, environment, at)
    release = None if activation is None else session.releases.get(tenant, activation.release)
    if activation is None or release is None:
        return None
    after = session.activations.next_in_force(tenant, environment, activation.serial)
    return Governing(
        at=at,
        activation=activation,
        until=None if after is None else after.in_force_at,
        release=release,
        policies=tuple(
            PinnedPolicy(id=policy, pinned=revision, revision=session.policies.revision(tenant, policy, revision))
            for policy, revision in release.policies
        ),
        answers=(),
    )


def _request(snapshot: PolicySnapshot, asked: WhoAsked, action: str, at: datetime) -> EvaluationRequest:
    resource = Resource(type="route", id=action) if asked.model is None else Resource(type="model", id=asked.model)
    return EvaluationRequest(
        request_id="req_point_in_time",
        tenant=snapshot.tenant,
        environment=snapshot.environment,
        subject=asked.subject,
        action=action,
        resource=resource,
        facts=RequestFacts(),
        at=at,
    )


async def _answer(snapshot: PolicySnapshot, request: EvaluationRequest, guard: GuardEngine) -> Answered:
    if all(route.operation != request.action for route in snapshot.routes):
        decision = Decision(
            effect=Effect.DENY, reasons=(Reason(code="route-not-listed"),), obligations=(), revision=snapshot.revision
        )
    else:
        access = CasbinAccess(snapshot)
        decision = await decide(request, snapshot=snapshot, access=access, guard=guard, take_token=_always_there)
    return Answered(
        action=request.action,
        decision=decision,
        concerning=concerning(snapshot, request),
        not_judged=not_judged(snapshot, request).policies,
    )


async def _always_there(_token: TakeToken) -> float:
    return 0.0
