# SPDX-License-Identifier: Apache-2.0
"""What happens to every request before and after its view: identity, permission, size, media type, headers, log."""

import time
from typing import Final

import structlog
from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import LengthRequired, RequestEntityTooLarge, UnsupportedMediaType

from controlplane.api import idempotency
from controlplane.api.endpoint import Rules
from controlplane.api.strict_json import is_plain_text
from controlplane.bootstrap import ControlPlane
from controlplane.observed import name_route
from controlplane.services.errors import Invalid
from controlplane.services.model import Principal

_EXTENSION: Final = "gatehouse"
SECURITY_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
}

_log = structlog.get_logger("gatehouse.api")


def install(app: Flask, plane: ControlPlane) -> None:
    """Put the guard before every endpoint of `app`."""
    app.extensions[_EXTENSION] = plane
    app.before_request(_admit)
    app.after_request(_finish)


def refuse_unguarded(app: Flask) -> None:
    """Raise LookupError where an endpoint declares no rules: nobody would ask who may use it."""
    unguarded = [name for name, view in app.view_functions.items() if not isinstance(_rules(view), Rules)]
    if unguarded:
        raise LookupError(f"endpoints without rules: {', '.join(sorted(unguarded))}")


def plane() -> ControlPlane:
    """Return the use cases of the application that serves this request."""
    found: ControlPlane = current_app.extensions[_EXTENSION]
    return found


def caller() -> Principal:
    """Return who is calling. Only an endpoint with a permission has one."""
    principal: Principal = g.principal
    return principal


def request_id() -> str:
    """Return the id of this request, which every answer, problem and log event names."""
    if "request_id" not in g:
        g.request_id = plane().new_id("req_")
    return str(g.request_id)


def _admit() -> Response | None:
    g.started = time.monotonic()
    if request.url_rule is not None:
        name_route(request.environ.get("asgi.scope"), request.url_rule.rule)
    if request.routing_exception is not None:
        raise request.routing_exception
    rules = _rules(current_app.view_functions.get(request.endpoint or ""))
    if rules is None:
        raise LookupError("an endpoint without rules")
    if rules.permission is not None:
        g.principal = plane().access.authenticate(request.headers.get("Authorization"))
        plane().access.authorize(g.principal, rules.permission)
    _check_text()
    _check_body(rules)
    return idempotency.begin(plane().idempotency, caller()) if rules.takes_key else None


def _check_text() -> None:
    """Refuse parameters that no database keeps, before anybody looks for them there."""
    given = [*map(str, (request.view_args or {}).values())]
    given += [text for name, values in request.args.lists() for text in (name, *values)]
    if not all(map(is_plain_text, given)):
        raise Invalid("parameter-invalid", "A parameter has NUL or half of a surrogate pair.")


def _check_body(rules: Rules) -> None:
    # A body without length could end early without anybody noticing: a cut batch would look like a whole one.
    if request.headers.get("Transfer-Encoding"):
        raise LengthRequired("Send the body with its Content-Length.")
    request.max_content_length = rules.max_body_bytes
    if (request.content_length or 0) > rules.max_body_bytes:
        raise RequestEntityTooLarge(f"This endpoint takes at most {rules.max_body_bytes} bytes.")
    if rules.content_type is not None and request.mimetype != rules.content_type:
        raise UnsupportedMediaType(f"This endpoint takes 'Content-Type: {rules.content_type}'.")


def _finish(response: Response) -> Response:
    idempotency.settle(plane().idempotency, response)
    response.headers.update(SECURITY_HEADERS)
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["X-Request-Id"] = request_id()
    principal: Principal | None = g.get("principal")
    _log.info(
        "request_served",
        request_id=request_id(),
        method=request.method,
        route=request.url_rule.rule if request.url_rule else None,
        status=response.status_code,
        principal=principal.id if principal else None,
        duration_ms=round((time.monotonic() - g.get("started", time.monotonic())) * 1000, 1),
    )
    return response


def _rules(view: object) -> Rules | None:
    rules = getattr(view, "rules", None)
    return rules if isinstance(rules, Rules) else None
