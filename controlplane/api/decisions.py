# SPDX-License-Identifier: Apache-2.0
"""/v1/decisions: what was decided, one item for each request."""

import json
from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from controlplane.api.endpoint import Resource
from controlplane.api.fields import PageQuerySchema, Time, page_schema, text
from controlplane.api.guard import caller, plane
from controlplane.api.paging import after_of, limit_of, page_of
from controlplane.authz.permissions import Permission
from controlplane.services.decisions import DecisionView
from controlplane.services.model import Page
from controlplane.services.records import DecisionFilter
from policies.contracts.decision import Verdict
from policies.contracts.record import RecordOutcome

resource = Resource("decisions", __name__, url_prefix="/v1", description="The decision log.")


def _any_of(**arguments: Any) -> fields.List[Any]:
    return fields.List(text(**arguments), load_default=[], validate=validate.Length(max=100))


def _one_of(names: list[str]) -> fields.List[Any]:
    return fields.List(
        fields.String(validate=validate.OneOf(names)),
        load_default=[],
        validate=validate.Length(max=100),
    )


class DecisionQuerySchema(PageQuerySchema):
    """A repeated filter means either; different filters all hold. `order` is `asc` (the log's, default) or `desc`."""

    subject = _any_of()
    outcome = _one_of([outcome.value for outcome in RecordOutcome])
    verdict = _one_of([verdict.value for verdict in Verdict])
    reason = _any_of()
    model = _any_of()
    policy = _any_of()
    revision = _any_of()
    request_id = _any_of()
    since = Time(data_key="from", load_default=None)
    until = Time(data_key="to", load_default=None)
    order = fields.String(load_default="asc", validate=validate.OneOf(["asc", "desc"]))


class LogIndexesSchema(ma.Schema):
    admission = fields.Integer(required=True, allow_none=True)
    terminal = fields.Integer(required=True, allow_none=True)


class DecisionSchema(ma.Schema):
    """`subject` is null where nobody was identified or the payload was erased; `pseudonym` stays."""

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
    findings = fields.List(fields.Dict(), required=True)


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
    records = fields.List(fields.Nested(LoggedRecordSchema), required=True)


@resource.endpoint(
    "GET",
    "/decisions",
    permission=Permission.DECISIONS_READ,
    query=DecisionQuerySchema,
    gives=page_schema(DecisionSchema),
)
def list_decisions(query: dict[str, Any]) -> dict[str, Any]:
    """Find decisions, in the order of the log. All pages are of the log as it was at the first one."""
    wanted = DecisionFilter(
        subjects=tuple(query["subject"]),
        outcomes=tuple(query["outcome"]),
        verdicts=tuple(query["verdict"]),
        reasons=tuple(query["reason"]),
        models=tuple(query["model"]),
        policies=tuple(query["policy"]),
        revisions=tuple(query["revision"]),
        request_ids=tuple(query["request_id"]),
        since=query["since"],
        until=query["until"],
    )
    after = after_of(query)
    page = plane().decisions.find(
        caller(),
        wanted,
        after=None if after is None else _position(after),
        descending=query["order"] == "desc",
        limit=limit_of(query),
    )
    return page_of(Page(items=tuple(map(_item, page.items)), next_key=page.next_key))


@resource.endpoint(
    "GET",
    "/decisions/<identifier>",
    permission=Permission.DECISIONS_READ,
    gives=DecisionWithRecordsSchema,
)
def get_decision(identifier: str) -> dict[str, Any]:
    """Get one decision by its request id, or by the record id of one of its records."""
    view = plane().decisions.get(caller(), identifier)
    return _item(view) | {"envelope": view.envelope, "input": view.input, "records": view.records}


def _position(key: str) -> tuple[int, int]:
    """Read a key that this API signed: log index and size of the log."""
    log_index, _, as_of = key.partition(" ")
    return int(log_index), int(as_of)


def _item(view: DecisionView) -> dict[str, Any]:
    envelope = view.envelope
    resource_asked, subject, http = envelope["resource"] or {}, envelope["subject"] or {}, envelope.get("http") or {}
    return {
        "request_id": view.request_id,
        "record_id": envelope["record_id"],
        "log_index": view.log_index,
        "log_indexes": {"admission": view.admission_index, "terminal": view.terminal_index},
        "complete": view.terminal_index is not None,
        "environment": envelope["environment"],
        "time": envelope["time"],
        "subject": view.subject,
        "pseudonym": subject.get("pseudonym"),
        "action": envelope.get("action"),
        "model": resource_asked.get("id") if resource_asked.get("type") == "model" else None,
        "status": http.get("status"),
        "outcome": envelope["outcome"],
        "verdict": envelope["verdict"],
        "reasons": envelope["reasons"],
        "would_have": envelope.get("would_have"),
        "revision": envelope["revision"],
        "serial": envelope["serial"],
        "findings": envelope["findings"],
    }
