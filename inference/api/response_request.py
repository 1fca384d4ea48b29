# SPDX-License-Identifier: Apache-2.0
"""What a client may ask of `/v1/responses`: the same chat in other words."""

from collections.abc import Mapping
from typing import Any, Final

from inference.api.errors import invalid, unsupported
from inference.api.fields import Fields, whole_text
from inference.api.requests import ChatRequest, Message, Role, read_wishes

_KNOWN: Final = frozenset(
    {"model", "input", "instructions", "max_output_tokens", "temperature", "top_p", "stream", "stream_options", "user"}
)
_NEUTRAL: Final[Mapping[str, tuple[Any, ...]]] = {
    "background": (False,),
    "store": (False,),
    "tools": ([],),
    "tool_choice": ("auto", "none"),
    "parallel_tool_calls": (True, False),
    "truncation": ("disabled",),
    "text": ({}, {"format": {"type": "text"}}),
    "reasoning": ({},),
    "include": ([],),
    "metadata": ({},),
    "service_tier": ("auto", "default"),
}
_ROLES: Final = frozenset({Role.SYSTEM, Role.DEVELOPER, Role.USER, Role.ASSISTANT})
# What an item holds when it comes straight from an earlier answer: nobody here keeps what its id names.
_ITEM: Final = frozenset({"type", "role", "content", "id", "status"})
_PART_NEUTRAL: Final[Mapping[str, tuple[Any, ...]]] = {"annotations": ([],), "logprobs": ([],)}


def parse_response(members: Mapping[str, Any]) -> ChatRequest:
    fields = Fields(members)
    fields.only(_KNOWN, neutral=_NEUTRAL)
    given = fields.get("input")
    if isinstance(given, list) and given:
        messages = [_message(item, f"input[{i}]") for i, item in enumerate(given)]
    else:
        messages = [Message(role=Role.USER, content=whole_text(given, "input"))]
    if fields.get("instructions") is not None:
        messages.insert(0, Message(role=Role.SYSTEM, content=fields.text("instructions")))
    return ChatRequest(wishes=read_wishes(fields, most="max_output_tokens"), messages=tuple(messages))


def _message(value: Any, at: str) -> Message:
    if not isinstance(value, dict):
        raise invalid(at, f"'{at}' must be an object.", code="invalid_type")
    fields = Fields(value, at)
    if fields.get("type") not in (None, "message"):
        raise unsupported(f"{at}.type")
    role = fields.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        raise invalid(f"{at}.role", f"'{at}.role' must be one of {', '.join(sorted(_ROLES))}.")
    fields.only(_ITEM, neutral={})
    content = fields.get("content")
    if isinstance(content, list):
        text = "".join(_part(part, f"{at}.content[{i}]") for i, part in enumerate(content))
    else:
        text = whole_text(content, f"{at}.content")
    return Message(role=Role(role), content=text)


def _part(value: Any, at: str) -> str:
    if not isinstance(value, dict):
        raise invalid(at, f"'{at}' must be an object.", code="invalid_type")
    fields = Fields(value, at)
    if fields.get("type") not in ("input_text", "output_text"):
        raise unsupported(f"{at}.type")
    fields.only(frozenset({"type", "text"}), neutral=_PART_NEUTRAL)
    return fields.text("text")
