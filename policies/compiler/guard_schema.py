# SPDX-License-Identifier: Apache-2.0
"""The JSON Schema of `input`, by which OPA checks the types of guards: a field that there is not is an error.

Without it a guard that misspells a field is undefined for every request, so that what it should deny passes.
"""

from typing import Any, Final

_TEXT: Final = {"type": "string"}
_WHOLE: Final = {"type": "integer"}
_TEXTS: Final = {"type": "array", "items": _TEXT}
# What another enforcement point says of itself, in its own words.
_ANYTHING: Final = {"type": "object", "additionalProperties": True}


def _object(**of: Any) -> dict[str, Any]:
    return {"type": "object", "properties": of, "additionalProperties": False}


def _or_null(of: str) -> dict[str, Any]:
    return {"anyOf": [{"type": of}, {"type": "null"}]}


SCHEMA: Final[dict[str, Any]] = {
    "$schema": "http://json-schema.org/draft-07/schema",
    "title": "Gatehouse: the input of a guard",
    **_object(
        subject=_object(type=_TEXT, id=_TEXT, groups=_TEXTS, properties=_ANYTHING),
        action=_object(name=_TEXT, properties=_ANYTHING),
        resource=_object(type=_TEXT, id=_TEXT, properties=_ANYTHING),
        context=_object(tenant=_TEXT, environment=_TEXT, time=_TEXT, properties=_ANYTHING),
        request=_object(
            stream={"type": "boolean"},
            max_tokens=_or_null("integer"),
            n=_WHOLE,
            message_count=_WHOLE,
            roles=_TEXTS,
            tools=_TEXTS,
            tool_choice=_or_null("string"),
            text_chars=_WHOLE,
            body_bytes=_WHOLE,
        ),
        access=_object(effect=_TEXT),
        # Only where a guard is asked about the tool calls of an answer.
        tool_calls={"type": "array", "items": _object(index=_WHOLE, name=_TEXT, arguments=_ANYTHING)},
    ),
}
