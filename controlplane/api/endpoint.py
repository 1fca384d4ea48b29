# SPDX-License-Identifier: Apache-2.0
"""How an endpoint is declared: method, path, the one permission it needs, what it takes and what it gives.

The permission stands at the endpoint; `controlplane.api.guard` asks for it before the view runs, and refuses to start
an application that has an endpoint without one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import marshmallow as ma
from flask import Request
from flask_smorest import Blueprint
from webargs.flaskparser import FlaskParser
from werkzeug.routing import BaseConverter

from controlplane.api.strict_json import read_json
from controlplane.authz.permissions import Permission
from controlplane.services.errors import Invalid, Problem
from controlplane.services.idempotency import KEY_FORM

JSON_TYPE: Final = "application/json"
SMALL_BODY_BYTES: Final = 64 * 1024
# A document of 1 MiB, of which JSON may escape each byte as six, with room.
SOURCE_BODY_BYTES: Final = 7 * 1024 * 1024

View = Callable[..., Any]

_IF_MATCH: Final = {
    "in": "header",
    "name": "If-Match",
    "required": True,
    "description": "The ETag that the change starts from, in its quotes; `*` for whatever there is.",
    "schema": {"type": "string", "pattern": r'^(\*|(W/)?"[!#-~]*"( *, *(W/)?"[!#-~]*")*)$'},
}
_IDEMPOTENCY_KEY: Final = {
    "in": "header",
    "name": "Idempotency-Key",
    "description": "Sent again with the same key and body within a day, the request gets its first answer.",
    "schema": {"type": "string", "pattern": KEY_FORM},
}
_GIVEN_HEADERS: Final = {
    "ETag": {"description": "Names this state, for If-Match.", "schema": {"type": "string"}},
    "Location": {"description": "Where the new thing is.", "schema": {"type": "string"}},
}


class RevisionConverter(BaseConverter):
    """A revision in a path. `:validate` behind one is another resource, which has no GET."""

    regex = r"(?:(?!:validate\Z)[^/])+"


class IdConverter(BaseConverter):
    """An id of ours in a path. What stands behind a colon is what to do with it: another resource, which has no GET."""

    regex = "[^/:]+"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What is asked of a request before its view runs. Without `permission` the endpoint is for everybody.

    `takes_key`: a request that is sent again with its `Idempotency-Key` gets the answer of its first time.
    """

    permission: Permission | None
    content_type: str | None
    max_body_bytes: int
    takes_key: bool


class _StrictParser(FlaskParser):
    """Reads bodies strictly, knows no unknown parameter, and says what is wrong in our words."""

    DEFAULT_UNKNOWN_BY_LOCATION = {"json": ma.RAISE, "query": ma.RAISE}  # noqa: RUF012  # webargs' attribute
    DEFAULT_VALIDATION_STATUS = 400

    def _raw_load_json(self, req: Request) -> Any:
        return read_json(req.get_data())

    def handle_error(self, error: ma.ValidationError, req: Request, schema: ma.Schema, **_: Any) -> NoReturn:  # noqa: ARG002  # webargs' signature
        messages = error.messages if isinstance(error.messages, dict) else {}
        location, wrong = next(iter(messages.items()), ("json", {}))
        what = "body" if location == "json" else "query"
        raise Invalid(
            f"{what}-invalid",
            f"The {what} is not what this endpoint takes.",
            problems=tuple(problems_of(wrong, pointer="", code=f"{what}-invalid")),
        )


def problems_of(messages: Any, *, pointer: str, code: str) -> list[Problem]:
    """Return what marshmallow found wrong, with a pointer to each."""
    if isinstance(messages, dict):
        return [
            problem
            for name, inner in messages.items()
            for problem in problems_of(inner, pointer=_below(pointer, name), code=code)
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
        validates: bool = False,
        needs_if_match: bool = False,
        takes_key: bool | None = None,
        gives_headers: Sequence[str] = (),
    ) -> Callable[[View], View]:
        """Declare the decorated view. It is given the body, then the query, where it takes them.

        `validates`: it may answer 200 with what it would have made. That, `needs_if_match` and `gives_headers` are for
        the documentation: the view itself reads the header and gives the others. `takes_key`: every POST does, but
        those that only ask, and those whose content says by itself what was sent before.
        """

        def declare(view: View) -> View:
            headers = {name: _GIVEN_HEADERS[name] for name in gives_headers}
            declared = self.response(status, gives, headers=headers)(view)
            if validates:
                declared = self.alt_response(200, schema=gives)(declared)
            if query is not None:
                declared = self.arguments(query, location="query")(declared)
            if body is not None:
                declared = self.arguments(body)(declared)
            with_key = method == "POST" if takes_key is None else takes_key
            parameters = [_IF_MATCH] * needs_if_match + [_IDEMPOTENCY_KEY] * with_key
            if parameters:
                # What is stated here takes the place of what the library found, the query's included.
                asked = [] if query is None else [{"in": "query", "schema": query}]
                declared = self.doc(parameters=[*asked, *parameters])(declared)
            if content_type is not None:
                content = {content_type: {"schema": {"type": "string", "format": "binary"}}}
                declared = self.doc(requestBody={"required": True, "content": content})(declared)
            if permission is not None:
                declared = self.doc(security=[{"token": []}], **{"x-permission": permission.value})(declared)
            declared.rules = Rules(
                permission=permission,
                content_type=JSON_TYPE if body is not None else content_type,
                max_body_bytes=max_body_bytes,
                takes_key=with_key,
            )
            self.route(rule, methods=[method])(declared)
            return view

        return declare
