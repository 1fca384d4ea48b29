# SPDX-License-Identifier: Apache-2.0
"""/v1/audit: what was signed of the log, and proofs of what is in it."""

from typing import Any, Final

import marshmallow as ma
from flask import Response, request
from marshmallow import fields, validate

from controlplane.api.endpoint import Resource
from controlplane.api.fields import MAX_INTEGER, Digits, PageQuerySchema, Time, page_schema
from controlplane.api.guard import caller, plane
from controlplane.api.paging import after_of, limit_of, page_of
from controlplane.audit.strict_text import to_base64
from controlplane.authz.permissions import Permission
from controlplane.services.proofs import Inclusion

resource = Resource("audit", __name__, url_prefix="/v1/audit", description="Checkpoints of the log, and proofs.")

_JSON: Final = "application/json"
_TEXT: Final = "text/plain"


def _size(**arguments: Any) -> Digits:
    return Digits(validate=validate.Range(min=0, max=MAX_INTEGER), **arguments)


class CheckpointSchema(ma.Schema):
    """`note` has the signatures of the log and of its witnesses. `signed_at` is when it was last renewed."""

    size = fields.Integer(required=True)
    root = fields.Function(lambda signed: to_base64(signed.root), required=True, metadata={"type": "string"})
    note = fields.String(required=True, attribute="text")
    first_signed_at = Time(required=True)
    signed_at = Time(required=True)


class InclusionQuerySchema(ma.Schema):
    """By `index` or by `record_id`; in the tree of `tree_size` entries, the last signed one where it is left out."""

    index = _size(load_default=None)
    record_id = fields.String(load_default=None, validate=validate.Length(min=1, max=256))
    tree_size = _size(load_default=None)


class ConsistencyQuerySchema(ma.Schema):
    """`second` is the last signed size where it is left out."""

    first = _size(required=True)
    second = _size(load_default=None)


class InclusionSchema(ma.Schema):
    """`checkpoint` is the note of `tree_size`, null where that size was not signed. The leaf's sibling is first."""

    origin = fields.String(required=True)
    leaf_index = fields.Integer(required=True)
    tree_size = fields.Integer(required=True)
    leaf_hash = fields.String(required=True)
    hashes = fields.List(fields.String(), required=True)
    checkpoint = fields.String(required=True, allow_none=True)


class ConsistencySchema(ma.Schema):
    """RFC 9162, 2.1.4: empty where `first` is 0 or `second`."""

    origin = fields.String(required=True)
    first = fields.Integer(required=True)
    second = fields.Integer(required=True)
    hashes = fields.List(fields.String(), required=True)


@resource.endpoint("GET", "/checkpoint", permission=Permission.AUDIT_READ, gives=CheckpointSchema)
def get_checkpoint() -> Any:
    """Get the last checkpoint."""
    return plane().proofs.checkpoint(caller())


@resource.endpoint(
    "GET",
    "/checkpoints",
    permission=Permission.AUDIT_READ,
    query=PageQuerySchema,
    gives=page_schema(CheckpointSchema),
)
def list_checkpoints(query: dict[str, Any]) -> dict[str, Any]:
    """List what was signed, the smallest size first; of each size the newest note."""
    after = after_of(query)
    return page_of(
        plane().proofs.checkpoints(caller(), after=None if after is None else int(after), limit=limit_of(query))
    )


@resource.endpoint(
    "GET",
    "/proofs/inclusion",
    permission=Permission.AUDIT_READ,
    query=InclusionQuerySchema,
    gives=InclusionSchema,
)
def prove_inclusion(query: dict[str, Any]) -> dict[str, Any]:
    """Prove that an entry is in the log."""
    return _shown(plane().proofs.inclusion(caller(), **query))


@resource.endpoint(
    "GET",
    "/proofs/consistency",
    permission=Permission.AUDIT_READ,
    query=ConsistencyQuerySchema,
    gives=ConsistencySchema,
)
def prove_consistency(query: dict[str, Any]) -> dict[str, Any]:
    """Prove that the log only grew between two sizes."""
    proof = plane().proofs.consistency(caller(), **query)
    return {
        "origin": proof.origin,
        "first": proof.first,
        "second": proof.second,
        "hashes": list(map(to_base64, proof.hashes)),
    }


@resource.endpoint(
    "GET",
    "/records/<record_id>/proof",
    permission=Permission.AUDIT_READ,
    gives=InclusionSchema,
)
def prove_record(record_id: str) -> Any:
    """Prove that a record is in the log; with `Accept: text/plain` as a C2SP tlog-proof, to take home."""
    proof = plane().proofs.inclusion(caller(), record_id=record_id)
    if request.accept_mimetypes.best_match([_JSON, _TEXT], default=_JSON) == _TEXT:
        return Response(proof.to_text(), content_type=f"{_TEXT}; charset=utf-8")
    return _shown(proof)


def _shown(proof: Inclusion) -> dict[str, Any]:
    return {
        "origin": proof.origin,
        "leaf_index": proof.leaf_index,
        "tree_size": proof.tree_size,
        "leaf_hash": to_base64(proof.leaf_hash),
        "hashes": list(map(to_base64, proof.hashes)),
        "checkpoint": proof.checkpoint,
    }
