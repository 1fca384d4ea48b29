# SPDX-License-Identifier: Apache-2.0
"""/v1/exports: decisions, or a range of the log, as a file."""

from typing import Any

import marshmallow as ma
from flask import Response
from marshmallow import fields, validate

from controlplane.api.decision_filters import FilterSchema, filter_of
from controlplane.api.endpoint import Resource
from controlplane.api.fields import Time, count
from controlplane.api.guard import caller, plane
from controlplane.api.operations import OperationSchema, begun, content_of
from controlplane.authz.permissions import Permission
from controlplane.exports.columns import Content
from controlplane.exports.formats import FORMATS
from controlplane.services.exports import ARCHIVE, ArchiveRange
from controlplane.services.operation import OperationKind

resource = Resource("exports", __name__, url_prefix="/v1", description="Decisions as files.")


class ExportFilterSchema(FilterSchema):  # type: ignore[misc,valid-type]  # made from the dimensions
    """The filters of `GET /v1/decisions`. What may be repeated there is a list here, or a single value."""

    @ma.pre_load
    def as_in_a_query(self, given: Any, **_: Any) -> Any:
        """Take numbers and single values as the query of a list would have them."""
        if not isinstance(given, dict):
            return given
        return {name: self._in_query(name, value) for name, value in given.items()}

    def _in_query(self, name: str, value: Any) -> Any:
        values = [_as_text(one) for one in (value if isinstance(value, list) else [value])]
        field = next((one for key, one in self.fields.items() if name in (key, one.data_key)), None)
        return values if isinstance(field, fields.List) or isinstance(value, list) else values[0]


def _as_text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if type(value) is int else value


class ArchiveRangeSchema(ma.Schema):
    """Entries from index `first` to before `end`, or those that were received from `from` to before `to`."""

    first = count(load_default=None)
    end = count(load_default=None)
    since = Time(data_key="from", load_default=None)
    until = Time(data_key="to", load_default=None)

    @ma.validates_schema
    def _check(self, given: dict[str, Any], **_: Any) -> None:
        for low, high, names in (("first", "end", ("first", "end")), ("since", "until", ("from", "to"))):
            if None not in (given[low], given[high]) and given[low] > given[high]:
                raise ma.ValidationError(f"{names[0]!r} lies behind {names[1]!r}: turn them round.", names[1])
        if {given["first"], given["end"]} != {None} and {given["since"], given["until"]} != {None}:
            raise ma.ValidationError("A range is of indexes or of times: leave one of the two out.", "from")


class ExportRequestSchema(ma.Schema):
    """`as_of` is a size of the log: only its first entries are looked at; all there are now, unless said.

    `filters` and `as_of` are for files of decisions. An `archive` has every entry of a `range`, all of the log unless
    said, with the proofs that `gatehouse audit verify` checks; its payloads are included whole or not at all.
    """

    format = fields.String(required=True, validate=validate.OneOf([*FORMATS, ARCHIVE]))
    filters = fields.Nested(ExportFilterSchema, load_default=None)
    range = fields.Nested(ArchiveRangeSchema, load_default=None)
    include = fields.List(
        fields.String(validate=validate.OneOf([content.value for content in Content])),
        load_default=[],
        validate=validate.Length(max=len(Content)),
    )
    as_of = count(load_default=None)

    @ma.validates_schema
    def _check(self, given: dict[str, Any], **_: Any) -> None:
        is_archive = given["format"] == ARCHIVE
        for name in ("filters", "as_of") if is_archive else ("range",):
            if given[name] is not None:
                raise ma.ValidationError(f"The format {given['format']!r} has none: leave it out.", name)
        if is_archive and len(set(given["include"])) == 1:
            raise ma.ValidationError(
                "An archive has payloads whole: include 'subject' and 'input', or neither.", "include"
            )


@resource.endpoint(
    "POST",
    "/exports",
    permission=Permission.EXPORTS_WRITE,
    body=ExportRequestSchema,
    gives=OperationSchema,
    status=202,
    gives_headers=("Location",),
)
def start_export(body: dict[str, Any]) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Export decisions, or a range of the log with its proofs, to a file.

    Answered at once with the operation that does it; `result.href` has the file.
    """
    if body["format"] == ARCHIVE:
        wanted = ArchiveRange(**(body["range"] or {}))
        return begun(plane().exports.start_archive(caller(), wanted, payloads=bool(body["include"])))
    return begun(
        plane().exports.start(
            caller(),
            filter_of(body["filters"] or ExportFilterSchema().load({})),
            format_name=body["format"],
            include=[Content(name) for name in body["include"]],
            as_of=body["as_of"],
        ),
    )


@resource.endpoint(
    "GET",
    "/exports/<operation_id>/content",
    permission=Permission.EXPORTS_READ,
    gives=None,
)
def get_export_content(operation_id: str) -> Response:
    """Get the file of an export. `Repr-Digest` has its SHA-256; `Range` gets a part of it."""
    return content_of(OperationKind.EXPORT, operation_id)
