# SPDX-License-Identifier: Apache-2.0
"""How an endpoint is declared: method, path, the one permission it needs, what it takes and what it gives.

The permission stands at the endpoint; `controlplane.api.guard` asks for it before the view runs, and refuses to start
an application that has an endpoint without one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import marshmallow as ma
from flask import Request
from flask_smorest import Blueprint
from webargs.flaskparser import FlaskParser

from controlplane.api.strict_json import read_json
from controlplane.authz.permissions import Permission
from controlplane.services.errors import Invalid, Problem

JSON_TYPE: Final = "application/json"
# Sources of 256 KiB escaped to JSON, with room.
SMALL_BODY_BYTES: Final = 64 * 1024
SOURCE_BODY_BYTES: Final = 2 * 1024 * 1024

View = Callable[..., Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What is asked of a request before its view runs. Without `permission` the endpoint is for everybody."""

    permission: Permission | None
    content_type: str | None
    max_body_bytes: int


class _StrictParser(FlaskParser):
    """Reads bodies strictly, knows no unknown parameter, and says what is wrong in our words."""

    DEFAULT_UNKNOWN_BY_LOCATION = {"json": ma.RAISE, "query": ma.RAISE}  # noqa: RUF012  # webargs' attribute
    DEFAULT_VALIDATION_STATUS = 400

    def _raw_load_json(self, req: Request) -> Any:
        return read_json(req.get_data())

    def handle_error(self, error: ma.ValidationError, req: Request, schema: ma.Schema, **_: Any) -> NoReturn:  # noqa: ARG002
        messages = error.messages if isinstance(error.messages, dict) else {}
        location, wrong = next(iter(messages.items()), ("json", {}))
        what = "body" if location == "json" else "query"
        raise Invalid(
            f"{what}-invalid",
            f"The {what} is not what this endpoint takes.",
            problems=tuple(_problems(wrong, pointer="", code=f"{what}-invalid")),
        )


def _problems(messages: Any, *, pointer: str, code: str) -> list[Problem]:
    if isinstance(messages, dict):
        return [
            problem
            for name, inner in messages.items()
            for problem in _problems(inner, pointer=_below(pointer, name), code=code)
        ]
    return [Problem(code=code, message=str(message), pointer=pointer) for message in messages]


def _below(pointer: str, name: Any) -> str:
    if name == "_schema":
        return pointer
    return f"{pointer}/{str(name).replace('~', '~0').replace('/', '~1')}"


class Resource(Blueprint):  # type: ignore[misc]  # flask_smorest has no types
    """The endpoints of one resource."""

    ARGUMENTS_PARSER = _StrictParser()

    def endpoint(
        self,
        method: str,
        rule: str,
        *,
        permission: Permission | None,
        gives: type[ma.Schema] | None,
        status: int = 200,
        body: type[ma.Schema] | None = None,
        query: type[ma.Schema] | None = None,
        content_type: str | None = None,
        max_body_bytes: int = SMALL_BODY_BYTES,
    ) -> Callable[[View], View]:
        """Declare the decorated view. It is given the body, then the query, where it takes them."""

        def declare(view: View) -> View:
            declared = self.response(status, gives)(view)
            if query is not None:
                declared = self.arguments(query, location="query")(declared)
            if body is not None:
                declared = self.arguments(body)(declared)
            if permission is not None:
                declared = self.doc(security=[{"token": []}], **{"x-permission": permission.value})(declared)
            declared.rules = Rules(
                permission=permission,
                content_type=JSON_TYPE if body is not None else content_type,
                max_body_bytes=max_body_bytes,
            )
            self.route(rule, methods=[method])(declared)
            return view

        return declare
