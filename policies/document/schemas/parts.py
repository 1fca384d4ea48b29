# SPDX-License-Identifier: Apache-2.0
"""Pieces of JSON Schema (2020-12) for the values that the reader takes, made of the very forms it compares with."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, TypeAlias

from policies.document.forms import Form

Schema: TypeAlias = dict[str, Any]

# Any JSON without fractional numbers; each schema that refers to it carries it in its `$defs`.
ANY_JSON: Final[Schema] = {"$ref": "#/$defs/json"}
JSON_DEFINITION: Final[Schema] = {
    "description": "Any JSON without fractional numbers.",
    "type": ["object", "array", "string", "integer", "boolean", "null"],
    "additionalProperties": ANY_JSON,
    "items": ANY_JSON,
}


def text(form: Form, words: str, **more: Any) -> Schema:
    """Return the schema of a text of `form`; its pattern is in ECMA-262's words, which is what editors have."""
    made: Schema = {"type": "string", "description": words, "maxLength": form.longest}
    pattern = form.pattern.pattern.replace("(?s).", r"[\s\S]").replace(r"\Z", "$")
    return made | {"pattern": f"^(?:{pattern})$"} | more


def choice(of: type[StrEnum], words: str, *, default: StrEnum | None = None) -> Schema:
    stated = {} if default is None else {"default": str(default)}
    return {"type": "string", "description": words, "enum": [str(each) for each in of]} | stated


def whole(low: int, high: int, words: str, *, default: int | None = None) -> Schema:
    stated = {} if default is None else {"default": default}
    return {"type": "integer", "description": words, "minimum": low, "maximum": high} | stated


def share(words: str, **more: Any) -> Schema:
    return {"type": "number", "description": words, "minimum": 0.0001, "maximum": 1} | more


def flag(words: str, *, default: bool | None = None) -> Schema:
    stated = {} if default is None else {"default": default}
    return {"type": "boolean", "description": words} | stated


def listed(items: Schema, words: str, *, at_least: int = 0, unique: bool = True) -> Schema:
    """Return the schema of a list. Texts and words of one list differ; of objects, their ids do."""
    made: Schema = {"type": "array", "description": words, "items": items}
    return made | ({"minItems": at_least} if at_least else {}) | ({"uniqueItems": True} if unique else {})


def members(words: str, of: Mapping[str, Schema], *, required: Sequence[str] = (), **more: Any) -> Schema:
    """Return the schema of an object that has the members `of` and no other."""
    made: Schema = {"type": "object", "description": words, "properties": dict(of), "additionalProperties": False}
    return made | ({"required": list(required)} if required else {}) | more


def keyed(form: Form, values: Schema, words: str) -> Schema:
    """Return the schema of an object whose keys are the author's."""
    keys = {name: value for name, value in text(form, "").items() if name != "description"}
    return {"type": "object", "description": words, "propertyNames": keys, "additionalProperties": values}
