# SPDX-License-Identifier: Apache-2.0
"""Fields and schemas that several resources use."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import marshmallow as ma
from marshmallow import fields, validate

from controlplane.services.times import format_time, parse_time

DEFAULT_LIMIT: Final = 50
MAX_LIMIT: Final = 500
MAX_INTEGER: Final = 2**53 - 1


class Ready(fields.Nested):
    """Objects that stand in the answer as they are: the schema documents them, and takes long to write thousands."""

    def _serialize(self, nested_obj: Any, *_: Any, **__: Any) -> Any:  # type: ignore[override]  # a name differs
        return nested_obj


class Time(fields.String):
    """An RFC 3339 time."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments, metadata={"format": "date-time"})

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:  # noqa: ARG002  # marshmallow's signature
        return format_time(value) if isinstance(value, datetime) else None

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            return parse_time(str(text))
        except ValueError as exc:
            raise ma.ValidationError("Not an RFC 3339 time with its zone, such as 2026-11-20T18:00:00Z.") from exc


class Truth(fields.Boolean):
    """`true` or `false`: marshmallow's own would also take `"on"` and `1`."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        if not isinstance(value, bool):
            raise ma.ValidationError("Not true or false.")
        return super()._deserialize(value, attr, data, **kwargs)


class Digits(fields.Integer):
    """A number in a query, in decimal digits: `int` would also take `1_0`, ` 5` and digits of other scripts."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        if not (isinstance(value, str) and value.isascii() and value.isdigit()):
            raise ma.ValidationError("Not a number in decimal digits.")
        return super()._deserialize(value, attr, data, **kwargs)


def text(*, longest: int = 256, shortest: int = 1, **arguments: Any) -> fields.String:
    return fields.String(validate=validate.Length(min=shortest, max=longest), **arguments)


def count(**arguments: Any) -> fields.Integer:
    return fields.Integer(strict=True, validate=validate.Range(min=0, max=MAX_INTEGER), **arguments)


class PageQuerySchema(ma.Schema):
    """`limit` above 500 is taken as 500."""

    limit = Digits(load_default=DEFAULT_LIMIT, validate=validate.Range(min=1))
    cursor = fields.String(load_default=None, validate=validate.Length(max=1024))


class ValidateOnlySchema(ma.Schema):
    validate_only = fields.String(load_default="false", validate=validate.OneOf(["true", "false"]))


class ProblemItemSchema(ma.Schema):
    code = fields.String(required=True)
    pointer = fields.String(required=True)
    message = fields.String(required=True)
    file = fields.String()
    line = fields.Integer()
    column = fields.Integer()
    fix = fields.String()


class ProblemSchema(ma.Schema):
    """Problem details (RFC 9457)."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    instance = fields.String(required=True)
    code = fields.String(required=True)
    request_id = fields.String(required=True)
    errors = fields.List(fields.Nested(ProblemItemSchema), required=True)


def page_schema(item: type[ma.Schema]) -> type[ma.Schema]:
    """Return the schema of a page of `item`."""
    name = item.__name__.removesuffix("Schema")
    return ma.Schema.from_dict(
        {
            "items": fields.List(fields.Nested(item), required=True),
            "next_cursor": fields.String(required=True, allow_none=True),
        },
        name=f"{name}PageSchema",
    )
