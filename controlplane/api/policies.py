# SPDX-License-Identifier: Apache-2.0
"""/v1/policies: the working set of policy documents."""

from typing import Any

import marshmallow as ma
from flask import request
from marshmallow import fields, validate

from controlplane.api.endpoint import SOURCE_BODY_BYTES, Resource
from controlplane.api.fields import PageQuerySchema, ProblemItemSchema, Time, page_schema, text
from controlplane.api.guard import caller, plane
from controlplane.api.paging import after_of, limit_of, page_of
from controlplane.api.problems import problem_item
from controlplane.authz.permissions import Permission
from controlplane.services.documents import Judged
from controlplane.services.model import Policy, PolicyRevision
from controlplane.services.preconditions import IfMatch

resource = Resource("policies", __name__, url_prefix="/v1", description="Policies, and their immutable revisions.")

_MAX_DOCUMENTS = 200


class PolicySourceSchema(ma.Schema):
    """`source` is the document's text, YAML or JSON."""

    source = text(longest=1024 * 1024, required=True)
    filename = text(load_default=None, allow_none=True)


class NewPolicySchema(PolicySourceSchema):
    """`id`, where given, must be the document's."""

    id = text(load_default=None, allow_none=True)


class PolicySchema(ma.Schema):
    id = fields.String(required=True)
    kind = fields.String(required=True)
    version = fields.String(required=True)
    revision = fields.String(required=True)
    filename = fields.String(required=True)
    author = fields.String(required=True)
    created_at = Time(required=True)
    updated_at = Time(required=True)


class PolicyWithSourceSchema(PolicySchema):
    source = fields.String(required=True)


class PolicyRevisionSchema(ma.Schema):
    id = fields.String(required=True, attribute="policy")
    kind = fields.String(required=True)
    version = fields.String(required=True)
    revision = fields.String(required=True)
    filename = fields.String(required=True)
    author = fields.String(required=True)
    created_at = Time(required=True)


class PolicyRevisionWithSourceSchema(PolicyRevisionSchema):
    source = fields.Function(lambda revision: revision.source.decode(), required=True, metadata={"type": "string"})


class DocumentSchema(ma.Schema):
    filename = text(required=True)
    source = text(longest=1024 * 1024, shortest=0, required=True)


class DocumentsSchema(ma.Schema):
    documents = fields.List(
        fields.Nested(DocumentSchema),
        required=True,
        validate=validate.Length(min=1, max=_MAX_DOCUMENTS),
    )

    @ma.validates_schema
    def names_differ(self, given: dict[str, Any], **_: Any) -> None:
        names = [document["filename"] for document in given["documents"]]
        if len(set(names)) != len(names):
            raise ma.ValidationError("Two documents have one file name.", "documents")


class ValidationSchema(ma.Schema):
    valid = fields.Boolean(required=True)
    diagnostics = fields.List(fields.Nested(ProblemItemSchema), required=True)
    warnings = fields.List(fields.Nested(ProblemItemSchema), required=True)


@resource.endpoint(
    "POST",
    "/policies",
    permission=Permission.POLICIES_WRITE,
    status=201,
    body=NewPolicySchema,
    gives=PolicyRevisionSchema,
    gives_headers=("ETag", "Location"),
    max_body_bytes=SOURCE_BODY_BYTES,
)
def create_policy(body: dict[str, Any]) -> tuple[PolicyRevision, dict[str, str]]:
    """Put a policy into the working set."""
    made = plane().policies.create(
        caller(),
        source=body["source"],
        policy_id=body["id"],
        filename=body["filename"],
    )
    return made, _etag(made.revision) | {"Location": f"/v1/policies/{made.policy}"}


@resource.endpoint(
    "GET",
    "/policies",
    permission=Permission.POLICIES_READ,
    query=PageQuerySchema,
    gives=page_schema(PolicySchema),
)
def list_policies(query: dict[str, Any]) -> dict[str, Any]:
    """List the working set, by id."""
    return page_of(plane().policies.page(caller(), after=after_of(query), limit=limit_of(query)))


@resource.endpoint(
    "GET",
    "/policies/<policy_id>",
    permission=Permission.POLICIES_READ,
    gives=PolicyWithSourceSchema,
    gives_headers=("ETag",),
)
def get_policy(policy_id: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Get a policy at its current revision, which is its ETag."""
    policy, revision = plane().policies.current(caller(), policy_id)
    return _with_source(policy, revision), _etag(policy.revision)


@resource.endpoint(
    "DELETE",
    "/policies/<policy_id>",
    permission=Permission.POLICIES_WRITE,
    status=204,
    gives=None,
    needs_if_match=True,
)
def remove_policy(policy_id: str) -> None:
    """Take a policy out of the working set. Needs If-Match; revisions and releases stay."""
    if_match = IfMatch.parse(request.headers.get("If-Match"))
    plane().policies.remove(caller(), policy_id, if_match=if_match)


@resource.endpoint(
    "POST",
    "/policies/<policy_id>/revisions",
    permission=Permission.POLICIES_WRITE,
    status=201,
    body=PolicySourceSchema,
    gives=PolicyRevisionSchema,
    needs_if_match=True,
    gives_headers=("ETag", "Location"),
    max_body_bytes=SOURCE_BODY_BYTES,
)
def revise_policy(body: dict[str, Any], policy_id: str) -> tuple[PolicyRevision, dict[str, str]]:
    """Make a new current revision. Needs If-Match with the revision it starts from."""
    made = plane().policies.revise(
        caller(),
        policy_id,
        source=body["source"],
        filename=body["filename"],
        if_match=IfMatch.parse(request.headers.get("If-Match")),
    )
    return made, _etag(made.revision) | {"Location": f"/v1/policies/{made.policy}/revisions/{made.revision}"}


@resource.endpoint(
    "GET",
    "/policies/<policy_id>/revisions",
    permission=Permission.POLICIES_READ,
    query=PageQuerySchema,
    gives=page_schema(PolicyRevisionSchema),
)
def list_revisions(query: dict[str, Any], policy_id: str) -> dict[str, Any]:
    """List every revision a policy ever had, by digest."""
    return page_of(plane().policies.revisions(caller(), policy_id, after=after_of(query), limit=limit_of(query)))


@resource.endpoint(
    "GET",
    "/policies/<policy_id>/revisions/<revision:revision>",
    permission=Permission.POLICIES_READ,
    gives=PolicyRevisionWithSourceSchema,
    gives_headers=("ETag",),
)
def get_revision(policy_id: str, revision: str) -> tuple[PolicyRevision, dict[str, str]]:
    """Get one revision with its source."""
    found = plane().policies.revision(caller(), policy_id, revision)
    return found, _etag(found.revision)


@resource.endpoint(
    "POST",
    "/policies/<policy_id>/revisions/<revision:revision>:validate",
    takes_key=False,
    permission=Permission.POLICIES_VALIDATE,
    gives=ValidationSchema,
)
def validate_revision(policy_id: str, revision: str) -> dict[str, Any]:
    """Check one revision by itself, as the documents of today are checked."""
    found = plane().policies.revision(caller(), policy_id, revision)
    return _validation(plane().policies.judge({found.filename: found.source}))


@resource.endpoint(
    "POST",
    "/policies:validate",
    takes_key=False,
    permission=Permission.POLICIES_VALIDATE,
    body=DocumentsSchema,
    gives=ValidationSchema,
    max_body_bytes=4 * SOURCE_BODY_BYTES,
)
def validate_documents(body: dict[str, Any]) -> dict[str, Any]:
    """Check documents, each by itself. Stores nothing; gives every diagnostic at once, else the lints."""
    files = files_of(body)
    return _validation(plane().policies.judge(files))


def files_of(body: dict[str, Any]) -> dict[str, bytes]:
    """Return the documents of a body, by file name."""
    return {item["filename"]: item["source"].encode() for item in body["documents"]}


def _validation(judged: Judged) -> dict[str, Any]:
    return {
        "valid": not judged.problems,
        "diagnostics": list(map(problem_item, judged.problems)),
        "warnings": list(map(problem_item, judged.warnings)),
    }


def _with_source(policy: Policy, revision: PolicyRevision) -> dict[str, Any]:
    return {
        "id": policy.id,
        "kind": policy.kind,
        "version": policy.version,
        "revision": policy.revision,
        "filename": policy.filename,
        "author": policy.author,
        "created_at": policy.created_at,
        "updated_at": policy.updated_at,
        "source": revision.source.decode(),
    }


def _etag(revision: str) -> dict[str, str]:
    return {"ETag": f'"{revision}"'}
