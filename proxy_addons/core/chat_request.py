# SPDX-License-Identifier: Apache-2.0
"""Reads the body of an OpenAI chat request: every field is known, of its type, and examined, or the body is refused.

What no detector reads (images, sound, files) is refused by name; images and sound pass where the route says so, never
by reference: nobody fetches what a client names. `absent` marks fields that clients copy out of a past answer into the
next request: empty they say nothing, filled they are refused.
"""

from collections.abc import Mapping
from typing import Any, Final

from policies.contracts.request import RequestFacts
from policies.contracts.snapshot import Modality
from proxy_addons.core.inline_media import audio_data, image_url
from proxy_addons.core.openai_request import MAX_TOKENS, MODEL, PARAMETERS, USER
from proxy_addons.core.refused import Refused
from proxy_addons.core.request_fields import (
    Check,
    absent,
    array,
    boolean,
    either,
    free_object,
    integer,
    nullable,
    one_of,
    pattern,
    record,
    text,
    variant,
)
from proxy_addons.core.unknown_fields import Reading

_MAX_MESSAGES: Final = 4096
_MAX_PARTS: Final = 4096
_MAX_TOOLS: Final = 128
_MAX_TOP_LOGPROBS: Final = 20

_NAME: Final = pattern(r"[A-Za-z0-9._-]{1,64}")
_CALL_ID: Final = pattern(r"[ -~]{1,256}")

_OF_ANY_PART: Final[dict[str, Check]] = {"prompt_cache_breakpoint": nullable(record({"mode": one_of("explicit")}))}
_TEXT_PART: Final = record({"type": one_of("text"), "text": text}, _OF_ANY_PART)
_REFUSAL_PART: Final = record({"type": one_of("refusal"), "refusal": text})
_UNEXAMINED_PARTS: Final = frozenset({"image_url", "input_image", "input_audio", "input_file", "file", "video_url"})
_IMAGE_PART: Final = record(
    {"type": one_of("image_url"), "image_url": record({"url": image_url}, {"detail": one_of("auto", "low", "high")})},
    _OF_ANY_PART,
)
_AUDIO_PART: Final = record(
    {"type": one_of("input_audio"), "input_audio": record({"data": audio_data, "format": one_of("wav", "mp3")})},
    _OF_ANY_PART,
)


def _content(parts: Mapping[str, Check]) -> Check:
    part = variant("type", parts, known=_UNEXAMINED_PARTS)
    return either(text, array(part, least=1, most=_MAX_PARTS))


def _uncovered(modality: Modality, kind: str, inner: Check) -> Check:
    """Return a check for parts that no detector reads: whether they may come at all is asked before what they are."""

    def check(value: Any, reading: Reading) -> None:
        reading.covers(modality, f"messages.*.content.*.{kind}", kind=kind)
        inner(value, reading)

    return check


_TEXT: Final = _content({"text": _TEXT_PART})
_USER_CONTENT: Final = _content(
    {
        "text": _TEXT_PART,
        "image_url": _uncovered(Modality.IMAGE, "image_url", _IMAGE_PART),
        "input_audio": _uncovered(Modality.AUDIO, "input_audio", _AUDIO_PART),
    },
)
_ASSISTANT_TEXT: Final = _content({"text": _TEXT_PART, "refusal": _REFUSAL_PART})

_TOOL_CALL: Final = record(
    {
        "id": _CALL_ID,
        "type": one_of("function"),
        "function": record({"name": _NAME, "arguments": text}),
    },
)
_INSTRUCTION: Final = record({"role": text, "content": _TEXT}, {"name": _NAME})
_MESSAGE: Final = variant(
    "role",
    {
        "system": _INSTRUCTION,
        "developer": _INSTRUCTION,
        "user": record({"role": text, "content": _USER_CONTENT}, {"name": _NAME}),
        "assistant": record(
            {"role": text},
            {
                "content": nullable(_ASSISTANT_TEXT),
                "name": _NAME,
                "refusal": nullable(text),
                "tool_calls": nullable(array(_TOOL_CALL, least=1, most=_MAX_TOOLS)),
                "annotations": absent,
                "audio": absent,
                "function_call": absent,
            },
        ),
        "tool": record({"role": text, "content": _TEXT, "tool_call_id": _CALL_ID}),
    },
)
_TOOL: Final = record(
    {
        "type": one_of("function"),
        "function": record(
            {"name": _NAME},
            {"description": text, "parameters": free_object, "strict": nullable(boolean)},
        ),
    },
)
_NAMED_TOOL: Final = record({"type": one_of("function"), "function": record({"name": _NAME})})
_RESPONSE_FORMAT: Final = variant(
    "type",
    {
        "text": record({"type": text}),
        "json_object": record({"type": text}),
        "json_schema": record(
            {
                "type": text,
                "json_schema": record(
                    {"name": _NAME},
                    {"description": text, "schema": free_object, "strict": nullable(boolean)},
                ),
            },
        ),
    },
)


_TOOL_CHOICE: Final = one_of("none", "auto", "required")


def _tool_choice(value: Any, reading: Reading) -> None:
    (_NAMED_TOOL if isinstance(value, dict) else _TOOL_CHOICE)(value, reading)


_BODY: Final = record(
    {"model": MODEL, "messages": array(_MESSAGE, least=1, most=_MAX_MESSAGES)},
    {
        **PARAMETERS,
        "max_completion_tokens": nullable(integer(1, MAX_TOKENS)),
        "logprobs": nullable(boolean),
        "top_logprobs": nullable(integer(0, _MAX_TOP_LOGPROBS)),
        "response_format": nullable(_RESPONSE_FORMAT),
        "tools": nullable(array(_TOOL, least=1, most=_MAX_TOOLS)),
        "tool_choice": nullable(_tool_choice),
        "parallel_tool_calls": nullable(boolean),
        "reasoning_effort": nullable(one_of("none", "minimal", "low", "medium", "high", "xhigh", "max")),
        "prompt_cache_key": nullable(USER),
        "prompt_cache_options": nullable(
            record({}, {"mode": one_of("implicit", "explicit"), "ttl": pattern(r"[0-9]{1,4}[smhd]")})
        ),
        "prompt_cache_retention": nullable(one_of("in_memory", "24h")),
        "safety_identifier": nullable(USER),
        "verbosity": nullable(one_of("low", "medium", "high")),
        # Named, so that the client is told which field policy does not permit.
        "audio": absent,
        "function_call": absent,
        "functions": absent,
        "metadata": absent,
        "modalities": absent,
        "moderation": absent,
        "prediction": absent,
        "store": absent,
        "web_search_options": absent,
    },
)


def read_chat(body: Mapping[str, Any], reading: Reading, *, body_bytes: int) -> tuple[str, RequestFacts]:
    """Return model and facts of a chat request. Raises Refused where a field is unknown or not of its type."""
    _BODY(body, reading)
    messages: list[dict[str, Any]] = body["messages"]
    tools = tuple([tool["function"]["name"] for tool in body.get("tools") or ()])
    of_old, of_new = body.get("max_tokens"), body.get("max_completion_tokens")
    facts = RequestFacts(
        stream=bool(body.get("stream")),
        max_tokens=max(of_old, of_new) if of_old and of_new else of_old or of_new,
        n=body.get("n") or 1,
        message_count=len(messages),
        roles=tuple([message["role"] for message in messages]),
        tools=tools,
        tool_choice=_chosen(body.get("tool_choice"), tools),
        text_chars=sum(map(_chars, messages)) + reading.passed_chars,
        body_bytes=body_bytes,
    )
    return body["model"], facts


def _chosen(choice: str | dict[str, Any] | None, tools: tuple[str, ...]) -> str | None:
    """Return the choice, of a forced tool its name. A tool that is forced but not offered would escape the guards."""
    if choice is None or isinstance(choice, str):
        return choice
    name: str = choice["function"]["name"]
    if name not in tools:
        raise Refused("field-invalid", param="tool_choice.function.name")
    return name


_TEXTUAL: Final = frozenset({"text", "refusal"})


def _chars(message: Mapping[str, Any]) -> int:
    """Return how many characters of text a message has."""
    content = message.get("content")
    if isinstance(content, str):
        chars = len(content)
    else:
        # A part of text has its text in `text`, a refusal in `refusal`; of others nobody knows what they say.
        chars = sum([len(part[part["type"]]) for part in content or () if part["type"] in _TEXTUAL])
    if message["role"] == "assistant":
        chars += len(message.get("refusal") or "")
        chars += sum([len(call["function"]["arguments"]) for call in message.get("tool_calls") or ()])
    return chars
