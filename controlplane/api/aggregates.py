# SPDX-License-Identifier: Apache-2.0
"""/v1/decisions:aggregate: how many decisions, of what kind, how fast."""

from typing import Any, Final

import marshmallow as ma
from marshmallow import fields, validate

from controlplane.api.decision_filters import FilterSchema
from controlplane.api.endpoint import Resource
from controlplane.api.fields import Digits, Ready, Time
from controlplane.api.guard import caller, plane
from controlplane.authz.permissions import Permission
from controlplane.services.aggregates import MOST_GROUPS, Bucket, Question, Row
from controlplane.services.dimensions import Dimension
from controlplane.services.latencies import ERROR
from controlplane.services.rollups import Tally
from controlplane.services.times import format_time

resource = Resource("aggregates", __name__, url_prefix="/v1", description="The decision log, counted.")

_DEFAULT_GROUPS: Final = 10
_QUANTILES: Final = {"p50": 0.5, "p90": 0.9, "p99": 0.99}


class AggregateQuerySchema(ma.Schema):
    """Of the filters of `GET /v1/decisions`, only that of the dimension named by `by` is taken, besides the times."""

    by = fields.String(load_default=None, validate=validate.OneOf([dimension.value for dimension in Dimension]))
    bucket = fields.String(load_default=Bucket.HOUR.value, validate=validate.OneOf([bucket.value for bucket in Bucket]))
    since = Time(data_key="from", load_default=None)
    until = Time(data_key="to", load_default=None)
    limit = Digits(load_default=_DEFAULT_GROUPS, validate=validate.Range(min=1, max=MOST_GROUPS))

    @ma.validates_schema
    def _check(self, query: dict[str, Any], **_: Any) -> None:
        if query["since"] is not None and query["until"] is not None and query["since"] >= query["until"]:
            raise ma.ValidationError("'to' does not lie behind 'from': turn them round.", field_name="to")
        for dimension in Dimension:
            if query.get(dimension.value) and query["by"] != dimension.value:
                message = f"Only the dimension grouped by is filtered here: add by={dimension.value}, or leave it out."
                raise ma.ValidationError(message, field_name=dimension.value)


AggregateFilterSchema = AggregateQuerySchema.from_dict(
    {dimension.value: FilterSchema._declared_fields[dimension.value] for dimension in Dimension},  # noqa: SLF001  # marshmallow has no other way
    name="AggregateFilterSchema",
)


class LatencySchema(ma.Schema):
    p50 = fields.Float(required=True)
    p90 = fields.Float(required=True)
    p99 = fields.Float(required=True)


class CountsSchema(ma.Schema):
    """`allowed`, `denied` and `failed` are all requests; `redacted`, `blocked` and `cut` are verdicts."""

    requests = fields.Integer(required=True)
    allowed = fields.Integer(required=True)
    denied = fields.Integer(required=True)
    failed = fields.Integer(required=True)
    redacted = fields.Integer(required=True)
    blocked = fields.Integer(required=True)
    cut = fields.Integer(required=True)
    denied_share = fields.Float(required=True, allow_none=True)
    failed_share = fields.Float(required=True, allow_none=True)
    per_second = fields.Float(required=True)
    latency_ms = fields.Nested(LatencySchema, required=True, allow_none=True)


class GroupSchema(CountsSchema):
    """`at` is null without buckets, `value` without `by` and for `other`. `share` is of all requests of the bucket."""

    at = Time(required=True, allow_none=True)
    value = fields.String(required=True, allow_none=True)
    other = fields.Boolean(required=True)
    share = fields.Float(required=True, allow_none=True)


class AggregateSchema(ma.Schema):
    """`from` and `to` are those of the whole buckets counted; null where nothing was counted yet."""

    by = fields.String(required=True, allow_none=True)
    bucket = fields.String(required=True)
    since = Time(data_key="from", required=True, allow_none=True)
    until = Time(data_key="to", required=True, allow_none=True)
    as_of = fields.Integer(required=True)
    latency_error = fields.Float(required=True)
    total = fields.Nested(CountsSchema, required=True)
    items = fields.List(Ready(GroupSchema), required=True)


@resource.endpoint(
    "GET",
    "/decisions:aggregate",
    permission=Permission.DECISIONS_READ,
    query=AggregateFilterSchema,
    gives=AggregateSchema,
)
def aggregate_decisions(query: dict[str, Any]) -> dict[str, Any]:
    """Count decisions by time and by one dimension. A request counts once, at the time of its terminal record."""
    by = None if query["by"] is None else Dimension(query["by"])
    question = Question(
        by=by,
        values=() if by is None else plane().decisions.named(caller(), by, tuple(query[by.value])),
        bucket=Bucket(query["bucket"]),
        since=query["since"],
        until=query["until"],
        limit=query["limit"],
    )
    found = plane().aggregates.ask(caller(), question)
    seconds = int((found.until - found.since).total_seconds()) if found.since and found.until else 0
    return {
        "by": query["by"],
        "bucket": query["bucket"],
        "since": found.since,
        "until": found.until,
        "as_of": found.as_of,
        "latency_error": ERROR,
        "total": _counts(found.total, seconds=seconds),
        "items": [_group(row) for row in found.rows],
    }


def _group(row: Row) -> dict[str, Any]:
    return {
        "at": None if row.at is None else format_time(row.at),
        "value": row.value,
        "other": row.is_other,
        "share": _share(row.tally.requests, row.of_all),
    } | _counts(row.tally, seconds=row.seconds)


def _counts(tally: Tally, *, seconds: int) -> dict[str, Any]:
    return {
        "requests": tally.requests,
        "allowed": tally.requests - tally.denied - tally.failed,
        "denied": tally.denied,
        "failed": tally.failed,
        "redacted": tally.redacted,
        "blocked": tally.blocked,
        "cut": tally.cut,
        "denied_share": _share(tally.denied, tally.requests),
        "failed_share": _share(tally.failed, tally.requests),
        "per_second": round(tally.requests / seconds, 6) if seconds else 0.0,
        "latency_ms": _latency(tally),
    }


def _latency(tally: Tally) -> dict[str, float] | None:
    found = tally.quantiles_us(*_QUANTILES.values())
    return None if found is None else {name: round(us / 1000, 3) for name, us in zip(_QUANTILES, found, strict=True)}


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None
