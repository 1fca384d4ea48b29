# SPDX-License-Identifier: Apache-2.0
"""/v1/policy-sets/{set}/releases/{release}/approvals: whose word a release has."""

from typing import Any

import marshmallow as ma
from marshmallow import fields

from controlplane.api.endpoint import Resource
from controlplane.api.fields import PageQuerySchema, Time, page_schema, text
from controlplane.api.guard import caller, plane
from controlplane.api.paging import after_of, limit_of, page_of
from controlplane.authz.permissions import Permission
from controlplane.services.approval import JudgedApproval, Void, Word

resource = Resource("approvals", __name__, url_prefix="/v1", description="Approvals of releases.")


class NewApprovalSchema(ma.Schema):
    """`revision` and `environment` are those of the release that was looked at."""

    revision = text(required=True)
    environment = text(required=True)
    verdict = fields.Enum(Word, by_value=True, required=True)
    comment = text(longest=2000, shortest=0, load_default="")


class ApprovalSchema(ma.Schema):
    """`void` says why it does not count now: withdrawn, other-release, role-missing, own-release; null: it counts."""

    id = fields.String(required=True, attribute="approval.id")
    release = fields.String(required=True, attribute="approval.release")
    revision = fields.String(required=True, attribute="approval.revision")
    environment = fields.String(required=True, attribute="approval.environment")
    verdict = fields.Enum(Word, by_value=True, required=True, attribute="approval.verdict")
    comment = fields.String(required=True, attribute="approval.comment")
    by = fields.String(required=True, attribute="approval.by")
    role = fields.String(required=True, attribute="approval.role")
    by_activation = fields.Boolean(required=True, attribute="approval.by_activation")
    given_at = Time(required=True, attribute="approval.given_at")
    withdrawn_at = Time(required=True, allow_none=True, attribute="approval.withdrawn_at")
    void = fields.Enum(Void, by_value=True, required=True, allow_none=True)


class StandingSchema(ma.Schema):
    """By the rules of now: how many principals must approve, and whose word counts."""

    required = fields.Integer(required=True)
    approved_by = fields.List(fields.String(), required=True)
    rejected_by = fields.List(fields.String(), required=True)


class ApprovalsSchema(page_schema(ApprovalSchema)):  # type: ignore[misc]  # made at run time
    standing = fields.Nested(StandingSchema, required=True)


@resource.endpoint(
    "POST",
    "/policy-sets/<policy_set>/releases/<release_id>/approvals",
    permission=Permission.APPROVALS_WRITE,
    status=201,
    body=NewApprovalSchema,
    gives=ApprovalSchema,
)
def give_approval(body: dict[str, Any], policy_set: str, release_id: str) -> JudgedApproval:
    """Approve or reject a release, of exactly that revision for that environment."""
    return plane().approvals.give(caller(), policy_set, release_id, **body)


@resource.endpoint(
    "GET",
    "/policy-sets/<policy_set>/releases/<release_id>/approvals",
    permission=Permission.RELEASES_READ,
    query=PageQuerySchema,
    gives=ApprovalsSchema,
)
def list_approvals(query: dict[str, Any], policy_set: str, release_id: str) -> dict[str, Any]:
    """List the approvals and rejections of a release, the oldest first, and how it stands by them."""
    standing, page = plane().approvals.page(
        caller(), policy_set, release_id, after=after_of(query), limit=limit_of(query)
    )
    return page_of(page) | {"standing": standing}


@resource.endpoint(
    "POST",
    "/policy-sets/<policy_set>/releases/<release_id>/approvals/<approval_id>:withdraw",
    permission=Permission.APPROVALS_WRITE,
    gives=ApprovalSchema,
)
def withdraw_approval(policy_set: str, release_id: str, approval_id: str) -> JudgedApproval:
    """Withdraw the caller's own approval or rejection; it stays on record and counts no more."""
    return plane().approvals.withdraw(caller(), policy_set, release_id, approval_id)
