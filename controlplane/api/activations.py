# SPDX-License-Identifier: Apache-2.0
"""/v1/activations and /v1/environments: what is put to work, and what each worker enforces."""

from typing import Any

import marshmallow as ma
from flask import request
from marshmallow import fields

from controlplane.api.endpoint import Resource
from controlplane.api.fields import PageQuerySchema, Time, page_schema, text
from controlplane.api.guard import caller, plane
from controlplane.api.paging import after_of, limit_of, page_of
from controlplane.authz.permissions import Permission
from controlplane.services.activations import ActivationView, EnvironmentView
from controlplane.services.preconditions import IfMatch

resource = Resource("activations", __name__, url_prefix="/v1", description="Activations, and what is enforced where.")


class NewActivationSchema(ma.Schema):
    release = text(required=True)
    environment = text(required=True)


class WorkerSchema(ma.Schema):
    node = fields.String(required=True)
    slot = fields.String(required=True)
    serial = fields.Integer(required=True)
    revision = fields.String(required=True, allow_none=True)
    enforces = fields.Boolean(required=True)
    error = fields.String(required=True, allow_none=True)


class ActivationSchema(ma.Schema):
    """`state` is pending, active, failed or superseded; `workers` are those of every live node."""

    id = fields.String(required=True, attribute="activation.id")
    environment = fields.String(required=True, attribute="activation.environment")
    serial = fields.Integer(required=True, attribute="activation.serial")
    release = fields.String(required=True, attribute="activation.release")
    revision = fields.String(required=True, attribute="activation.revision")
    state = fields.String(required=True)
    by = fields.String(required=True, attribute="activation.by")
    created_at = Time(required=True, attribute="activation.created_at")
    active_at = Time(required=True, allow_none=True, attribute="activation.active_at")
    workers = fields.List(fields.Nested(WorkerSchema), required=True)


class DesiredSchema(ma.Schema):
    activation = fields.String(required=True, attribute="activation.id")
    serial = fields.Integer(required=True, attribute="activation.serial")
    release = fields.String(required=True, attribute="activation.release")
    revision = fields.String(required=True, attribute="activation.revision")
    state = fields.String(required=True)


class EnvironmentSchema(ma.Schema):
    """`desired` is null before the first activation; `enforced` is what every worker of every live node says."""

    id = fields.String(required=True, attribute="environment.id")
    serial = fields.Integer(required=True, attribute="environment.serial")
    epoch = fields.Integer(required=True, attribute="environment.epoch")
    desired = fields.Nested(DesiredSchema, required=True, allow_none=True)
    enforced = fields.List(fields.Nested(WorkerSchema), required=True, attribute="workers")


class EnvironmentsSchema(ma.Schema):
    items = fields.List(fields.Nested(EnvironmentSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


@resource.endpoint(
    "POST",
    "/activations",
    permission=Permission.ACTIVATIONS_WRITE,
    status=201,
    body=NewActivationSchema,
    gives=ActivationSchema,
    needs_if_match=True,
    gives_headers=("Location",),
)
def activate(body: dict[str, Any]) -> tuple[ActivationView, dict[str, str]]:
    """Put a release to work. Needs If-Match with the environment's ETag. An old release again is the rollback."""
    with plane().metrics.activation():
        made = plane().activations.activate(
            caller(),
            release_id=body["release"],
            environment=body["environment"],
            if_match=IfMatch.parse(request.headers.get("If-Match")),
        )
    return made, {"Location": f"/v1/activations/{made.activation.id}"}


@resource.endpoint(
    "GET",
    "/activations",
    permission=Permission.ACTIVATIONS_READ,
    query=PageQuerySchema,
    gives=page_schema(ActivationSchema),
)
def list_activations(query: dict[str, Any]) -> dict[str, Any]:
    """List the activations, the oldest first."""
    return page_of(plane().activations.page(caller(), after=after_of(query), limit=limit_of(query)))


@resource.endpoint(
    "GET",
    "/activations/<activation_id>",
    permission=Permission.ACTIVATIONS_READ,
    gives=ActivationSchema,
)
def get_activation(activation_id: str) -> ActivationView:
    """Get one activation with the acknowledgement of each worker."""
    return plane().activations.get(caller(), activation_id)


@resource.endpoint("GET", "/environments", permission=Permission.ACTIVATIONS_READ, gives=EnvironmentsSchema)
def list_environments() -> dict[str, Any]:
    """List the environments."""
    return {"items": plane().activations.environments(caller()), "next_cursor": None}


@resource.endpoint(
    "GET",
    "/environments/<environment>",
    permission=Permission.ACTIVATIONS_READ,
    gives=EnvironmentSchema,
    gives_headers=("ETag",),
)
def get_environment(environment: str) -> tuple[EnvironmentView, dict[str, str]]:
    """Get what is desired and what is enforced. The ETag is the serial, `"0"` before the first activation."""
    found = plane().activations.environment(caller(), environment)
    return found, {"ETag": f'"{found.environment.serial}"'}
