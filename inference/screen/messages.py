# SPDX-License-Identifier: Apache-2.0
"""Reads a line of `gatehouse screen --jsonl`: which texts it has, and whose each is.

Rules
    Every text that a model would see is read. A part of a message that is of no known kind makes the line an error: it
    is not passed over. Members of the line beside the text or the messages are its owner's, and no model sees them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from inference.screen.question import Input
from policies.screening.model import Origin

_ORIGINS: Final = {str(origin): origin for origin in Origin}
# Any other role is of origin `other`: it is examined too.
_ROLES: Final = _ORIGINS | {
    "user": Origin.USER,
    "system": Origin.SYSTEM,
    "developer": Origin.DEVELOPER,
    "assistant": Origin.ASSISTANT_TEXT,
    "tool": Origin.TOOL_RESULT,
    "function": Origin.TOOL_RESULT,
}
_TEXT_PARTS: Final = {"text": "text", "input_text": "text", "output_text": "text", "refusal": "refusal"}
# Members of a message that are read in a way of their own, or hold no text.
_READ_MEMBERS: Final = frozenset({"role", "content", "tool_calls", "function_call"})
_DEEPEST: Final = 64


class LineRefused(Exception):
    """A line that cannot be judged. Says where in it and why, and quotes nothing of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What a line asks. Of messages, `messages` has for each input the number of its message, else it is None."""

    id: Any
    inputs: tuple[Input, ...]
    messages: tuple[int, ...] | None


def line_of(raw: Any) -> Line:
    """Raises LineRefused."""
    if not isinstance(raw, Mapping):
        raise LineRefused("the line is no JSON object")
    if ("text" in raw) is ("messages" in raw):
        raise LineRefused("the line must have one of text and messages")
    if "text" in raw:
        return Line(id=raw.get("id"), inputs=(Input(_text(raw["text"], "text"), _origin(raw)),), messages=None)
    if "origin" in raw:
        raise LineRefused("origin: belongs to text; a message's origin is its role")
    # Messages without any text are judged as the empty text is: there is nothing in them to find.
    found = list(_messages(raw["messages"])) or [(0, Input("", Origin.USER))]
    return Line(
        id=raw.get("id"), inputs=tuple(each for _, each in found), messages=tuple(number for number, _ in found)
    )


def _origin(raw: Mapping[str, Any]) -> Origin:
    name = raw.get("origin", str(Origin.USER))
    origin = _ROLES.get(name) if isinstance(name, str) else None
    if origin is None:
        raise LineRefused(f"origin: must be one of {', '.join(_ORIGINS)}, or a message's role")
    return origin


def _text(value: Any, at: str) -> str:
    if not isinstance(value, str):
        raise LineRefused(f"{at}: must be a string")
    return value


def _list(value: Any, at: str) -> list[Any]:
    if not isinstance(value, list):
        raise LineRefused(f"{at}: must be an array")
    return value


def _messages(raw: Any) -> Iterator[tuple[int, Input]]:
    messages = _list(raw, "messages")
    if not messages:
        raise LineRefused("messages: is empty")
    for number, message in enumerate(messages):
        at = f"messages[{number}]"
        if not isinstance(message, Mapping):
            raise LineRefused(f"{at}: must be an object")
        for each in _message(message, at):
            yield number, each


def _message(raw: Mapping[str, Any], at: str) -> Iterator[Input]:
    origin = _ROLES.get(_text(raw.get("role"), f"{at}.role"), Origin.OTHER)
    yield from _content(raw.get("content"), origin, f"{at}.content")
    for name in ("tool_calls", "function_call"):
        yield from _strings(raw.get(name), Origin.TOOL_ARGUMENTS, f"{at}.{name}")
    for name, value in raw.items():
        if name not in _READ_MEMBERS:
            yield from _strings(value, Origin.OTHER, f"{at}, other members")


def _content(raw: Any, origin: Origin, at: str) -> Iterator[Input]:
    if raw is None:
        return
    if isinstance(raw, str):
        yield Input(raw, origin)
        return
    for number, part in enumerate(_list(raw, at)):
        yield from _part(part, origin, f"{at}[{number}]")


def _part(raw: Any, origin: Origin, at: str) -> Iterator[Input]:
    if isinstance(raw, str):
        yield Input(raw, origin)
        return
    kind = raw.get("type") if isinstance(raw, Mapping) else None
    if kind == "tool_result":
        yield from _content(raw.get("content"), Origin.TOOL_RESULT, f"{at}.content")
    elif kind == "tool_use":
        yield from _strings(raw.get("input"), Origin.TOOL_ARGUMENTS, f"{at}.input")
    elif isinstance(kind, str) and kind in _TEXT_PARTS:
        member = _TEXT_PARTS[kind]
        yield Input(_text(raw.get(member), f"{at}.{member}"), origin)
    else:
        raise LineRefused(f"{at}.type: must be one of {', '.join((*_TEXT_PARTS, 'tool_result', 'tool_use'))}")


def _strings(raw: Any, origin: Origin, at: str, depth: int = 0) -> Iterator[Input]:
    """Every string in a value, the names of members among them: whoever writes the one can write the other."""
    if depth > _DEEPEST:
        raise LineRefused(f"{at}: is nested too deep")
    if isinstance(raw, str):
        yield Input(raw, origin)
    elif isinstance(raw, list):
        for each in raw:
            yield from _strings(each, origin, at, depth + 1)
    elif isinstance(raw, Mapping):
        for name, value in raw.items():
            yield Input(name, origin)
            yield from _strings(value, origin, at, depth + 1)
