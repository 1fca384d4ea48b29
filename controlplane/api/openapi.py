# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI document: what flask-smorest read from the endpoints, and the feeds, which it does not serve."""

from typing import Any, Final

from controlplane.authz.permissions import Permission

DOCUMENT: Final = "gatehouse-openapi"
SECURITY: Final = {"token": {"type": "http", "scheme": "bearer", "description": "A token has one role."}}

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


def with_feeds(document: dict[str, Any]) -> dict[str, Any]:
    """Return `document` with the feeds and with problem details as what every refusal is."""
    for path, summary, media_type in (
        (
            "/opa/v1/{environment}/bundles/gatehouse.tar.gz",
            "The signed bundle in force.",
            "application/vnd.openpolicyagent.bundles",
        ),
        ("/opa/v1/{environment}/credentials", "The signed credentials document.", "application/jose"),
    ):
        document["paths"][path] = {"get": _feed(summary, media_type)}
    document["tags"].append({"name": "feeds", "description": "What the proxies fetch."})
    refusal = document["components"]["responses"]["DEFAULT_ERROR"]
    refusal["content"] = {"application/problem+json": next(iter(refusal["content"].values()))}
    return document


def _feed(summary: str, media_type: str) -> dict[str, Any]:
    return {
        "tags": ["feeds"],
        "summary": summary,
        "parameters": _FEED_PARAMETERS,
        "security": [{"token": []}],
        "x-permission": Permission.FEEDS_READ.value,
        "responses": {
            "200": {"description": "OK", "content": {media_type: {"schema": {"type": "string", "format": "binary"}}}},
            "304": {"description": "What you have is in force."},
            "default": {"$ref": "#/components/responses/DEFAULT_ERROR"},
        },
    }
