# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI document: what flask-smorest read from the endpoints, and the feeds, which it does not serve."""

from http import HTTPStatus
from typing import Any, Final

from controlplane.api.problems import MEDIA_TYPE
from controlplane.authz.permissions import Permission

DOCUMENT: Final = "gatehouse-openapi"
SECURITY: Final = {"token": {"type": "http", "scheme": "bearer", "description": "A token has one role."}}

_PROBLEM: Final = {
    "description": "Refused; `code` says why.",
    "headers": {
        "X-Request-Id": {"description": "The problem's `request_id`.", "schema": {"type": "string"}},
        "Retry-After": {"description": "With 503: seconds.", "schema": {"type": "string"}},
    },
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_FEED_PARAMETERS: Final = [
    {"in": "path", "name": "environment", "required": True, "schema": {"type": "string"}},
    {"in": "header", "name": "If-None-Match", "schema": {"type": "string"}},
    {
        "in": "header",
        "name": "Prefer",
        "description": "`wait=SECONDS`: hold the request until something newer is there, for at most 30 s.",
        "schema": {"type": "string"},
    },
]

_SERIAL: Final = {"in": "path", "name": "serial", "required": True, "schema": {"type": "integer", "minimum": 1}}


def with_feeds(document: dict[str, Any]) -> dict[str, Any]:
    """Return `document` with the feeds and with problem details as what every refusal is."""
    for path, summary, media_type in (
        (
            "/opa/v1/{environment}/bundles/gatehouse.tar.gz",
            "The signed bundle in force.",
            "application/vnd.openpolicyagent.bundles",
        ),
        (
            "/opa/v1/{environment}/discovery.tar.gz",
            "The signed discovery bundle, by which a stock OPA configures itself.",
            "application/vnd.openpolicyagent.bundles",
        ),
        ("/opa/v1/{environment}/credentials", "The signed credentials document.", "application/jose"),
        ("/opa/v1/{environment}/revocations", "The signed revocations document.", "application/jose"),
        ("/opa/v1/{environment}/environment", "The signed environment document.", "application/jose"),
        (
            "/opa/v1/{environment}/candidates/{serial}.tar.gz",
            "The signed bundle that the environment document names as its candidate.",
            "application/vnd.openpolicyagent.bundles",
        ),
    ):
        document["paths"][path] = {"get": _feed(summary, media_type, *([_SERIAL] if "{serial}" in path else []))}
    document["tags"].append({"name": "feeds", "description": "What the proxies fetch."})
    document["paths"]["/v1/decisions:tail"] = {"get": _tail(document["paths"]["/v1/decisions"]["get"])}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method != "parameters":
                operation["responses"] = _with_refusals(operation, path)
    document["components"]["responses"] = {"Problem": _PROBLEM}
    return document


def _with_refusals(operation: dict[str, Any], path: str) -> dict[str, Any]:
    """Return the answers of an operation, with every refusal it may give."""
    if not operation.get("security"):
        refusals = [HTTPStatus.SERVICE_UNAVAILABLE] if path == "/readyz" else []
    else:
        header = {parameter["name"] for parameter in operation.get("parameters", ()) if "name" in parameter}
        changes = "requestBody" in operation
        with_key = "Idempotency-Key" in header
        refusals = [
            HTTPStatus.BAD_REQUEST,
            HTTPStatus.UNAUTHORIZED,
            HTTPStatus.FORBIDDEN,
            *([HTTPStatus.NOT_FOUND] if "{" in path or changes else []),
            *([HTTPStatus.CONFLICT] if changes or with_key or path == "/v1/role-bindings/{binding_id}" else []),
            *([HTTPStatus.PRECONDITION_FAILED] if "If-Match" in header else []),
            HTTPStatus.LENGTH_REQUIRED,
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            *([HTTPStatus.UNSUPPORTED_MEDIA_TYPE] if changes else []),
            *([HTTPStatus.UNPROCESSABLE_ENTITY] if with_key else []),
            *([HTTPStatus.PRECONDITION_REQUIRED] if "If-Match" in header else []),
            HTTPStatus.SERVICE_UNAVAILABLE,
        ]
    given = {status: answer for status, answer in operation["responses"].items() if status[0] in "23"}
    refused = {str(status.value): {"$ref": "#/components/responses/Problem"} for status in refusals}
    return given | refused | {"default": {"$ref": "#/components/responses/Problem"}}


def _tail(listing: dict[str, Any]) -> dict[str, Any]:
    """Return the operation that follows what `listing` lists."""
    left_out = {"order", "as_of", "limit", "cursor", "has_gap"}
    last = {
        "in": "header",
        "name": "Last-Event-ID",
        "description": "The id of the last event that was seen; `-1` for the log from its beginning.",
        "schema": {"type": "string"},
    }
    longest = {
        "in": "query",
        "name": "max_s",
        "description": "The stream ends after so many seconds.",
        "schema": {"type": "integer", "minimum": 0, "maximum": 3600, "default": 3600},
    }
    return {
        "tags": ["decisions"],
        "summary": "Follow decisions as they arrive, as server-sent events.",
        "parameters": [*(one for one in listing["parameters"] if one.get("name") not in left_out), longest, last],
        "security": [{"token": []}],
        "x-permission": Permission.DECISIONS_READ.value,
        "responses": {
            "200": {"description": "OK", "content": {"text/event-stream": {"schema": {"type": "string"}}}},
        },
    }


def _feed(summary: str, media_type: str, *parameters: dict[str, Any]) -> dict[str, Any]:
    return {
        "tags": ["feeds"],
        "summary": summary,
        "parameters": [*_FEED_PARAMETERS, *parameters],
        "security": [{"token": []}],
        "x-permission": Permission.FEEDS_READ.value,
        "responses": {
            "200": {"description": "OK", "content": {media_type: {"schema": {"type": "string", "format": "binary"}}}},
            "304": {"description": "What you have is in force."},
        },
    }
