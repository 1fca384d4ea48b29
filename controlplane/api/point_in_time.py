# SPDX-License-Identifier: Apache-2.0
"""/v1/policies:in-force: which policy governed whom at a time."""

import re
from typing import Any, Final

import marshmallow as ma
from marshmallow import fields, validate

from controlplane.api.endpoint import Resource
from controlplane.api.fields import Time, text
from controlplane.api.guard import caller, plane
from controlplane.authz.permissions import Permission
from controlplane.services.model import DEFAULT_ENVIRONMENT
from controlplane.services.point_in_time import Answered, Governing, WhoAsked
from policies.contracts.request import Subject

resource = Resource("point-in-time", __name__, url_prefix="/v1", description="What was in force, and when.")

_SUBJECT: Final = re.compile(r"(user|service):([A-Za-z0-9._@-]{1,128})", re.ASCII)


class InForceQuerySchema(ma.Schema):
    """With `subject`, what the policies of then say of it; `group` are those its token would name, and may be repeated.

    Without `action`, each is answered that a route was for.
    """

    environment = text(load_default=DEFAULT_ENVIRONMENT)
    at = Time(required=True)
    subject = fields.String(
        load_default=None, validate=validate.Regexp(_SUBJECT.pattern + r"\Z", error="Write user:NAME or service:NAME.")
    )
    group = fields.List(text(longest=128), load_default=[], validate=validate.Length(max=100))
    model = text(load_default=None, longest=512)
    action = text(load_default=None)

    @ma.validates_schema
    def _check(self, query: dict[str, Any], **_: Any) -> None:
        for name in ("model", "action", "group"):
            if query[name] and query["subject"] is None:
                raise ma.ValidationError("Say whose request it is, too: add subject.", name)


class ActivationThenSchema(ma.Schema):
    """`active_at` is when every live worker was first seen to enforce it; `until` when the next one was published."""

    id = fields.String(required=True)
    serial = fields.Integer(required=True)
    by = fields.String(required=True)
    created_at = Time(required=True)
    active_at = Time(required=True, allow_none=True)
    until = Time(required=True, allow_none=True)


class ReleaseThenSchema(ma.Schema):
    id = fields.String(required=True)
    revision = fields.String(required=True)
    author = fields.String(required=True)
    created_at = Time(required=True)
    description = fields.String(required=True)
    tests_passed = fields.Integer(required=True)


class PolicyThenSchema(ma.Schema):
    """`source_digest` is the SHA-256 of the document's source; null where its revision is no longer kept."""

    id = fields.String(required=True)
    kind = fields.String(required=True, allow_none=True)
    version = fields.String(required=True, allow_none=True)
    revision = fields.String(required=True)
    source_digest = fields.String(required=True, allow_none=True)
    author = fields.String(required=True, allow_none=True)
    created_at = Time(required=True, allow_none=True)


class ConcerningSchema(ma.Schema):
    """`outcome` is what the policy answered, where it is one that answers: null for the others."""

    policy = fields.String(required=True)
    rules = fields.List(fields.String(), required=True)
    outcome = fields.String(required=True, allow_none=True)


class AnsweredSchema(ma.Schema):
    """`not_judged` are the policies that look at the texts of such a request, and may refuse it for what it says."""

    action = fields.String(required=True)
    effect = fields.String(required=True)
    would_have = fields.String(required=True, allow_none=True)
    reasons = fields.List(fields.Dict(), required=True)
    obligations = fields.List(fields.Dict(), required=True)
    concerning = fields.List(fields.Nested(ConcerningSchema), required=True)
    not_judged = fields.List(fields.String(), required=True)


class InForceSchema(ma.Schema):
    """`enforced_by_all`: at that time every live worker had been seen to enforce it.

    `answers` are of a request of which only subject, action and model are known; guards are asked about an empty one.
    """

    environment = fields.String(required=True)
    at = Time(required=True)
    enforced_by_all = fields.Boolean(required=True)
    activation = fields.Nested(ActivationThenSchema, required=True)
    release = fields.Nested(ReleaseThenSchema, required=True)
    policies = fields.List(fields.Nested(PolicyThenSchema), required=True)
    answers = fields.List(fields.Nested(AnsweredSchema), required=True)


@resource.endpoint(
    "GET",
    "/policies:in-force",
    permission=Permission.ACTIVATIONS_READ,
    query=InForceQuerySchema,
    gives=InForceSchema,
)
def get_policies_in_force(query: dict[str, Any]) -> dict[str, Any]:
    """Say which policies were in force at a time, who put them there, and what they say of a subject."""
    found = plane().point_in_time.in_force(
        caller(), environment=query["environment"], at=query["at"], asked=_who_asked(query)
    )
    return shown(found)


def shown(found: Governing) -> dict[str, Any]:
    activation, release = found.activation, found.release
    active_at = activation.active_at
    return {
        "environment": activation.environment,
        "at": found.at,
        "enforced_by_all": active_at is not None and active_at <= found.at,
        "activation": {
            "id": activation.id,
            "serial": activation.serial,
            "by": activation.by,
            "created_at": activation.created_at,
            "active_at": active_at,
            "until": found.until,
        },
        "release": {
            "id": release.id,
            "revision": release.revision,
            "author": release.author,
            "created_at": release.created_at,
            "description": release.description,
            "tests_passed": sum(test.passed for test in release.tests),
        },
        "policies": [
            {
                "id": policy.id,
                "kind": policy.revision and policy.revision.kind,
                "version": policy.revision and policy.revision.version,
                "revision": policy.pinned,
                "source_digest": policy.source_digest,
                "author": policy.revision and policy.revision.author,
                "created_at": policy.revision and policy.revision.created_at,
            }
            for policy in found.policies
        ],
        "answers": list(map(_answer, found.answers)),
    }


def _answer(answered: Answered) -> dict[str, Any]:
    decision = answered.decision
    outcomes = {answer.policy: answer.outcome.value for engine in decision.engines for answer in engine.answers}
    return {
        "action": answered.action,
        "effect": decision.effect.value,
        "would_have": decision.would_have and decision.would_have.value,
        "reasons": [{"code": each.code, "policy": each.policy, "rule": each.rule} for each in decision.reasons],
        "obligations": [{"type": "redact", "policy": each.policy} for each in decision.obligations],
        "concerning": [
            {"policy": policy, "rules": list(rules), "outcome": outcomes.get(policy)}
            for policy, rules in sorted(answered.concerning.items())
        ],
        "not_judged": list(answered.not_judged),
    }


def _who_asked(query: dict[str, Any]) -> WhoAsked | None:
    found = _SUBJECT.fullmatch(query["subject"] or "")
    if found is None:
        return None
    subject = Subject(type=found[1], id=found[2], groups=tuple(query["group"]))
    return WhoAsked(subject=subject, model=query["model"], action=query["action"])
