# SPDX-License-Identifier: Apache-2.0
"""/v1/policy-schemas: what policy documents look like, for editors."""

import json
from typing import Any

import marshmallow as ma
from flask import Response
from marshmallow import fields

from controlplane.api.endpoint import Resource
from controlplane.authz.permissions import Permission
from controlplane.services.errors import NotFound
from policies.document.schemas import SPECS, schema_of, schema_of_any

resource = Resource("policy-schemas", __name__, url_prefix="/v1", description="JSON Schemas of policy documents.")

_ANY = "any"


class PolicySchemaSchema(ma.Schema):
    """`id` is the `$id` of the schema at `href`."""

    kind = fields.String(required=True)
    title = fields.String(required=True)
    id = fields.String(required=True)
    href = fields.String(required=True)


class PolicySchemasSchema(ma.Schema):
    items = fields.List(fields.Nested(PolicySchemaSchema), required=True)


@resource.endpoint("GET", "/policy-schemas", permission=Permission.POLICIES_READ, gives=PolicySchemasSchema)
def list_policy_schemas() -> dict[str, Any]:
    """List the JSON Schemas of policy documents: `any`, and one for each kind."""
    return {"items": [_listed(name) for name in (_ANY, *SPECS)]}


@resource.endpoint("GET", "/policy-schemas/<kind>", permission=Permission.POLICIES_READ, gives=None)
def get_policy_schema(kind: str) -> Any:
    """Get the JSON Schema (2020-12) of the documents of a kind, `application/schema+json`."""
    if kind != _ANY and kind not in SPECS:
        raise NotFound("kind-unknown", "There is no such kind of policy.")
    return Response(json.dumps(_schema(kind)), content_type="application/schema+json")


def _schema(name: str) -> dict[str, Any]:
    return schema_of_any() if name == _ANY else schema_of(name)


def _listed(name: str) -> dict[str, str]:
    schema = _schema(name)
    return {"kind": name, "title": schema["title"], "id": schema["$id"], "href": f"/v1/policy-schemas/{name}"}
