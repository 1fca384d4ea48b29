# SPDX-License-Identifier: Apache-2.0
"""/v1/roles and /v1/role-bindings: who may use this API, and for what."""

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from controlplane.api.endpoint import Resource
from controlplane.api.fields import PageQuerySchema, Time, page_schema, text
from controlplane.api.guard import caller, plane
from controlplane.api.paging import after_of, limit_of, page_of
from controlplane.authz.permissions import Permission
from controlplane.services.model import Role
from controlplane.services.tenancy import MOST_ENVIRONMENTS

_SHOWN = ("id", "name", "role", "environments", "person", "created_at")
resource = Resource("roles", __name__, url_prefix="/v1", description="Roles, and who has them.")


class RoleSchema(ma.Schema):
    id = fields.String(required=True)
    permissions = fields.List(fields.String(), required=True)


class RolesSchema(ma.Schema):
    items = fields.List(fields.Nested(RoleSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


_environments = fields.List(
    text(),
    load_default=None,
    allow_none=True,
    validate=validate.Length(min=1, max=MOST_ENVIRONMENTS),
)


class NewRoleBindingSchema(ma.Schema):
    """`environments`: where the role counts; null for everywhere. `person`: who has it, where they have several."""

    name = text(required=True)
    role = fields.String(required=True, validate=validate.OneOf([role.value for role in Role]))
    environments = _environments
    person = text(load_default=None, allow_none=True)


class RoleBindingSchema(ma.Schema):
    id = fields.String(required=True)
    name = fields.String(required=True)
    role = fields.String(required=True)
    environments = fields.List(fields.String(), required=True, allow_none=True)
    person = fields.String(required=True, allow_none=True)
    created_at = Time(required=True)


class ShownRoleBindingSchema(RoleBindingSchema):
    """With `token`, shown this once."""

    token = fields.String(required=True)


@resource.endpoint("GET", "/roles", permission=Permission.ROLES_READ, gives=RolesSchema)
def list_roles() -> dict[str, Any]:
    """List the roles and what each may do."""
    access = plane().access
    items = [{"id": role.value, "permissions": access.permissions(role)} for role in Role]
    return {"items": items, "next_cursor": None}


@resource.endpoint(
    "GET",
    "/role-bindings",
    permission=Permission.ROLES_READ,
    query=PageQuerySchema,
    gives=page_schema(RoleBindingSchema),
)
def list_role_bindings(query: dict[str, Any]) -> dict[str, Any]:
    """List who has which role, without tokens or their hashes."""
    return page_of(plane().access.page(caller(), after=after_of(query), limit=limit_of(query)))


@resource.endpoint(
    "POST",
    "/role-bindings",
    permission=Permission.ROLES_WRITE,
    status=201,
    body=NewRoleBindingSchema,
    gives=ShownRoleBindingSchema,
)
def create_role_binding(body: dict[str, Any]) -> dict[str, Any]:
    """Add somebody with one role, everywhere or in some environments, and show their token, this once."""
    environments = body["environments"]
    made, token = plane().access.create(
        caller(),
        name=body["name"],
        role=Role(body["role"]),
        environments=None if environments is None else tuple(sorted(set(environments))),
        person=body["person"],
    )
    return {**{member: getattr(made, member) for member in _SHOWN}, "token": token}


@resource.endpoint("DELETE", "/role-bindings/<binding_id>", permission=Permission.ROLES_WRITE, status=204, gives=None)
def remove_role_binding(binding_id: str) -> None:
    """Remove somebody; their token is refused from then on. The last admin stays."""
    plane().access.remove(caller(), binding_id)
