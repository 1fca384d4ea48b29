# SPDX-License-Identifier: Apache-2.0
"""What a stock OPA sends of its decisions (/opa/v1/…/logs) and of itself (/opa/v1/…/status, /v1/opa-instances).

Paths and bodies are OPA's own (its decision log and status plugins). It takes any 2xx for a yes.
"""

from dataclasses import asdict
from typing import Any

import marshmallow as ma
import orjson
from flask import request
from marshmallow import fields
from werkzeug.exceptions import UnsupportedMediaType

from controlplane.api.endpoint import JSON_TYPE, Resource
from controlplane.api.fields import PageQuerySchema, Time, page_schema
from controlplane.api.guard import caller, plane
from controlplane.api.paging import after_of, limit_of, page_of
from controlplane.api.records import IngestedSchema
from controlplane.authz.permissions import Permission
from controlplane.services.bounded_gzip import gunzip
from controlplane.services.errors import Invalid
from controlplane.services.model import Page
from controlplane.services.opa_instances import OURS, Desired, Drift, OpaInstance
from controlplane.services.opa_intake import MAX_CHUNK_BYTES, MAX_UNPACKED_BYTES
from controlplane.services.records import Ingested

_NOTHING = Desired(serial=0, revision=None, since=None)

resource = Resource("opa", __name__, description="What stock OPAs report.")


class OpaAcceptedSchema(ma.Schema):
    accepted = fields.Boolean(required=True)


class OpaBundleSchema(ma.Schema):
    name = fields.String(required=True)
    active_revision = fields.String(required=True, allow_none=True)
    last_success = fields.String(required=True, allow_none=True)
    code = fields.String(required=True, allow_none=True)
    serial = fields.Integer(required=True, allow_none=True)
    highest_serial = fields.Integer(required=True, allow_none=True)
    drift = fields.Enum(Drift, by_value=True, required=True)


class OpaInstanceSchema(ma.Schema):
    """`dropped` counts the decisions that this OPA says it could not keep: they are not in the log.

    `desired_revision` is in force where it is; `lag_s` says for how long it has been without having it.
    """

    id = fields.String(required=True)
    environment = fields.String(required=True)
    version = fields.String(required=True)
    live = fields.Boolean(required=True)
    reported_at = Time(required=True)
    dropped = fields.Integer(required=True)
    desired_revision = fields.String(required=True, allow_none=True)
    lag_s = fields.Integer(required=True, allow_none=True)
    bundles = fields.List(fields.Nested(OpaBundleSchema), required=True)


@resource.endpoint(
    "POST",
    "/opa/v1/<environment>/logs",
    takes_key=False,
    permission=Permission.RECORDS_WRITE,
    gives=IngestedSchema,
    content_type=JSON_TYPE,
    max_body_bytes=MAX_CHUNK_BYTES,
)
def append_opa_decisions(environment: str) -> Ingested:
    """Take a chunk of OPA's decision log, plain or gzip. Sent twice, a decision is stored once."""
    return _append(environment)


@resource.endpoint(
    "POST",
    "/opa/v1/<environment>/logs/<partition>",
    takes_key=False,
    permission=Permission.RECORDS_WRITE,
    gives=IngestedSchema,
    content_type=JSON_TYPE,
    max_body_bytes=MAX_CHUNK_BYTES,
)
def append_opa_decisions_of_partition(environment: str, partition: str) -> Ingested:  # noqa: ARG001  # OPA's path has it
    """Take a chunk of an OPA that is configured with a partition; the log has none."""
    return _append(environment)


@resource.endpoint(
    "POST",
    "/opa/v1/<environment>/status",
    takes_key=False,
    permission=Permission.AGENTS_REPORT,
    gives=OpaAcceptedSchema,
    content_type=JSON_TYPE,
    max_body_bytes=1024 * 1024,
)
def report_opa_status(environment: str) -> dict[str, bool]:
    """Keep what an OPA says of its bundles, and of decisions that it lost."""
    return _keep(environment)


@resource.endpoint(
    "POST",
    "/opa/v1/<environment>/status/<partition>",
    takes_key=False,
    permission=Permission.AGENTS_REPORT,
    gives=OpaAcceptedSchema,
    content_type=JSON_TYPE,
    max_body_bytes=1024 * 1024,
)
def report_opa_status_of_partition(environment: str, partition: str) -> dict[str, bool]:  # noqa: ARG001  # as above
    """Keep the status of an OPA that is configured with a partition."""
    return _keep(environment)


@resource.endpoint(
    "GET",
    "/v1/opa-instances",
    permission=Permission.AGENTS_READ,
    query=PageQuerySchema,
    gives=page_schema(OpaInstanceSchema),
)
def list_opa_instances(query: dict[str, Any]) -> dict[str, Any]:
    """List the stock OPAs that ever reported."""
    page = plane().opa_intake.page(caller(), after=after_of(query), limit=limit_of(query))
    desired = plane().opa_intake.desired(caller())
    items = tuple(_item(each, desired.get(each.environment, _NOTHING)) for each in page.items)
    return page_of(Page(items=items, next_key=page.next_key))


def _append(environment: str) -> Ingested:
    ingested = plane().opa_intake.decisions(caller(), environment, _content())
    plane().metrics.ingested(ingested)
    return ingested


def _keep(environment: str) -> dict[str, bool]:
    try:
        report = orjson.loads(_content())
    except orjson.JSONDecodeError as exc:
        raise Invalid("body-not-json", "The body is not JSON.") from exc
    if not isinstance(report, dict):
        raise Invalid("body-invalid", "The body is not an object.")
    plane().opa_intake.status(caller(), environment, report)
    return {"accepted": True}


def _content() -> bytes:
    body = request.get_data(cache=False)
    match request.headers.get("Content-Encoding", "identity").strip().lower():
        case "identity":
            return body
        case "gzip":
            return gunzip(body, largest=MAX_UNPACKED_BYTES)
        case _:
            raise UnsupportedMediaType("Send the body plain or with 'Content-Encoding: gzip'.")


def _item(instance: OpaInstance, desired: Desired) -> dict[str, Any]:
    bundles = [
        asdict(bundle) | {"serial": bundle.serial, "drift": bundle.drift(desired.serial)} for bundle in instance.bundles
    ]
    ours = [bundle for bundle in bundles if bundle["name"] == OURS]
    drifts = bool(ours) and any(bundle["drift"] is not Drift.NONE for bundle in ours)
    return {
        "id": instance.id,
        "environment": instance.environment,
        "version": instance.version,
        "live": plane().opa_intake.is_live(instance),
        "reported_at": instance.reported_at,
        "dropped": instance.dropped,
        "desired_revision": desired.revision,
        "lag_s": plane().opa_intake.lag_s(desired) if drifts else None,
        "bundles": bundles,
    }
