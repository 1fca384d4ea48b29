# SPDX-License-Identifier: Apache-2.0
"""/v1/retention-policies and /v1/retention-drops: for how long the log's classes are kept, and what was dropped."""

from typing import Any, Final

import marshmallow as ma
from marshmallow import fields, validate

from controlplane.api.endpoint import Resource
from controlplane.api.fields import PageQuerySchema, Time, page_schema
from controlplane.api.guard import caller, plane
from controlplane.api.paging import after_of, limit_of, page_of
from controlplane.authz.permissions import Permission
from controlplane.services.errors import NotFound
from controlplane.services.keeping import DropState, RetentionClass

resource = Resource("retention", __name__, url_prefix="/v1", description="For how long the log's classes are kept.")

_MOST_DAYS: Final = 36_500


class NewRetentionPolicySchema(ma.Schema):
    """`days` whole days before today are kept; null keeps for good."""

    days = fields.Integer(required=True, strict=True, allow_none=True, validate=validate.Range(min=1, max=_MOST_DAYS))


class RetentionPolicySchema(ma.Schema):
    retention_class = fields.Enum(RetentionClass, by_value=True, required=True, data_key="class", attribute="of")
    days = fields.Integer(required=True, allow_none=True)
    set_by = fields.String(required=True)


class RetentionPoliciesSchema(ma.Schema):
    items = fields.List(fields.Nested(RetentionPolicySchema), required=True)


class DropSchema(ma.Schema):
    """`kept` records of the day were passed over, since a hold covers them."""

    id = fields.String(required=True)
    retention_class = fields.Enum(RetentionClass, by_value=True, required=True, data_key="class", attribute="of")
    day = fields.Date(required=True)
    first_index = fields.Integer(required=True)
    last_index = fields.Function(lambda drop: drop.end_index - 1, required=True, metadata={"type": "integer"})
    state = fields.Enum(DropState, by_value=True, required=True)
    announced_by = fields.String(required=True)
    announced_at = Time(required=True)
    finished_at = Time(required=True, allow_none=True)
    kept = fields.Integer(required=True, attribute="kept_count")


class DropsSchema(ma.Schema):
    items = fields.List(fields.Nested(DropSchema), required=True)


@resource.endpoint("GET", "/retention-policies", permission=Permission.RETENTION_READ, gives=RetentionPoliciesSchema)
def list_policies() -> dict[str, Any]:
    """List the policy of each class."""
    return {"items": plane().retention.policies(caller())}


@resource.endpoint(
    "PUT",
    "/retention-policies/<of>",
    permission=Permission.RETENTION_WRITE,
    body=NewRetentionPolicySchema,
    gives=RetentionPolicySchema,
)
def set_policy(body: dict[str, Any], of: str) -> Any:
    """Set for how long `payloads` or `records` are kept. It is applied within a day, or by `retention:apply`."""
    if of not in tuple(RetentionClass):
        raise NotFound("retention-class-unknown", "There is no such class: payloads, or records.")
    return plane().retention.set_policy(caller(), RetentionClass(of), days=body["days"])


@resource.endpoint("POST", "/retention:apply", permission=Permission.RETENTION_WRITE, gives=DropsSchema)
def apply_retention() -> dict[str, Any]:
    """Drop what is past its policy now. What is still `announced` in the answer is dropped within minutes."""
    return {"items": plane().retention.apply(caller())}


@resource.endpoint(
    "GET",
    "/retention-drops",
    permission=Permission.RETENTION_READ,
    query=PageQuerySchema,
    gives=page_schema(DropSchema),
)
def list_drops(query: dict[str, Any]) -> dict[str, Any]:
    """List the days that were dropped or are announced to be, the oldest announcement first."""
    return page_of(plane().retention.page(caller(), after=after_of(query), limit=limit_of(query)))
