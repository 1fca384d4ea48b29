# SPDX-License-Identifier: Apache-2.0
"""/v1/decisions/{id}/content: the texts that policy had kept, for whoever says why they need them."""

from typing import Any

import marshmallow as ma
from marshmallow import fields

from controlplane.api.endpoint import Resource
from controlplane.api.fields import text
from controlplane.api.guard import caller, plane
from controlplane.authz.permissions import Permission

resource = Resource("content", __name__, url_prefix="/v1", description="The texts that policy had kept.")


class ReasonQuerySchema(ma.Schema):
    """`reason` is kept in the log for good: name the case, not the text."""

    reason = text(required=True, shortest=8, longest=512)


class KeptTextSchema(ma.Schema):
    path = fields.String(required=True)
    text = fields.String(required=True)


class KeptTextsSchema(ma.Schema):
    texts = fields.List(fields.Nested(KeptTextSchema), required=True)
    truncated = fields.Boolean(required=True)


class ContentSchema(ma.Schema):
    """`prompt` as it was forwarded, `answer` as it was delivered, each after redaction; null where not kept."""

    request_id = fields.String(required=True)
    prompt = fields.Nested(KeptTextsSchema, required=True, allow_none=True)
    answer = fields.Nested(KeptTextsSchema, required=True, allow_none=True)


@resource.endpoint(
    "GET",
    "/decisions/<identifier>/content",
    permission=Permission.CONTENT_READ,
    query=ReasonQuerySchema,
    gives=ContentSchema,
)
def read_content(query: dict[str, Any], identifier: str) -> Any:
    """Read the content of a decision. The read is noted in the log, with its reason, before the answer leaves."""
    return plane().content.read(caller(), identifier, reason=query["reason"])
