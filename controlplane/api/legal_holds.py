# SPDX-License-Identifier: Apache-2.0
"""/v1/legal-holds: what is neither erased nor dropped while a hold stands."""

from typing import Any, Final

import marshmallow as ma
from marshmallow import fields, validate

from controlplane.api.endpoint import Resource
from controlplane.api.fields import PageQuerySchema, Time, page_schema, text
from controlplane.api.guard import caller, plane
from controlplane.api.paging import after_of, limit_of, page_of
from controlplane.authz.permissions import Permission
from controlplane.services.legal_holds import HoldScope

resource = Resource(
    "legal-holds", __name__, url_prefix="/v1", description="What is neither erased nor dropped while a hold stands."
)

_MOST_REQUESTS: Final = 100


class NewLegalHoldSchema(ma.Schema):
    """What to hold, by one member or more, which then all hold. `to` is exclusive."""

    reason = text(required=True, longest=1024)
    since = Time(data_key="from", load_default=None, allow_none=True)
    until = Time(data_key="to", load_default=None, allow_none=True)
    subject = text(load_default=None, allow_none=True)
    request_ids = fields.List(text(), load_default=[], validate=validate.Length(max=_MOST_REQUESTS))
    policy = text(load_default=None, allow_none=True)


class LegalHoldSchema(ma.Schema):
    """`subject` is a pseudonym."""

    id = fields.String(required=True)
    reason = fields.String(required=True)
    since = Time(data_key="from", required=True, allow_none=True)
    until = Time(data_key="to", required=True, allow_none=True)
    subject = fields.String(required=True, allow_none=True)
    request_ids = fields.List(fields.String(), required=True)
    policy = fields.String(required=True, allow_none=True)
    placed_by = fields.String(required=True)
    placed_at = Time(required=True)
    released_by = fields.String(required=True, allow_none=True)
    released_at = Time(required=True, allow_none=True)


@resource.endpoint(
    "POST",
    "/legal-holds",
    permission=Permission.HOLDS_WRITE,
    body=NewLegalHoldSchema,
    status=201,
    gives=LegalHoldSchema,
    gives_headers=("Location",),
)
def place_hold(body: dict[str, Any]) -> tuple[Any, int, dict[str, str]]:
    """Place a hold: from now on nothing that it covers is erased or dropped."""
    scope = HoldScope(
        since=body["since"],
        until=body["until"],
        subject=body["subject"],
        request_ids=tuple(body["request_ids"]),
        policy=body["policy"],
    )
    hold = plane().legal_holds.place(caller(), scope, reason=body["reason"])
    return hold, 201, {"Location": f"/v1/legal-holds/{hold.id}"}


@resource.endpoint("POST", "/legal-holds/<hold_id>:release", permission=Permission.HOLDS_RELEASE, gives=LegalHoldSchema)
def release_hold(hold_id: str) -> Any:
    """Release a hold that somebody else placed."""
    return plane().legal_holds.release(caller(), hold_id)


@resource.endpoint("GET", "/legal-holds/<hold_id>", permission=Permission.HOLDS_READ, gives=LegalHoldSchema)
def get_hold(hold_id: str) -> Any:
    """Get a hold."""
    return plane().legal_holds.get(caller(), hold_id)


@resource.endpoint(
    "GET",
    "/legal-holds",
    permission=Permission.HOLDS_READ,
    query=PageQuerySchema,
    gives=page_schema(LegalHoldSchema),
)
def list_holds(query: dict[str, Any]) -> dict[str, Any]:
    """List holds, those that were released too, the oldest first."""
    return page_of(plane().legal_holds.page(caller(), after=after_of(query), limit=limit_of(query)))
