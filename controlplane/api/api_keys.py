# SPDX-License-Identifier: Apache-2.0
"""/v1/api-keys: what applications call the proxy with."""

from typing import Any

import marshmallow as ma
from marshmallow import fields

from controlplane.api.endpoint import Resource
from controlplane.api.fields import PageQuerySchema, Time, page_schema, text
from controlplane.api.guard import caller, plane
from controlplane.api.paging import after_of, limit_of, page_of
from controlplane.authz.permissions import Permission
from controlplane.services.api_keys import SUBJECT
from controlplane.services.model import DEFAULT_ENVIRONMENT

resource = Resource("api-keys", __name__, url_prefix="/v1", description="API keys of the data plane.")


class NewApiKeySchema(ma.Schema):
    """`subject` is `user:NAME` or `service:NAME`."""

    subject = fields.String(required=True, metadata={"pattern": SUBJECT.pattern})
    environment = text(load_default=DEFAULT_ENVIRONMENT)
    expires_at = Time(load_default=None, allow_none=True)


class ApiKeySchema(ma.Schema):
    id = fields.String(required=True)
    subject = fields.String(required=True)
    environment = fields.String(required=True)
    created_by = fields.String(required=True)
    created_at = Time(required=True)
    expires_at = Time(required=True, allow_none=True)
    revoked_at = Time(required=True, allow_none=True)


class ShownApiKeySchema(ApiKeySchema):
    """With `key`, shown this once."""

    key = fields.String(required=True)


@resource.endpoint(
    "POST",
    "/api-keys",
    permission=Permission.API_KEYS_WRITE,
    status=201,
    body=NewApiKeySchema,
    gives=ShownApiKeySchema,
)
def create_api_key(body: dict[str, Any]) -> dict[str, Any]:
    """Make a key and show it, this once."""
    kept, key = plane().api_keys.create(
        caller(),
        subject=body["subject"],
        environment=body["environment"],
        expires_at=body["expires_at"],
    )
    return {
        "id": kept.id,
        "subject": kept.subject,
        "environment": kept.environment,
        "created_by": kept.created_by,
        "created_at": kept.created_at,
        "expires_at": kept.expires_at,
        "revoked_at": None,
        "key": key,
    }


@resource.endpoint(
    "GET",
    "/api-keys",
    permission=Permission.API_KEYS_READ,
    query=PageQuerySchema,
    gives=page_schema(ApiKeySchema),
)
def list_api_keys(query: dict[str, Any]) -> dict[str, Any]:
    """List the keys, without secrets or their hashes."""
    return page_of(plane().api_keys.page(caller(), after=after_of(query), limit=limit_of(query)))


@resource.endpoint("DELETE", "/api-keys/<key_id>", permission=Permission.API_KEYS_WRITE, status=204, gives=None)
def revoke_api_key(key_id: str) -> None:
    """Revoke a key; every proxy refuses it within a second. Revoking it again changes nothing."""
    plane().api_keys.revoke(caller(), key_id)
