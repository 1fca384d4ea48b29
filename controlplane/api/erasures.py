# SPDX-License-Identifier: Apache-2.0
"""/v1/erasures: make payloads unreadable for good. Envelopes, proofs and exports stay as they are."""

from datetime import date
from typing import Any, Final

import marshmallow as ma
from marshmallow import fields

from controlplane.api.endpoint import Resource
from controlplane.api.fields import PageQuerySchema, Time, page_schema, text
from controlplane.api.guard import caller, plane
from controlplane.api.paging import after_of, limit_of, page_of
from controlplane.authz.permissions import Permission
from controlplane.services.keeping import ErasureKind, ErasureState

resource = Resource("erasures", __name__, url_prefix="/v1", description="Payloads made unreadable for good.")

_KINDS: Final = ("period", "subject", "request_id")


class NewErasureSchema(ma.Schema):
    """One of three: `period`, a day (UTC) of the log; `subject`, `user:NAME` or a pseudonym; `request_id`."""

    period = fields.Date(format="iso")
    subject = text()
    request_id = text()

    @ma.validates_schema
    def says_one_thing(self, given: dict[str, Any], **_: Any) -> None:
        if len(given) != 1:
            raise ma.ValidationError("Give one of period, subject and request_id.")


class ErasureSchema(ma.Schema):
    """`of` is the day, the pseudonym or the request id. `held_by` is the hold that stopped it in between."""

    id = fields.String(required=True)
    kind = fields.Enum(ErasureKind, by_value=True, required=True)
    of = fields.String(required=True, attribute="target")
    state = fields.Enum(ErasureState, by_value=True, required=True)
    requested_by = fields.String(required=True)
    requested_at = Time(required=True)
    finished_at = Time(required=True, allow_none=True)
    payloads = fields.Integer(required=True, attribute="payload_count")
    keys = fields.Integer(required=True, attribute="key_count")
    held_by = fields.String(required=True, allow_none=True)


@resource.endpoint(
    "POST",
    "/erasures",
    permission=Permission.ERASURES_WRITE,
    body=NewErasureSchema,
    status=201,
    gives=ErasureSchema,
    gives_headers=("Location",),
)
def erase(body: dict[str, Any]) -> tuple[Any, int, dict[str, str]]:
    """Erase a day, a subject or a request. What takes long goes on behind the answer: 202, and look at it again."""
    erasures, actor = plane().erasures, caller()
    match body:
        case {"period": date() as day}:
            erasure = erasures.erase_period(actor, day)
        case {"subject": str() as subject}:
            erasure = erasures.erase_subject(actor, subject)
        case _:
            erasure = erasures.erase_request(actor, body["request_id"])
    status = 202 if erasure.state is ErasureState.RUNNING else 201
    return erasure, status, {"Location": f"/v1/erasures/{erasure.id}"}


@resource.endpoint("GET", "/erasures/<erasure_id>", permission=Permission.ERASURES_READ, gives=ErasureSchema)
def get_erasure(erasure_id: str) -> Any:
    """Get an erasure: how far it is, and how many payloads and keys are gone."""
    return plane().erasures.get(caller(), erasure_id)


@resource.endpoint(
    "GET",
    "/erasures",
    permission=Permission.ERASURES_READ,
    query=PageQuerySchema,
    gives=page_schema(ErasureSchema),
)
def list_erasures(query: dict[str, Any]) -> dict[str, Any]:
    """List erasures, the oldest first."""
    return page_of(plane().erasures.page(caller(), after=after_of(query), limit=limit_of(query)))
