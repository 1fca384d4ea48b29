# SPDX-License-Identifier: Apache-2.0
"""/v1/operations: long jobs, how far they are and what came of them."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import marshmallow as ma
from flask import Response, request, url_for
from marshmallow import fields

from controlplane.api.endpoint import Resource
from controlplane.api.fields import PageQuerySchema, ProblemSchema, Time, page_schema
from controlplane.api.guard import caller, plane, request_id
from controlplane.api.paging import after_of, limit_of, page_of
from controlplane.api.problems import problem_document
from controlplane.authz.permissions import Permission
from controlplane.services.model import Page
from controlplane.services.operation import Operation, OperationKind, OperationState

resource = Resource(
    "operations", __name__, url_prefix="/v1", description="Long jobs: exports, evidence packs and replays."
)

_PIECE_BYTES: Final = 256 * 1024
_COLLECTIONS: Final = {
    OperationKind.EXPORT: "exports",
    OperationKind.EVIDENCE_PACK: "evidence-packs",
    OperationKind.REPLAY: "replays",
}


class ProgressSchema(ma.Schema):
    """`done` of `total` entries of the log were looked at; `rows` were written."""

    done = fields.Integer(required=True)
    total = fields.Integer(required=True)
    rows = fields.Integer(required=True)


class ResultSchema(ma.Schema):
    """`href` gives the bytes; `digest` is the SHA-256 of all of them."""

    href = fields.String(required=True)
    filename = fields.String(required=True)
    media_type = fields.String(required=True)
    size_bytes = fields.Integer(required=True)
    digest = fields.String(required=True)


class OperationSchema(ma.Schema):
    """`error` is why it failed, as problem details; `result` is there once it succeeded, until `expires_at`."""

    id = fields.String(required=True)
    kind = fields.String(required=True, metadata={"enum": [kind.value for kind in OperationKind]})
    state = fields.String(required=True, metadata={"enum": [state.value for state in OperationState]})
    request = fields.Dict(required=True)
    created_by = fields.String(required=True)
    created_at = Time(required=True)
    started_at = Time(required=True, allow_none=True)
    ended_at = Time(required=True, allow_none=True)
    expires_at = Time(required=True, allow_none=True)
    cancel_requested = fields.Boolean(required=True)
    progress = fields.Nested(ProgressSchema, required=True)
    result = fields.Nested(ResultSchema, required=True, allow_none=True)
    error = fields.Nested(ProblemSchema, required=True, allow_none=True)


@resource.endpoint(
    "GET",
    "/operations",
    permission=Permission.OPERATIONS_READ,
    query=PageQuerySchema,
    gives=page_schema(OperationSchema),
)
def list_operations(query: dict[str, Any]) -> dict[str, Any]:
    """List operations, the oldest first: the caller's own, to an auditor everybody's."""
    page = plane().operations.page(caller(), after=after_of(query), limit=limit_of(query))
    return page_of(Page(items=tuple(map(shown, page.items)), next_key=page.next_key))


@resource.endpoint(
    "GET",
    "/operations/<operation_id>",
    permission=Permission.OPERATIONS_READ,
    gives=OperationSchema,
)
def get_operation(operation_id: str) -> dict[str, Any]:
    """Get an operation: how far it is, or what came of it."""
    return shown(plane().operations.get(caller(), operation_id))


@resource.endpoint(
    "POST",
    "/operations/<operation_id>:cancel",
    permission=Permission.OPERATIONS_WRITE,
    gives=OperationSchema,
)
def cancel_operation(operation_id: str) -> dict[str, Any]:
    """Cancel an operation. One that runs ends within moments; one that has ended stays as it is."""
    return shown(plane().operations.cancel(caller(), operation_id))


def begun(operation: Operation) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Return the answer to whoever asked for a job: 202, the job, and where to follow it."""
    location = url_for("operations.get_operation", operation_id=operation.id)
    return shown(operation), 202, {"Location": location}


def shown(operation: Operation) -> dict[str, Any]:
    progress, result, failure = operation.progress, operation.result, operation.failure
    has_result = result is not None and operation.state is OperationState.SUCCEEDED
    return {
        "id": operation.id,
        "kind": operation.kind.value,
        "state": operation.state.value,
        "request": dict(operation.question),
        "created_by": operation.created_by,
        "created_at": operation.created_at,
        "started_at": operation.started_at,
        "ended_at": operation.ended_at,
        "expires_at": operation.expires_at if has_result else None,
        "cancel_requested": operation.cancel_requested,
        "progress": {"done": progress.done, "total": progress.total, "rows": progress.rows},
        "result": None
        if result is None or not has_result
        else {
            "href": f"/v1/{_COLLECTIONS[operation.kind]}/{operation.id}/content",
            "filename": result.filename,
            "media_type": result.media_type,
            "size_bytes": result.size_bytes,
            "digest": result.digest,
        },
        "error": None
        if failure is None
        else problem_document(
            status=500 if failure.code == "internal-error" else 409,
            code=failure.code,
            detail=failure.detail,
            instance=f"/v1/operations/{operation.id}",
            request_id=request_id(),
        ),
    }


def content_of(kind: OperationKind, operation_id: str) -> Response:
    """Return the result of a job, streamed: whole, or the part that `Range` asks for."""
    result, path = plane().operations.fetch(caller(), kind, operation_id)
    digest = bytes.fromhex(result.digest.removeprefix("sha256:"))
    answer = Response(_pieces(path), content_type=result.media_type)
    answer.content_length = result.size_bytes
    answer.set_etag(digest.hex())
    answer.headers["Content-Disposition"] = f'attachment; filename="{result.filename}"'
    answer.headers["Repr-Digest"] = f"sha-256=:{base64.b64encode(digest).decode()}:"
    answer.make_conditional(request, accept_ranges=True, complete_length=result.size_bytes)
    return answer


def _pieces(path: Path) -> Iterator[bytes]:
    # A generator, which closes its file also where the server that sends it forgets to.
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            yield piece
