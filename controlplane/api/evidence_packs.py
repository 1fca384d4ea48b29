# SPDX-License-Identifier: Apache-2.0
"""/v1/evidence-packs: a period of the log as one archive that proves itself, and what an auditor asks beside it."""

from typing import Any

import marshmallow as ma
from flask import Response

from controlplane.api.endpoint import Resource
from controlplane.api.fields import Time, text
from controlplane.api.guard import caller, plane
from controlplane.api.operations import OperationSchema, begun, content_of
from controlplane.authz.permissions import Permission
from controlplane.services.model import DEFAULT_ENVIRONMENT
from controlplane.services.operation import OperationKind

resource = Resource("evidence-packs", __name__, url_prefix="/v1", description="Periods of the log, as evidence.")


class EvidencePackRequestSchema(ma.Schema):
    """The period is of when entries were received: at or after `from`, before `to`."""

    since = Time(data_key="from", required=True)
    until = Time(data_key="to", required=True)
    environment = text(load_default=DEFAULT_ENVIRONMENT)


@resource.endpoint(
    "POST",
    "/evidence-packs",
    permission=Permission.EXPORTS_WRITE,
    body=EvidencePackRequestSchema,
    gives=OperationSchema,
    status=202,
    gives_headers=("Location",),
)
def start_evidence_pack(body: dict[str, Any]) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Make an evidence pack of a period. Answered at once with the operation that does it."""
    packs = plane().evidence_packs
    return begun(packs.start(caller(), environment=body["environment"], since=body["since"], until=body["until"]))


@resource.endpoint(
    "GET",
    "/evidence-packs/<operation_id>/content",
    permission=Permission.EXPORTS_READ,
    gives=None,
)
def get_evidence_pack_content(operation_id: str) -> Response:
    """Get the pack, a zip. `Repr-Digest` has its SHA-256; `Range` gets a part of it."""
    return content_of(OperationKind.EVIDENCE_PACK, operation_id)
