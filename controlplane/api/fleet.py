# SPDX-License-Identifier: Apache-2.0
"""/v1/fleet and /v1/findings: who enforces what, how far behind, and what nodes found wrong about themselves."""

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from controlplane.api.endpoint import Resource
from controlplane.api.fields import PageQuerySchema, Time, page_schema, text
from controlplane.api.guard import caller, plane
from controlplane.api.paging import after_of, limit_of, page_of
from controlplane.authz.permissions import Permission
from controlplane.services.fleet_view import MemberKind
from controlplane.services.posture import FindingFilter

resource = Resource("fleet", __name__, url_prefix="/v1", description="All that enforces, at one glance.")


class MemberSchema(ma.Schema):
    """A node or a stock OPA. `serial` and `revision` are of the slowest worker, and `in_force` is of all.

    `lag_s` says for how long something else has been in force. `dropped` are decisions that an OPA says it lost,
    `missing` numbers of a node's records that never arrived. `…_behind` counts documents that were signed since the one
    that it follows. Null: it does not say, or has no such thing.
    """

    kind = fields.Enum(MemberKind, by_value=True, required=True)
    id = fields.String(required=True)
    environment = fields.String(required=True)
    version = fields.String(required=True)
    engine = fields.String(required=True)
    live = fields.Boolean(required=True)
    stale = fields.Boolean(required=True)
    reported_at = Time(required=True)
    desired_serial = fields.Integer(required=True)
    desired_revision = fields.String(required=True, allow_none=True)
    serial = fields.Integer(required=True, allow_none=True)
    revision = fields.String(required=True, allow_none=True)
    in_force = fields.Boolean(required=True)
    lag_s = fields.Integer(required=True)
    candidate_serial = fields.Integer(required=True, allow_none=True)
    problem = fields.String(required=True, allow_none=True)
    spool_depth = fields.Integer(required=True, allow_none=True)
    spool_oldest_s = fields.Integer(required=True, allow_none=True)
    dropped = fields.Integer(required=True, allow_none=True)
    missing = fields.Integer(required=True, allow_none=True)
    credentials_behind = fields.Integer(required=True, allow_none=True)
    revocations_behind = fields.Integer(required=True, allow_none=True)
    document_behind = fields.Integer(required=True, allow_none=True)
    findings = fields.List(fields.String(), required=True)


class FleetSchema(ma.Schema):
    items = fields.List(fields.Nested(MemberSchema), required=True)


class FleetQuerySchema(ma.Schema):
    environment = text(load_default=None)


class FindingSchema(ma.Schema):
    """Open while `closed_at` is null. `detail` is the code of the failure that opened it."""

    id = fields.String(required=True)
    environment = fields.String(required=True)
    node = fields.String(required=True)
    check = fields.String(required=True)
    detail = fields.String(required=True)
    opened_at = Time(required=True)
    closed_at = Time(required=True, allow_none=True)


class FindingsQuerySchema(PageQuerySchema):
    state = fields.String(load_default="all", validate=validate.OneOf(("all", "open", "closed")))
    environment = text(load_default=None)
    node = text(load_default=None)
    check = text(load_default=None)


@resource.endpoint("GET", "/fleet", permission=Permission.AGENTS_READ, query=FleetQuerySchema, gives=FleetSchema)
def show_fleet(query: dict[str, Any]) -> dict[str, Any]:
    """Show every node and stock OPA that ever reported: what it should enforce, and what it does."""
    found = plane().fleet.members(caller())
    return {"items": [each for each in found if query["environment"] in {None, each.environment}]}


@resource.endpoint(
    "GET",
    "/findings",
    permission=Permission.AGENTS_READ,
    query=FindingsQuerySchema,
    gives=page_schema(FindingSchema),
)
def list_findings(query: dict[str, Any]) -> dict[str, Any]:
    """List what nodes found wrong about themselves, the oldest first."""
    wanted = FindingFilter(
        is_open=None if query["state"] == "all" else query["state"] == "open",
        environment=query["environment"],
        node=query["node"],
        check=query["check"],
    )
    return page_of(plane().fleet.findings(caller(), wanted, after=after_of(query), limit=limit_of(query)))
