# SPDX-License-Identifier: Apache-2.0
"""Which text of a request is of which field class, for each dialect: data that `request_walk.py` goes by.

Rules: whatever a shape does not name is text all the same, of the class of what it stands in. So a member that a route
lets pass, or that a dialect gains, is redacted before anybody has named it here. What is left alone is listed, each
with its reason: the model, which was decided on and must be what was decided, and what no detector reads.

The order of members is that in which values get their numbers: what a conversation repeats in each turn comes first,
so that a value keeps its number from turn to turn.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from policies.contracts.snapshot import Dialect, FieldClass


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What the texts of one value are. The items of a list have the shape of the list.

    `field` is the class of the value's texts where nothing below says otherwise. `members` are the shapes of an
    object's members. `variants` are shapes of the object as a whole, told apart by the first of its members `told_by`
    that names one of them. `is_json`: a string is JSON and redacted within. `is_parts`: a list of it is
    one text in parts. `left`: it is not looked at, and why.
    """

    field: FieldClass = FieldClass.OTHER
    members: Mapping[str, "Shape"] = dataclasses.field(default_factory=dict)
    told_by: tuple[str, ...] = ()
    variants: Mapping[str, "Shape"] = dataclasses.field(default_factory=dict)
    is_json: bool = False
    is_parts: bool = False
    left: str = ""


# Words of the protocol where the protocol has them: they say nothing of anybody, and another word would break it.
WORDS: Final[Mapping[str, frozenset[str]]] = {
    "role": frozenset({"system", "developer", "user", "assistant", "tool"}),
    "type": frozenset(
        {
            *("text", "refusal", "image_url", "input_audio", "function", "json_object", "json_schema"),
            *("message", "input_text", "output_text", "input_image", "function_call", "function_call_output"),
            *("reasoning", "summary_text", "reasoning_text", "item_reference", "custom", "auto"),
            *("object", "string", "number", "integer", "boolean", "array", "null"),
        },
    ),
    "tool_choice": frozenset({"none", "auto", "required"}),
    "detail": frozenset({"auto", "low", "high"}),
    "format": frozenset({"wav", "mp3"}),
    "mode": frozenset({"implicit", "explicit", "auto", "required"}),
    "status": frozenset({"in_progress", "completed", "incomplete"}),
    "encoding_format": frozenset({"float", "base64"}),
    "response_format": frozenset({"json", "verbose_json"}),
    "reasoning_effort": frozenset({"none", "minimal", "low", "medium", "high", "xhigh", "max"}),
    "effort": frozenset({"none", "minimal", "low", "medium", "high", "xhigh", "max"}),
    "phase": frozenset({"commentary", "final_answer"}),
    "summary": frozenset({"auto", "concise", "detailed"}),
    "generate_summary": frozenset({"auto", "concise", "detailed"}),
    "verbosity": frozenset({"low", "medium", "high"}),
    "service_tier": frozenset({"auto", "default", "fast", "flex", "priority", "scale"}),
    "prompt_cache_retention": frozenset({"in_memory", "24h"}),
    "truncation": frozenset({"auto", "disabled"}),
}

_MODEL: Final = Shape(left="decided-on")
_ARGUMENTS: Final = Shape(field=FieldClass.TOOL_ARGUMENTS, is_json=True)
_SCHEMA: Final = Shape(field=FieldClass.TOOL_SCHEMA)
_FUNCTION: Final = Shape(
    field=FieldClass.TOOL_SCHEMA, members={"name": _SCHEMA, "description": _SCHEMA, "parameters": _SCHEMA}
)


# Parts that the reader takes only from users, only as inline media, and only where the route lists their modality.
_MEDIA: Final = {
    "image_url": Shape(members={"image_url": Shape(members={"url": Shape(left="image")})}),
    "input_image": Shape(members={"image_url": Shape(left="image")}),
    "input_audio": Shape(members={"input_audio": Shape(members={"data": Shape(left="audio")})}),
}


def _content(of: FieldClass) -> Shape:
    """Return the shape of a text, or of parts of which some are text."""
    return Shape(
        field=of,
        members={"text": Shape(field=of), "refusal": Shape(field=FieldClass.REFUSAL)},
        is_parts=True,
        told_by=("type",),
        variants=_MEDIA if of is FieldClass.USER else {},
    )


def _message(of: FieldClass) -> Shape:
    return Shape(
        members={
            "content": _content(of),
            "refusal": Shape(field=FieldClass.REFUSAL),
            "reasoning": Shape(field=FieldClass.REASONING),
            "reasoning_content": Shape(field=FieldClass.REASONING),
            "tool_calls": Shape(members={"id": Shape(), "function": _CALL}),
            "function_call": _CALL,
            "name": Shape(),
            "tool_call_id": Shape(),
        },
    )


_CALL: Final = Shape(members={"name": Shape(), "arguments": _ARGUMENTS})
_MESSAGES: Final = Shape(
    told_by=("role",),
    variants={
        "system": _message(FieldClass.SYSTEM),
        "developer": _message(FieldClass.DEVELOPER),
        "user": _message(FieldClass.USER),
        "assistant": _message(FieldClass.ASSISTANT_TEXT),
        "tool": _message(FieldClass.TOOL_RESULT),
    },
)
_CHAT: Final = Shape(
    members={
        "messages": _MESSAGES,
        "tools": Shape(field=FieldClass.TOOL_SCHEMA, members={"function": _FUNCTION}),
        "response_format": Shape(
            field=FieldClass.TOOL_SCHEMA,
            members={
                "json_schema": Shape(
                    field=FieldClass.TOOL_SCHEMA, members={"name": _SCHEMA, "description": _SCHEMA, "schema": _SCHEMA}
                )
            },
        ),
        "tool_choice": Shape(field=FieldClass.TOOL_SCHEMA),
        "stop": Shape(),
        "user": Shape(),
        "metadata": Shape(),
        "prompt_cache_key": Shape(),
        "safety_identifier": Shape(),
        "model": _MODEL,
    },
)
_THOUGHTS: Final = Shape(field=FieldClass.REASONING, members={"text": Shape(field=FieldClass.REASONING)})
_FOUND: Final = dataclasses.replace(_content(FieldClass.TOOL_RESULT), variants={"input_image": _MEDIA["input_image"]})
_ITEMS: Final = Shape(
    field=FieldClass.USER,
    told_by=("type", *_MESSAGES.told_by),
    variants={
        **_MESSAGES.variants,
        "function_call": Shape(members={"call_id": Shape(), "name": Shape(), "arguments": _ARGUMENTS}),
        "function_call_output": Shape(members={"call_id": Shape(), "output": _FOUND}),
        "reasoning": Shape(members={"summary": _THOUGHTS, "content": _THOUGHTS}),
    },
)
_RESPONSES: Final = Shape(
    members={
        "instructions": Shape(field=FieldClass.SYSTEM),
        "input": _ITEMS,
        "tools": _FUNCTION,
        "text": Shape(
            field=FieldClass.TOOL_SCHEMA,
            members={
                "format": Shape(
                    field=FieldClass.TOOL_SCHEMA, members={"name": _SCHEMA, "description": _SCHEMA, "schema": _SCHEMA}
                )
            },
        ),
        "tool_choice": Shape(field=FieldClass.TOOL_SCHEMA),
        "user": Shape(),
        "metadata": Shape(),
        "prompt_cache_key": Shape(),
        "safety_identifier": Shape(),
        "model": _MODEL,
    },
)
_COMPLETIONS: Final = Shape(
    members={
        "prompt": Shape(field=FieldClass.USER),
        "suffix": Shape(field=FieldClass.USER),
        "stop": Shape(),
        "user": Shape(),
        "metadata": Shape(),
        "model": _MODEL,
    },
)
_EMBEDDINGS: Final = Shape(members={"input": Shape(field=FieldClass.USER), "user": Shape(), "model": _MODEL})
_TRANSCRIPTIONS: Final = Shape(members={"prompt": Shape(field=FieldClass.USER), "language": Shape(), "model": _MODEL})

# Redacting the requests of a dialect is one line here.
SHAPES: Final[Mapping[Dialect, Shape]] = {
    Dialect.CHAT: _CHAT,
    Dialect.RESPONSES: _RESPONSES,
    Dialect.COMPLETIONS: _COMPLETIONS,
    Dialect.EMBEDDINGS: _EMBEDDINGS,
    Dialect.TRANSCRIPTIONS: _TRANSCRIPTIONS,
}
