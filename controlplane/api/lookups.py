# SPDX-License-Identifier: Apache-2.0
"""/v1/hmac-lookups: was this value seen? By its keyed hash; the value is neither kept nor logged."""

from typing import Any, Final
from urllib.parse import urlencode

import marshmallow as ma
from marshmallow import fields

from controlplane.api.endpoint import Resource
from controlplane.api.fields import text
from controlplane.api.guard import caller, plane
from controlplane.authz.permissions import Permission
from controlplane.services.lookups import LookupKind
from controlplane.services.records import LoggedDecision
from controlplane.services.times import format_time

resource = Resource("hmac-lookups", __name__, url_prefix="/v1", description="Was a value seen? By its keyed hash.")

_LONGEST_VALUE: Final = 256 * 1024
_BODY_BYTES: Final = 6 * _LONGEST_VALUE + 1024


class LookupSchema(ma.Schema):
    """`kind` says what the value is: a subject (`user:NAME`), what a detector found, or a whole text."""

    value = text(required=True, longest=_LONGEST_VALUE)
    kind = fields.Enum(LookupKind, by_value=True, required=True)


class SeenAtSchema(ma.Schema):
    log_index = fields.Integer(required=True)
    request_id = fields.String(required=True)
    received_at = fields.String(required=True, metadata={"format": "date-time"})


class SeenSchema(ma.Schema):
    """`count` stops at 1,000; `is_more` then. `decisions` is the path of the list of all of them."""

    kind = fields.Enum(LookupKind, by_value=True, required=True)
    hash = fields.String(required=True)
    count = fields.Integer(required=True)
    is_more = fields.Boolean(required=True)
    first = fields.Nested(SeenAtSchema, required=True, allow_none=True)
    last = fields.Nested(SeenAtSchema, required=True, allow_none=True)
    decisions = fields.String(required=True)


@resource.endpoint(
    "POST",
    "/hmac-lookups",
    takes_key=False,
    permission=Permission.LOOKUPS_READ,
    body=LookupSchema,
    gives=SeenSchema,
    max_body_bytes=_BODY_BYTES,
)
def look_up(body: dict[str, Any]) -> dict[str, Any]:
    """Say how often a value was seen. The question is noted with the hash, never with the value."""
    seen = plane().lookups.look_up(caller(), body["kind"], body["value"])
    return {
        "kind": seen.kind,
        "hash": seen.hash,
        "count": seen.count,
        "is_more": seen.is_more,
        "first": _place(seen.first),
        "last": _place(seen.last),
        "decisions": "/v1/decisions?" + urlencode({seen.dimension: seen.hash}),
    }


def _place(decision: LoggedDecision | None) -> dict[str, Any] | None:
    record = None if decision is None else decision.admission or decision.terminal
    if decision is None or record is None:
        return None
    return {
        "log_index": decision.log_index,
        "request_id": decision.request_id,
        "received_at": format_time(record.received_at),
    }
