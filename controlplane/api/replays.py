# SPDX-License-Identifier: Apache-2.0
"""/v1/replays: what a release would have decided."""

from typing import Any, Final

import marshmallow as ma
from flask import Response
from marshmallow import fields, validate

from controlplane.api.decision_filters import filter_of
from controlplane.api.endpoint import Resource
from controlplane.api.exports import ExportFilterSchema
from controlplane.api.fields import count, text
from controlplane.api.guard import caller, plane
from controlplane.api.operations import OperationSchema, begun, content_of
from controlplane.authz.permissions import Permission
from controlplane.services.operation import OperationKind
from controlplane.services.replays import RECORDED, ReplayQuestion

resource = Resource("replays", __name__, url_prefix="/v1", description="Releases over recorded decisions.")

_MOST_EXAMPLES: Final = 100
_USUAL_EXAMPLES: Final = 10


class ReplayRequestSchema(ma.Schema):
    """`against` is what the release is compared with: `recorded`, `in-force`, or the id of another release.

    `as_of` is a size of the log: only its first entries are looked at; all there are now, unless said. Of each kind of
    change the report has at most `examples` requests.
    """

    release = text(required=True)
    filters = fields.Nested(ExportFilterSchema, load_default=None)
    against = text(load_default=RECORDED)
    as_of = count(load_default=None)
    examples = fields.Integer(
        strict=True, load_default=_USUAL_EXAMPLES, validate=validate.Range(min=0, max=_MOST_EXAMPLES)
    )


@resource.endpoint(
    "POST",
    "/replays",
    permission=Permission.REPLAYS_WRITE,
    body=ReplayRequestSchema,
    gives=OperationSchema,
    status=202,
    gives_headers=("Location",),
)
def start_replay(body: dict[str, Any]) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Run a release over recorded decisions.

    Answered at once with the operation that does it; `result.href` has the report.
    """
    asked = ReplayQuestion(
        release=body["release"],
        wanted=filter_of(body["filters"] or ExportFilterSchema().load({})),
        against=body["against"],
        as_of=body["as_of"],
        examples=body["examples"],
    )
    return begun(plane().replays.start(caller(), asked))


@resource.endpoint(
    "GET",
    "/replays/<operation_id>/content",
    permission=Permission.REPLAYS_READ,
    gives=None,
)
def get_replay_content(operation_id: str) -> Response:
    """Get the report of a replay. `Repr-Digest` has its SHA-256; `Range` gets a part of it."""
    return content_of(OperationKind.REPLAY, operation_id)
