# SPDX-License-Identifier: Apache-2.0
"""/v1/decisions: what was decided, one item for each request."""

import json
from typing import Any, Final
from urllib.parse import quote

import marshmallow as ma
from marshmallow import fields, validate

from controlplane.api.decision_filters import FilterSchema, filter_of
from controlplane.api.decision_items import item_of
from controlplane.api.endpoint import Resource
from controlplane.api.fields import MAX_INTEGER, Digits, PageQuerySchema, Time, page_schema
from controlplane.api.guard import caller, plane
from controlplane.api.paging import after_of, limit_of, page_of
from controlplane.authz.permissions import Permission
from controlplane.services.model import Page
from controlplane.services.payload_state import PayloadState

resource = Resource("decisions", __name__, url_prefix="/v1", description="The decision log.")


# Of an answer: an auditor's client must be able to hold any page.
_MOST_BYTES: Final = 1024 * 1024


class DecisionQuerySchema(FilterSchema, PageQuerySchema):  # type: ignore[misc,valid-type]  # made from the dimensions
    """A repeated filter means either; different filters all hold. `order` is `asc` (the log's, default) or `desc`.

    `as_of` is a size of the log: with it, the same question has the same answer for ever.
    """

    order = fields.String(load_default="asc", validate=validate.OneOf(["asc", "desc"]))
    as_of = Digits(load_default=None, validate=validate.Range(min=0, max=MAX_INTEGER))


class LogIndexesSchema(ma.Schema):
    admission = fields.Integer(required=True, allow_none=True)
    terminal = fields.Integer(required=True, allow_none=True)


class JudgedBesideSchema(ma.Schema):
    """What a candidate would have made of the request; `differs` from what was made of it."""

    serial = fields.Integer(required=True)
    revision = fields.String(required=True)
    effect = fields.String(required=True, validate=validate.OneOf(["allow", "deny", "error"]))
    reasons = fields.List(fields.String(), required=True)
    differs = fields.Boolean(required=True)


class DecisionSchema(ma.Schema):
    """`subject` is null where nobody was identified or the payload was erased; `pseudonym` stays.

    `candidate` is null where no candidate judged the request beside.
    """

    request_id = fields.String(required=True)
    record_id = fields.String(required=True)
    log_index = fields.Integer(required=True)
    log_indexes = fields.Nested(LogIndexesSchema, required=True)
    complete = fields.Boolean(required=True)
    environment = fields.String(required=True)
    time = fields.String(required=True, metadata={"format": "date-time"})
    subject = fields.String(required=True, allow_none=True)
    pseudonym = fields.String(required=True, allow_none=True)
    action = fields.String(required=True, allow_none=True)
    model = fields.String(required=True, allow_none=True)
    status = fields.Integer(required=True, allow_none=True)
    outcome = fields.String(required=True)
    verdict = fields.String(required=True, allow_none=True)
    reasons = fields.List(fields.Dict(), required=True)
    would_have = fields.String(required=True, allow_none=True)
    revision = fields.String(required=True, allow_none=True)
    serial = fields.Integer(required=True, allow_none=True)
    candidate = fields.Nested(JudgedBesideSchema, required=True, allow_none=True)
    findings = fields.List(fields.Dict(), required=True)
    payload = fields.Enum(PayloadState, by_value=True, required=True)


class LoggedRecordSchema(ma.Schema):
    log_index = fields.Integer(required=True)
    received_at = Time(required=True)
    envelope = fields.Function(
        lambda record: json.loads(record.envelope),
        required=True,
        metadata={"type": "object"},
    )


class DecisionWithRecordsSchema(DecisionSchema):
    """`envelope` is that of the terminal record; `records` are all of the request's, in the order of the log."""

    envelope = fields.Dict(required=True)
    input = fields.Raw(required=True, allow_none=True)
    explanation = fields.Dict(required=True)
    proof = fields.String(required=True)
    records = fields.List(fields.Nested(LoggedRecordSchema), required=True)


class DecisionPageSchema(page_schema(DecisionSchema)):  # type: ignore[misc]  # made from its item
    """A page may have fewer items than `limit`, and even none, while `next_cursor` is there: then go on."""

    as_of = fields.Integer(required=True)


@resource.endpoint(
    "GET",
    "/decisions",
    permission=Permission.DECISIONS_READ,
    query=DecisionQuerySchema,
    gives=DecisionPageSchema,
)
def list_decisions(query: dict[str, Any]) -> dict[str, Any]:
    """Find decisions, in the order of the log. All pages are of the log as it was at the first one, or at `as_of`."""
    position = after_of(query)
    after, as_of = (None, query["as_of"]) if position is None else _position(position)
    page = plane().decisions.find(
        caller(),
        filter_of(query),
        after=after,
        as_of=as_of,
        descending=query["order"] == "desc",
        limit=limit_of(query),
    )
    items, at = _within_bytes([item_of(view) for view in page.items], page.at)
    shown = page_of(Page(items=tuple(items), next_key=None if at is None else f"{at} {page.as_of}"))
    return shown | {"as_of": page.as_of}


@resource.endpoint(
    "GET",
    "/decisions/<identifier>",
    permission=Permission.DECISIONS_READ,
    gives=DecisionWithRecordsSchema,
)
def get_decision(identifier: str) -> dict[str, Any]:
    """Get one decision by its request id, or by the record id of one of its records."""
    view = plane().decisions.get(caller(), identifier)
    shown = item_of(view)
    return shown | {
        "envelope": view.envelope,
        "input": view.input,
        "explanation": view.explanation,
        "proof": f"/v1/audit/records/{quote(shown['record_id'], safe='')}/proof",
        "records": view.records,
    }


def _within_bytes(items: list[dict[str, Any]], at: int | None) -> tuple[list[dict[str, Any]], int | None]:
    """Return as many items as an answer may hold, at least one, and the index after which the next page begins."""
    held = 0
    for number, item in enumerate(items):
        held += len(json.dumps(item)) + 1
        if held > _MOST_BYTES and number:
            return items[:number], items[number - 1]["log_index"]
    return items, at


def _position(key: str) -> tuple[int, int]:
    """Read a key that this API signed: log index and size of the log."""
    log_index, _, as_of = key.partition(" ")
    return int(log_index), int(as_of)
