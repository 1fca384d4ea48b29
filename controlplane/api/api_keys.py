# SPDX-License-Identifier: Apache-2.0
"""/v1/api-keys: what applications call the proxy with."""

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from controlplane.api.endpoint import Resource
from controlplane.api.fields import PageQuerySchema, Time, page_schema, text
from controlplane.api.guard import caller, plane
from controlplane.api.paging import after_of, limit_of, page_of
from controlplane.authz.permissions import Permission
from controlplane.services.api_keys import SUBJECT
from controlplane.services.model import DEFAULT_ENVIRONMENT, ApiKey
from policies.contracts.scope import UNSCOPED, Scope

resource = Resource("api-keys", __name__, url_prefix="/v1", description="API keys of the data plane.")


_MOST_NAMES = 64
# A month: whoever needs longer for the change of a key makes a second one.
_LONGEST_OVERLAP_S = 30 * 24 * 3600
_HOUR_S = 3600
# As `operation` and `model` of a grant in docs/spec/policy-document.md, without their wildcard.
_OPERATION = r"^[a-z]+(?:\.[a-z]+)*$"
_MODEL = r"^[A-Za-z0-9._:/-]{1,128}$"


def _names(pattern: str) -> fields.Field[Any]:
    # \Z, since $ of Python also stands before a last line end; the document has the pattern as other languages read it.
    exact = validate.Regexp(pattern.replace("$", r"\Z"))
    name = fields.String(validate=[validate.Length(max=128), exact], metadata={"pattern": pattern})
    return fields.List(name, load_default=None, allow_none=True, validate=validate.Length(min=1, max=_MOST_NAMES))


class ScopeSchema(ma.Schema):
    """What a key may be used for, at most: exact names. What is null or left out is for policy alone to say."""

    operations = _names(_OPERATION)
    models = _names(_MODEL)


class RotationSchema(ma.Schema):
    """`overlap_s`: how long the old key holds beside the new one."""

    overlap_s = fields.Integer(
        load_default=_HOUR_S, strict=True, validate=validate.Range(min=0, max=_LONGEST_OVERLAP_S)
    )


class NewApiKeySchema(ma.Schema):
    """`subject` is `user:NAME` or `service:NAME`."""

    subject = fields.String(required=True, metadata={"pattern": SUBJECT.pattern})
    environment = text(load_default=DEFAULT_ENVIRONMENT)
    expires_at = Time(load_default=None, allow_none=True)
    scope = fields.Nested(ScopeSchema, load_default=None, allow_none=True)


class ApiKeySchema(ma.Schema):
    id = fields.String(required=True)
    subject = fields.String(required=True)
    environment = fields.String(required=True)
    created_by = fields.String(required=True)
    created_at = Time(required=True)
    expires_at = Time(required=True, allow_none=True)
    revoked_at = Time(required=True, allow_none=True)
    scope = fields.Nested(ScopeSchema, required=True)
    replaced_by = fields.String(required=True, allow_none=True)


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
        scope=UNSCOPED if body["scope"] is None else Scope(**body["scope"]),
    )
    return _shown(kept, key)


@resource.endpoint(
    "POST",
    "/api-keys/<key_id>:rotate",
    permission=Permission.API_KEYS_WRITE,
    status=201,
    body=RotationSchema,
    gives=ShownApiKeySchema,
)
def rotate_api_key(body: dict[str, Any], key_id: str) -> dict[str, Any]:
    """Make a key in place of another and show it, this once; the other holds until the overlap ends."""
    kept, key = plane().api_keys.rotate(caller(), key_id, overlap_s=body["overlap_s"])
    return _shown(kept, key)


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


def _shown(kept: ApiKey, key: str) -> dict[str, Any]:
    return {
        "id": kept.id,
        "subject": kept.subject,
        "environment": kept.environment,
        "created_by": kept.created_by,
        "created_at": kept.created_at,
        "expires_at": kept.expires_at,
        "revoked_at": None,
        "scope": kept.scope,
        "replaced_by": None,
        "key": key,
    }
