# SPDX-License-Identifier: Apache-2.0
"""The AuthZEN endpoints in the OpenAPI document: the edge serves them, so that no view describes them."""

from typing import Any, Final

from controlplane.authz.permissions import Permission
from controlplane.services.evaluation_questions import MAX_QUESTIONS, Semantic

REFUSAL: Final = "#/components/responses/EvaluationRefusal"
_ENVIRONMENT: Final = {"in": "path", "name": "environment", "required": True, "schema": {"type": "string"}}
_REQUEST_ID: Final = {
    "in": "header",
    "name": "X-Request-ID",
    "description": "Told back in the answer.",
    "schema": {"type": "string", "pattern": "^[ -~]{1,256}$"},
}
_TYPE: Final = {"type": "string", "pattern": "^[a-z0-9._-]{1,64}$"}


def _text(longest: int) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": longest}


def _entity(properties: dict[str, Any], *, needs: bool) -> dict[str, Any]:
    entity = {"type": "object", "properties": {**properties, "properties": {"type": "object"}}}
    return entity | ({"required": list(properties)} if needs else {})


def _question(*, needs: bool) -> dict[str, Any]:
    subject_type = {**_TYPE, "not": {"const": "group"}}
    return {
        "type": "object",
        "properties": {
            "subject": _entity({"type": subject_type, "id": _text(256)}, needs=needs),
            "action": _entity({"name": _text(128)}, needs=needs),
            "resource": _entity({"type": _TYPE, "id": _text(512)}, needs=needs),
            "context": {"type": "object"},
        },
    } | ({"required": ["subject", "action", "resource"]} if needs else {})


_SCHEMAS: Final = {
    "EvaluationRequest": _question(needs=True),
    "EvaluationsRequest": {
        **_question(needs=False),
        "properties": {
            **_question(needs=False)["properties"],
            "evaluations": {"type": "array", "maxItems": MAX_QUESTIONS, "items": _question(needs=False)},
            "options": {
                "type": "object",
                "properties": {"evaluations_semantic": {"type": "string", "enum": list(Semantic)}},
            },
        },
    },
    "Evaluation": {
        "type": "object",
        "properties": {"decision": {"type": "boolean"}, "context": {"type": "object"}},
        "required": ["decision"],
    },
    "Evaluations": {
        "type": "object",
        "properties": {"evaluations": {"type": "array", "items": {"$ref": "#/components/schemas/Evaluation"}}},
        "required": ["evaluations"],
    },
    "AuthzenConfiguration": {
        "type": "object",
        "properties": {
            name: {"type": "string"}
            for name in ("policy_decision_point", "access_evaluation_endpoint", "access_evaluations_endpoint")
        },
        "required": ["policy_decision_point", "access_evaluation_endpoint", "access_evaluations_endpoint"],
    },
}
_REFUSED: Final = {
    "description": "Why there is no answer: a text, or problem details where `Accept` names them.",
    "content": {
        "text/plain": {"schema": {"type": "string"}},
        "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}},
    },
}


def with_evaluations(document: dict[str, Any]) -> dict[str, Any]:
    """Return `document` with the endpoints that other enforcement points ask."""
    document["components"]["schemas"] |= _SCHEMAS
    document["components"]["responses"]["EvaluationRefusal"] = _REFUSED
    document["tags"].append({"name": "evaluations", "description": "What other enforcement points ask (AuthZEN 1.0)."})
    for where, parameters in (("", []), ("/{environment}", [_ENVIRONMENT])):
        document["paths"] |= {
            f"{where}/access/v1/evaluation": {
                "post": _asking(
                    "Ask for a decision.",
                    parameters,
                    takes={"$ref": "#/components/schemas/EvaluationRequest"},
                    gives={"$ref": "#/components/schemas/Evaluation"},
                )
            },
            f"{where}/access/v1/evaluations": {
                "post": _asking(
                    "Ask for several decisions, which one snapshot makes.",
                    parameters,
                    takes={"$ref": "#/components/schemas/EvaluationsRequest"},
                    gives={
                        "anyOf": [
                            {"$ref": "#/components/schemas/Evaluations"},
                            {"$ref": "#/components/schemas/Evaluation"},
                        ]
                    },
                )
            },
            f"/.well-known/authzen-configuration{where}": {"get": _configuration(parameters)},
        }
    return document


def _asking(summary: str, parameters: list[Any], *, takes: dict[str, Any], gives: dict[str, Any]) -> dict[str, Any]:
    refused = ("400", "401", "403", "404", "413", "429", "503", "default")
    return {
        "tags": ["evaluations"],
        "summary": summary,
        "parameters": [*parameters, _REQUEST_ID],
        "requestBody": {"required": True, "content": {"application/json": {"schema": takes}}},
        "security": [{"token": []}],
        "x-permission": Permission.EVALUATIONS_WRITE.value,
        "responses": {
            "200": {"description": "OK", "content": {"application/json": {"schema": gives}}},
            **{status: {"$ref": REFUSAL} for status in refused},
        },
    }


def _configuration(parameters: list[Any]) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/AuthzenConfiguration"}
    return {
        "tags": ["evaluations"],
        "summary": "Where decisions are asked for.",
        "parameters": [*parameters, _REQUEST_ID],
        "responses": {
            "200": {"description": "OK", "content": {"application/json": {"schema": schema}}},
            **({"404": {"$ref": REFUSAL}} if parameters else {}),
            "default": {"$ref": REFUSAL},
        },
    }
