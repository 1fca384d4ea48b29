# SPDX-License-Identifier: Apache-2.0
"""/v1/revoked-tokens and /v1/environments/{environment}/revocations: what is refused, and who refuses it by now."""

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from controlplane.api.endpoint import Resource
from controlplane.api.fields import PageQuerySchema, Time, page_schema, text
from controlplane.api.guard import caller, plane
from controlplane.api.paging import after_of, limit_of, page_of
from controlplane.authz.permissions import Permission
from controlplane.services.api_keys import SUBJECT
from controlplane.services.model import DEFAULT_ENVIRONMENT
from controlplane.services.revocation import RevokedToken
from controlplane.services.revocations import RevocationsView

resource = Resource("revocations", __name__, url_prefix="/v1", description="Tokens that are refused, and by whom.")

_DIGEST = "^[0-9a-f]{64}$"


class NewRevokedTokenSchema(ma.Schema):
    """One of three: `issuer` and `jti`; `sha256`, of the token without its signature, or of a certificate; `subject`
    and `issued_before`, which revokes the subject's API keys made before that as well.
    """

    environment = text(load_default=DEFAULT_ENVIRONMENT)
    issuer = text(load_default=None, allow_none=True, longest=1024)
    jti = text(load_default=None, allow_none=True, longest=1024)
    sha256 = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.Regexp(r"\A[0-9a-f]{64}\Z"),
        metadata={"pattern": _DIGEST},
    )
    subject = fields.String(load_default=None, allow_none=True, metadata={"pattern": SUBJECT.pattern})
    issued_before = Time(load_default=None, allow_none=True)
    expires_at = Time(load_default=None, allow_none=True)
    reason = text(load_default="", shortest=0, longest=1000)


class RevokedTokenSchema(ma.Schema):
    id = fields.String(required=True)
    environment = fields.String(required=True)
    issuer = fields.String(required=True, allow_none=True)
    jti = fields.String(required=True, allow_none=True)
    sha256 = fields.String(required=True, allow_none=True)
    subject = fields.String(required=True, allow_none=True)
    issued_before = Time(required=True, allow_none=True)
    expires_at = Time(required=True, allow_none=True)
    reason = fields.String(required=True)
    revoked_by = fields.String(required=True)
    revoked_at = Time(required=True)


class RevokedTokensQuerySchema(PageQuerySchema):
    environment = text(load_default=DEFAULT_ENVIRONMENT)


class WorkerRevocationsSchema(ma.Schema):
    """`epoch` null: the worker's node follows no revocations."""

    node = fields.String(required=True)
    slot = fields.String(required=True)
    epoch = fields.Integer(required=True, allow_none=True)
    enforces = fields.Boolean(required=True)


class RevocationsSchema(ma.Schema):
    """`enforced`: every worker of every live node refuses what the document of `epoch` names."""

    environment = fields.String(required=True)
    epoch = fields.Integer(required=True)
    document_bytes = fields.Integer(required=True)
    keys = fields.Integer(required=True)
    subjects = fields.Integer(required=True)
    tokens = fields.Integer(required=True)
    enforced = fields.Boolean(required=True)
    workers = fields.List(fields.Nested(WorkerRevocationsSchema), required=True)


@resource.endpoint(
    "POST",
    "/revoked-tokens",
    permission=Permission.API_KEYS_WRITE,
    status=201,
    body=NewRevokedTokenSchema,
    gives=RevokedTokenSchema,
)
def revoke_token(body: dict[str, Any]) -> RevokedToken:
    """Refuse a token, or all that a subject was given before a time, everywhere within a second."""
    return plane().revocations.revoke(caller(), **body)


@resource.endpoint(
    "GET",
    "/revoked-tokens",
    permission=Permission.API_KEYS_READ,
    query=RevokedTokensQuerySchema,
    gives=page_schema(RevokedTokenSchema),
)
def list_revoked_tokens(query: dict[str, Any]) -> dict[str, Any]:
    """List the tokens that are revoked."""
    page = plane().revocations.page(
        caller(), environment=query["environment"], after=after_of(query), limit=limit_of(query)
    )
    return page_of(page)


@resource.endpoint(
    "DELETE", "/revoked-tokens/<revocation_id>", permission=Permission.API_KEYS_WRITE, status=204, gives=None
)
def take_back_revocation(revocation_id: str) -> None:
    """Take a revocation back. API keys that it revoked stay so."""
    plane().revocations.take_back(caller(), revocation_id)


@resource.endpoint(
    "GET",
    "/environments/<environment>/revocations",
    permission=Permission.API_KEYS_READ,
    gives=RevocationsSchema,
)
def get_revocations(environment: str) -> RevocationsView:
    """Get what is revoked in numbers, and which epoch of it each worker enforces."""
    return plane().revocations.view(caller(), environment)
