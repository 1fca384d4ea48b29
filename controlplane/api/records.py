# SPDX-License-Identifier: Apache-2.0
"""/v1/records: where the proxies deliver their decision records (`docs/spec/decision-record.md`)."""

import marshmallow as ma
from flask import request
from marshmallow import fields
from werkzeug.exceptions import UnsupportedMediaType

from controlplane.api.endpoint import Resource
from controlplane.api.guard import caller, plane
from controlplane.authz.permissions import Permission
from controlplane.services.bounded_gzip import gunzip
from controlplane.services.ingestion import MAX_BATCH_BYTES
from controlplane.services.records import Ingested

resource = Resource("records", __name__, url_prefix="/v1", description="Ingestion of decision records.")


class IngestedSchema(ma.Schema):
    stored = fields.Integer(required=True)
    duplicates = fields.Integer(required=True)
    quarantined = fields.Integer(required=True)


@resource.endpoint(
    "POST",
    "/records",
    takes_key=False,
    permission=Permission.RECORDS_WRITE,
    gives=IngestedSchema,
    content_type="application/x-ndjson",
    max_body_bytes=MAX_BATCH_BYTES,
)
def append_records() -> Ingested:
    """Take a batch of records, one a line. Answered once all of it is durable; sent twice, stored once."""
    with plane().ingestion.place():
        ingested = plane().ingestion.append(caller(), _body())
    plane().metrics.ingested(ingested)
    plane().stored_bell.ring()
    return ingested


def _body() -> bytes:
    body = request.get_data(cache=False)
    match request.headers.get("Content-Encoding", "identity").strip().lower():
        case "identity":
            return body
        case "gzip":
            return gunzip(body, largest=MAX_BATCH_BYTES)
        case _:
            raise UnsupportedMediaType("Send the batch plain or with 'Content-Encoding: gzip'.")
