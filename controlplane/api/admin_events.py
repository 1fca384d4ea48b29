# SPDX-License-Identifier: Apache-2.0
"""/v1/admin-events: who changed what in the control plane."""

from typing import Any

import marshmallow as ma
from marshmallow import fields

from controlplane.api.endpoint import Resource
from controlplane.api.fields import PageQuerySchema, Time, page_schema
from controlplane.api.guard import caller, plane
from controlplane.api.paging import after_of, limit_of, page_of
from controlplane.authz.permissions import Permission

resource = Resource("admin-events", __name__, url_prefix="/v1", description="Changes in the control plane.")


class AdminEventSchema(ma.Schema):
    """`log_index` is its entry in the log; null for up to a second, until it is there."""

    seq = fields.Integer(required=True)
    at = Time(required=True)
    principal = fields.String(required=True)
    role = fields.String(required=True)
    action = fields.String(required=True)
    target = fields.String(required=True)
    detail = fields.Dict(required=True)
    log_index = fields.Integer(required=True, allow_none=True)


@resource.endpoint(
    "GET",
    "/admin-events",
    permission=Permission.ADMIN_EVENTS_READ,
    query=PageQuerySchema,
    gives=page_schema(AdminEventSchema),
)
def list_admin_events(query: dict[str, Any]) -> dict[str, Any]:
    """List changes, the oldest first."""
    after = after_of(query)
    return page_of(
        plane().admin_events.page(caller(), after=None if after is None else int(after), limit=limit_of(query)),
    )
