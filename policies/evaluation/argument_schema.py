# SPDX-License-Identifier: Apache-2.0
"""What a tools policy says of the arguments of a call, checked once and then asked for each call.

Theory: a JSON Schema (2020-12) is compiled by jsonschema-rs with its linear regular expressions and without a
retriever, so that no arguments take longer than their length and no schema reads a file or an address. `$ref` leads
only to `#/$defs/NAME`, never in a circle and never to more than MAX_SUBSCHEMAS in all: a few lines could else ask for
a billion checks of one value.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from jsonschema_rs import Draft202012Validator, RegexOptions, ValidationError

MAX_SUBSCHEMAS: Final = 10_000
# Of the compiled form of one pattern. Those of a schema have some kilobytes; a nested count has gigabytes.
_PATTERN_BYTES: Final = 1024 * 1024
_DEFS: Final = "#/$defs/"
# The first name a schema from elsewhere, or have a meaning that depends on who refers to them. The others look once
# more at all that was looked at, at every level: twenty levels of them take a minute for one value.
_REFUSED: Final = frozenset(
    {"$dynamicRef", "$dynamicAnchor", "$anchor", "$id", "$vocabulary", "unevaluatedProperties", "unevaluatedItems"}
)
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


class SchemaRefused(ValueError):
    """A schema that arguments cannot be held to. `pointer` is the JSON pointer of the place within it."""

    def __init__(self, problem: str, pointer: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.pointer = pointer


@dataclass(frozen=True, slots=True)
class ArgumentCheck:
    """Whether arguments are as a rule states them."""

    validators: tuple[Draft202012Validator, ...]

    def takes(self, arguments: Mapping[str, Any], *, unclear: bool) -> bool:
        """Return whether `arguments` are so; `unclear` where that cannot be told, as of half a surrogate pair."""
        try:
            return all(validator.is_valid(arguments) for validator in self.validators)
        except (ValueError, RecursionError):
            return unclear


def argument_check(schema: Mapping[str, Any] | None, patterns: Mapping[str, str] | None) -> ArgumentCheck | None:
    """Return the check of a rule's `arguments` and `patterns`; None where it states neither. Raises SchemaRefused."""
    checks = []
    if schema is not None:
        checks.append(compiled_schema(schema))
    for name, pattern in (patterns or {}).items():
        checks.append(compiled_pattern(name, pattern))
    return ArgumentCheck(tuple(checks)) if checks else None


def compiled_schema(schema: Mapping[str, Any]) -> Draft202012Validator:
    """Return the validator of `schema`. Raises SchemaRefused with the place of what is wrong."""
    plain: dict[str, Any] = json.loads(json.dumps(schema))
    if plain.get("$schema", _DIALECT) != _DIALECT:
        raise SchemaRefused("the schema is of another dialect than 2020-12", "/$schema")
    _check_references(plain)
    return _compiled(plain)


def compiled_pattern(name: str, pattern: str) -> Draft202012Validator:
    """Return the validator of arguments whose `name` is a text that `pattern` covers whole. Raises SchemaRefused."""
    _compiled({"pattern": pattern})  # by itself first: `a)|(b` would be one with what is put around it
    whole = {"type": "string", "pattern": f"^(?:{pattern})$"}
    return _compiled({"type": "object", "required": [name], "properties": {name: whole}})


def _compiled(schema: dict[str, Any]) -> Draft202012Validator:
    try:
        return Draft202012Validator(
            schema,
            validate_formats=True,
            ignore_unknown_formats=False,
            pattern_options=RegexOptions(size_limit=_PATTERN_BYTES),
            offline=True,
        )
    except ValidationError as exc:
        raise SchemaRefused(_words_for(exc), _pointer(exc.instance_path)) from exc


def _words_for(exc: ValidationError) -> str:
    path = [str(step) for step in exc.instance_path]
    if path[-1:] == ["pattern"] or path[-2:-1] == ["patternProperties"]:
        return "the pattern is none that is matched in linear time: no look-around, no back reference, no huge count"
    return "the schema is not valid JSON Schema 2020-12, or has a format or a reference that is not known"


def _check_references(schema: Mapping[str, Any]) -> None:
    """Raise SchemaRefused unless every reference leads into `$defs`, and all together lead to few subschemas."""
    defs = schema.get("$defs", {})
    direct: dict[str, list[str]] = {}
    sizes: dict[str, int] = {}
    for name, part in {"": {k: v for k, v in schema.items() if k != "$defs"}, **_named(defs)}.items():
        direct[name], sizes[name] = [], 0
        for pointer, key, value in _members(part, f"/$defs/{name}" if name else ""):
            sizes[name] += 1
            if key in _REFUSED:
                raise SchemaRefused(f"{key} is not permitted here", pointer)
            if key == "$ref" and isinstance(value, str):
                target = value.removeprefix(_DEFS)
                if target == value or target not in defs:
                    raise SchemaRefused(f"$ref leads only to {_DEFS}NAME of the same schema", pointer)
                direct[name].append(target)
    _count(direct, sizes)


def _named(defs: Any) -> dict[str, Any]:
    if not isinstance(defs, dict):
        raise SchemaRefused("$defs is no object", "/$defs")
    return defs


def _count(direct: Mapping[str, list[str]], sizes: Mapping[str, int]) -> None:
    total: dict[str, int] = {}
    left = dict(direct)
    while left:
        done = [name for name, targets in left.items() if all(target in total for target in targets)]
        if not done:
            raise SchemaRefused("the schema refers to itself", f"/$defs/{min(left)}")
        for name in done:
            total[name] = sizes[name] + sum(total[target] for target in left.pop(name))
            if total[name] > MAX_SUBSCHEMAS:
                raise SchemaRefused(f"the schema has more than {MAX_SUBSCHEMAS} parts with what it refers to")


def _members(value: Any, pointer: str) -> Iterator[tuple[str, str, Any]]:
    """Give every member within `value` with its pointer, deepest levels too; a document bounds the depth."""
    if isinstance(value, dict):
        for key, member in value.items():
            at = f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"
            yield at, key, member
            yield from _members(member, at)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _members(item, f"{pointer}/{index}")


def _pointer(path: list[str | int]) -> str:
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in path)
