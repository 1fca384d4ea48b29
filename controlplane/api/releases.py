# SPDX-License-Identifier: Apache-2.0
"""/v1/policy-sets/{set}/releases: pinned revisions, compiled and tested as a whole."""

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from controlplane.api.endpoint import Resource
from controlplane.api.fields import PageQuerySchema, Time, ValidateOnlySchema, page_schema, text
from controlplane.api.guard import caller, plane
from controlplane.api.paging import after_of, limit_of, page_of
from controlplane.authz.permissions import Permission
from controlplane.services.model import DEFAULT_ENVIRONMENT, Release
from controlplane.services.release_warnings import warnings_of

resource = Resource("releases", __name__, url_prefix="/v1", description="Releases of the policy set.")


class NewReleaseSchema(ma.Schema):
    """`policies` pins revisions by policy id; left out, the current revision of every policy is taken.

    `untested_reason` says why rules that enforce and that no passing test tries are well as they are.
    """

    description = text(longest=2000, shortest=0, load_default="")
    environment = text(load_default=DEFAULT_ENVIRONMENT)
    untested_reason = text(longest=2000, shortest=0, load_default="")
    policies = fields.Dict(
        keys=text(),
        values=text(),
        load_default=None,
        allow_none=True,
        validate=validate.Length(min=1, max=1000),
    )


class PolicyTestSchema(ma.Schema):
    policy = fields.String(required=True)
    name = fields.String(required=True)
    passed = fields.Boolean(required=True)
    problem = fields.String(required=True)


class ReleaseWarningSchema(ma.Schema):
    code = fields.String(required=True)
    policy = fields.String(required=True)
    message = fields.String(required=True)
    pointer = fields.String(required=True)


class ReleaseSchema(ma.Schema):
    """`untested` are the enforcing rules, as POLICY/RULE, that no passing test tried; `manifest` is a compact JWS."""

    id = fields.String(required=True)
    policy_set = fields.String(required=True)
    environment = fields.String(required=True)
    revision = fields.String(required=True)
    policies = fields.Function(
        lambda release: dict(release.policies),
        required=True,
        metadata={"type": "object", "additionalProperties": {"type": "string"}},
    )
    tests = fields.List(fields.Nested(PolicyTestSchema), required=True)
    warnings = fields.Function(
        lambda release: ReleaseWarningSchema(many=True).dump(
            warnings_of(release.revision, release.snapshot, release.created_at)
        ),
        required=True,
        metadata={
            "type": "array",
            "items": {
                "type": "object",
                "required": ["code", "policy", "message", "pointer"],
                "properties": {name: {"type": "string"} for name in ("code", "policy", "message", "pointer")},
            },
        },
    )
    untested = fields.List(fields.String(), required=True)
    untested_reason = fields.String(required=True)
    promoted_from = fields.String(required=True, allow_none=True)
    manifest = fields.String(required=True)
    description = fields.String(required=True)
    author = fields.String(required=True)
    created_at = Time(required=True)


@resource.endpoint(
    "POST",
    "/policy-sets/<policy_set>/releases",
    permission=Permission.RELEASES_WRITE,
    status=201,
    body=NewReleaseSchema,
    query=ValidateOnlySchema,
    gives=ReleaseSchema,
    validates=True,
    gives_headers=("ETag", "Location"),
)
def make_release(body: dict[str, Any], query: dict[str, Any], policy_set: str) -> tuple[Release, int, dict[str, str]]:
    """Compile policies, run their tests, and keep the result. Stores nothing where one of them fails.

    With `validate_only=true` nothing is kept, and the answer (200) is the release that would have been made.
    """
    with plane().metrics.release():
        made = plane().releases.make(
            caller(),
            policy_set,
            environment=body["environment"],
            description=body["description"],
            pins=body["policies"],
            untested_reason=body["untested_reason"],
            validate_only=query["validate_only"] == "true",
        )
    headers = {"ETag": f'"{made.revision}"'}
    if query["validate_only"] == "true":
        return made, 200, headers
    return made, 201, headers | {"Location": f"/v1/policy-sets/{policy_set}/releases/{made.id}"}


@resource.endpoint(
    "GET",
    "/policy-sets/<policy_set>/releases",
    permission=Permission.RELEASES_READ,
    query=PageQuerySchema,
    gives=page_schema(ReleaseSchema),
)
def list_releases(query: dict[str, Any], policy_set: str) -> dict[str, Any]:
    """List the releases, the oldest first."""
    return page_of(plane().releases.page(caller(), policy_set, after=after_of(query), limit=limit_of(query)))


@resource.endpoint(
    "GET",
    "/policy-sets/<policy_set>/releases/<id:release_id>",
    permission=Permission.RELEASES_READ,
    gives=ReleaseSchema,
    gives_headers=("ETag",),
)
def get_release(policy_set: str, release_id: str) -> tuple[Release, dict[str, str]]:
    """Get one release."""
    found = plane().releases.get(caller(), policy_set, release_id)
    return found, {"ETag": f'"{found.revision}"'}
