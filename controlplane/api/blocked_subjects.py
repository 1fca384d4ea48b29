# SPDX-License-Identifier: Apache-2.0
"""/v1/blocked-subjects: whom no credential identifies any more."""

from typing import Any

import marshmallow as ma
from marshmallow import fields

from controlplane.api.endpoint import Resource
from controlplane.api.fields import PageQuerySchema, Time, page_schema, text
from controlplane.api.guard import caller, plane
from controlplane.api.paging import after_of, limit_of, page_of
from controlplane.authz.permissions import Permission
from controlplane.services.model import DEFAULT_ENVIRONMENT

resource = Resource(
    "blocked-subjects", __name__, url_prefix="/v1", description="Subjects whom no credential identifies any more."
)


class BlockedSubjectSchema(ma.Schema):
    subject = fields.String(required=True)
    environment = fields.String(required=True)
    blocked_by = fields.String(required=True)
    blocked_at = Time(required=True)


class EnvironmentQuerySchema(ma.Schema):
    environment = text(load_default=DEFAULT_ENVIRONMENT)


class BlockedSubjectsQuerySchema(PageQuerySchema):
    environment = text(load_default=DEFAULT_ENVIRONMENT)


@resource.endpoint(
    "PUT",
    "/blocked-subjects/<subject>",
    permission=Permission.API_KEYS_WRITE,
    query=EnvironmentQuerySchema,
    status=204,
    gives=None,
)
def block_subject(query: dict[str, Any], subject: str) -> None:
    """Refuse every key, token and certificate of a subject, everywhere within a second. Again changes nothing."""
    plane().blocked_subjects.block(caller(), environment=query["environment"], subject=subject)


@resource.endpoint(
    "DELETE",
    "/blocked-subjects/<subject>",
    permission=Permission.API_KEYS_WRITE,
    query=EnvironmentQuerySchema,
    status=204,
    gives=None,
)
def unblock_subject(query: dict[str, Any], subject: str) -> None:
    """Let a subject's credentials count again; those revoked or expired stay so."""
    plane().blocked_subjects.unblock(caller(), environment=query["environment"], subject=subject)


@resource.endpoint(
    "GET",
    "/blocked-subjects",
    permission=Permission.API_KEYS_READ,
    query=BlockedSubjectsQuerySchema,
    gives=page_schema(BlockedSubjectSchema),
)
def list_blocked_subjects(query: dict[str, Any]) -> dict[str, Any]:
    """List who is blocked."""
    page = plane().blocked_subjects.page(
        caller(), environment=query["environment"], after=after_of(query), limit=limit_of(query)
    )
    return page_of(page)
