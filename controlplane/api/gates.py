# SPDX-License-Identifier: Apache-2.0
"""/v1/policy-sets/{set}/releases/{release}/evidence and :promote: what it passed, and where it goes next."""

from typing import Any, Final

import marshmallow as ma
from marshmallow import fields

from controlplane.api.endpoint import Resource
from controlplane.api.fields import PageQuerySchema, Time, page_schema, text
from controlplane.api.guard import caller, plane
from controlplane.api.paging import after_of, limit_of, page_of
from controlplane.api.releases import ReleaseSchema
from controlplane.authz.permissions import Permission
from controlplane.services.gate import Gate, GateEvidence, Trials
from controlplane.services.model import Release
from policies.contracts.decision import Effect

resource = Resource("gates", __name__, url_prefix="/v1", description="What releases passed, and their promotion.")

# A report of every row of the suite is about 300 KB.
_REPORT_BYTES: Final = 4 * 1024 * 1024


class NewEvidenceSchema(ma.Schema):
    """`report` is what `gatehouse conformance --json` or `gatehouse release gate` wrote."""

    kind = fields.Enum(Gate, by_value=True, required=True)
    report = fields.Dict(keys=fields.String(), required=True)


class EvidenceSchema(ma.Schema):
    """`digest` is that of the report, `decisions` how many records of the log bear it out."""

    id = fields.String(required=True)
    release = fields.String(required=True)
    environment = fields.String(required=True)
    kind = fields.Enum(Gate, by_value=True, required=True, attribute="gate")
    by = fields.String(required=True)
    role = fields.String(required=True)
    given_at = Time(required=True)
    digest = fields.String(required=True)
    decisions = fields.Integer(required=True, attribute="decision_count")
    summary = fields.Dict(keys=fields.String(), required=True)


class TrialSchema(ma.Schema):
    policy = fields.String(required=True)
    name = fields.String(required=True)
    subject = fields.Function(
        lambda trial: f"{trial.subject.type}:{trial.subject.id}", required=True, metadata={"type": "string"}
    )
    method = fields.String(required=True)
    path = fields.String(required=True)
    body = fields.Dict(keys=fields.String(), required=True, allow_none=True)
    effect = fields.Enum(Effect, by_value=True, required=True)


class TrialsSchema(ma.Schema):
    """`unsendable` are tests that no request can stand for, as POLICY: NAME."""

    items = fields.List(fields.Nested(TrialSchema), required=True, attribute="sendable")
    unsendable = fields.List(fields.String(), required=True)


class PromotionSchema(ma.Schema):
    """`untested_reason` stands in for that of the release that is promoted."""

    environment = text(required=True)
    untested_reason = text(longest=2000, shortest=0, load_default="")


@resource.endpoint(
    "POST",
    "/policy-sets/<policy_set>/releases/<id:release_id>:promote",
    permission=Permission.RELEASES_WRITE,
    status=201,
    body=PromotionSchema,
    gives=ReleaseSchema,
    gives_headers=("ETag", "Location"),
)
def promote_release(body: dict[str, Any], policy_set: str, release_id: str) -> tuple[Release, dict[str, str]]:
    """Make a release of the same revisions for another environment."""
    with plane().metrics.release():
        made = plane().promotions.promote(caller(), policy_set, release_id, **body)
    return made, {"ETag": f'"{made.revision}"', "Location": f"/v1/policy-sets/{policy_set}/releases/{made.id}"}


@resource.endpoint(
    "GET",
    "/policy-sets/<policy_set>/releases/<release_id>/trials",
    permission=Permission.RELEASES_READ,
    gives=TrialsSchema,
)
def list_trials(policy_set: str, release_id: str) -> Trials:
    """List the requests of the gate `must-refuse`: the tests marked `canary`, or all with an expected effect."""
    return plane().gates.trials(caller(), policy_set, release_id)


@resource.endpoint(
    "POST",
    "/policy-sets/<policy_set>/releases/<release_id>/evidence",
    permission=Permission.EVIDENCE_WRITE,
    status=201,
    body=NewEvidenceSchema,
    gives=EvidenceSchema,
    max_body_bytes=_REPORT_BYTES,
)
def give_evidence(body: dict[str, Any], policy_set: str, release_id: str) -> GateEvidence:
    """Keep that a release passed a gate, once the decision log bears out the report."""
    return plane().gates.give(caller(), policy_set, release_id, gate=body["kind"], report=body["report"])


@resource.endpoint(
    "GET",
    "/policy-sets/<policy_set>/releases/<release_id>/evidence",
    permission=Permission.RELEASES_READ,
    query=PageQuerySchema,
    gives=page_schema(EvidenceSchema),
)
def list_evidence(query: dict[str, Any], policy_set: str, release_id: str) -> dict[str, Any]:
    """List what a release passed, the oldest first."""
    return page_of(plane().gates.page(caller(), policy_set, release_id, after=after_of(query), limit=limit_of(query)))
