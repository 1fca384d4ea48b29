# SPDX-License-Identifier: Apache-2.0
"""/v1/tenants, and the making of /v1/environments."""

from typing import Any, Final

import marshmallow as ma
from marshmallow import fields, validate

from controlplane.api.endpoint import Resource
from controlplane.api.guard import caller, plane
from controlplane.authz.permissions import Permission
from controlplane.services.model import DEFAULT_ENVIRONMENT

resource = Resource("tenants", __name__, url_prefix="/v1", description="Tenants and their environments.")

# It becomes part of paths, of records and of the log's name.
_name: Final = validate.Regexp(r"\A[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?\Z")


class NewSchema(ma.Schema):
    id = fields.String(required=True, validate=_name)


class TenantSchema(ma.Schema):
    id = fields.String(required=True)


class TenantsSchema(ma.Schema):
    items = fields.List(fields.Nested(TenantSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class FirstAdminSchema(ma.Schema):
    id = fields.String(required=True)
    token = fields.String(required=True)


class NewTenantSchema(TenantSchema):
    """With the token of its first admin, shown this once."""

    environment = fields.String(required=True)
    admin = fields.Nested(FirstAdminSchema, required=True)


class NewEnvironmentSchema(ma.Schema):
    id = fields.String(required=True)
    serial = fields.Integer(required=True)
    epoch = fields.Integer(required=True)


@resource.endpoint("GET", "/tenants", permission=Permission.TENANTS_READ, gives=TenantsSchema)
def list_tenants() -> dict[str, Any]:
    """List the tenants."""
    return {"items": [{"id": tenant} for tenant in plane().tenancy.tenants(caller())], "next_cursor": None}


@resource.endpoint(
    "POST", "/tenants", permission=Permission.TENANTS_WRITE, status=201, body=NewSchema, gives=NewTenantSchema
)
def create_tenant(body: dict[str, Any]) -> dict[str, Any]:
    """Make a tenant with one environment, and show the token of its first admin, this once."""
    admin, token = plane().tenancy.create_tenant(caller(), body["id"])
    return {"id": body["id"], "environment": DEFAULT_ENVIRONMENT, "admin": {"id": admin.id, "token": token}}


@resource.endpoint(
    "POST",
    "/environments",
    permission=Permission.ENVIRONMENTS_WRITE,
    status=201,
    body=NewSchema,
    gives=NewEnvironmentSchema,
)
def create_environment(body: dict[str, Any]) -> dict[str, Any]:
    """Make an environment. Nothing is in force in it, and its rules are the defaults."""
    made = plane().tenancy.create_environment(caller(), body["id"])
    return {"id": made.id, "serial": made.serial, "epoch": made.epoch}
