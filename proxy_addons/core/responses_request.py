# SPDX-License-Identifier: Apache-2.0
"""Reads the body of an OpenAI responses request: every field is known, of its type, and examined, or it is refused.

Rules: what names something that the upstream keeps (a past response, a conversation, a stored prompt or item, the id
of its own reasoning) is refused by name: nobody here has examined what it holds, or knows whose it is. So is reasoning
that is encrypted, which only the upstream can read, and so are tools that the upstream runs itself, with their items.
"""

from collections.abc import Mapping
from typing import Any, Final

from policies.contracts.request import RequestFacts
from policies.contracts.snapshot import Modality
from proxy_addons.core.inline_media import audio_data, image_url
from proxy_addons.core.openai_request import MAX_TOKENS, MODEL, PARAMETERS, USER
from proxy_addons.core.refused import Refused
from proxy_addons.core.request_fields import (
    NOT_PERMITTED,
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

_MAX_ITEMS: Final = 4096
_MAX_TOOLS: Final = 128
_MAX_TOOL_CALLS: Final = 2**31 - 1
_MAX_TOP_LOGPROBS: Final = 20

_NAME: Final = pattern(r"[A-Za-z0-9._-]{1,64}")
_ID: Final = pattern(r"[ -~]{1,256}")
_STATUS: Final = nullable(one_of("in_progress", "completed", "incomplete"))


def _refused_by_name(*kinds: str) -> dict[str, Check]:
    """Return, for each kind, a check that takes nothing and names the kind to the client."""

    def check_of(kind: str) -> Check:
        def check(_value: Any, _reading: Reading) -> None:
            raise Refused(NOT_PERMITTED, param=kind)

        return check

    return {kind: check_of(kind) for kind in kinds}


def _uncovered(modality: Modality, kind: str, inner: Check) -> Check:
    """Return a check for parts that no detector reads: whether they may come at all is asked before what they are."""

    def check(value: Any, reading: Reading) -> None:
        reading.covers(modality, f"input.*.content.*.{kind}", kind=kind)
        inner(value, reading)

    return check


_OF_ANY_PART: Final[dict[str, Check]] = {"prompt_cache_breakpoint": nullable(record({"mode": one_of("explicit")}))}
_INPUT_TEXT: Final = record({"type": one_of("input_text"), "text": text}, _OF_ANY_PART)
_INPUT_IMAGE: Final = record(
    {"type": one_of("input_image"), "image_url": image_url},
    {"detail": nullable(one_of("auto", "low", "high", "original")), "file_id": absent, **_OF_ANY_PART},
)
_INPUT_AUDIO: Final = record(
    {"type": one_of("input_audio"), "input_audio": record({"data": audio_data, "format": one_of("wav", "mp3")})}
)
_OUTPUT_TEXT: Final = record({"type": one_of("output_text"), "text": text}, {"annotations": absent, "logprobs": absent})
_REFUSAL: Final = record({"type": one_of("refusal"), "refusal": text})
_UNEXAMINED_PARTS: Final = frozenset({"input_image", "input_audio", "input_file", "input_video", "computer_screenshot"})


def _content(parts: Mapping[str, Check]) -> Check:
    return either(text, array(variant("type", parts, known=_UNEXAMINED_PARTS), least=1, most=_MAX_ITEMS))


_SEEN: Final = {"input_text": _INPUT_TEXT, "input_image": _uncovered(Modality.IMAGE, "input_image", _INPUT_IMAGE)}
_HEARD: Final = {"input_audio": _uncovered(Modality.AUDIO, "input_audio", _INPUT_AUDIO)}
_OF_ANY_MESSAGE: Final[dict[str, Check]] = {"type": one_of("message"), "id": _ID, "status": _STATUS}
_INSTRUCTION: Final = record({"role": text, "content": _content({"input_text": _INPUT_TEXT})}, _OF_ANY_MESSAGE)
_MESSAGE: Final = variant(
    "role",
    {
        "system": _INSTRUCTION,
        "developer": _INSTRUCTION,
        "user": record({"role": text, "content": _content(_SEEN | _HEARD)}, _OF_ANY_MESSAGE),
        "assistant": record(
            {
                "role": text,
                "content": _content({"output_text": _OUTPUT_TEXT, "refusal": _REFUSAL, "input_text": _INPUT_TEXT}),
            },
            {**_OF_ANY_MESSAGE, "phase": nullable(one_of("commentary", "final_answer"))},
        ),
    },
)
_OF_ANY_CALL: Final[dict[str, Check]] = {"id": nullable(_ID), "status": _STATUS, "namespace": absent, "caller": absent}
_FUNCTION_CALL: Final = record({"type": text, "call_id": _ID, "name": _NAME, "arguments": text}, _OF_ANY_CALL)
_FUNCTION_CALL_OUTPUT: Final = record(
    {"type": text, "call_id": _ID, "output": _content(_SEEN)}, {**_OF_ANY_CALL, "name": nullable(_NAME)}
)


def _thoughts(kind: str) -> Check:
    return array(record({"type": one_of(kind), "text": text}), least=0, most=_MAX_ITEMS)


_REASONING: Final = record(
    {"type": text},
    {
        "summary": _thoughts("summary_text"),
        "content": nullable(_thoughts("reasoning_text")),
        "status": _STATUS,
        "id": absent,
        "encrypted_content": absent,
    },
)
_TYPED_ITEM: Final = variant(
    "type",
    {
        "message": _MESSAGE,
        "function_call": _FUNCTION_CALL,
        "function_call_output": _FUNCTION_CALL_OUTPUT,
        "reasoning": _REASONING,
        **_refused_by_name(
            *("item_reference", "compaction", "compaction_trigger", "additional_tools", "program", "program_output"),
            *("web_search_call", "file_search_call", "code_interpreter_call", "image_generation_call"),
            *("computer_call", "computer_call_output", "local_shell_call", "local_shell_call_output"),
            *("shell_call", "shell_call_output", "apply_patch_call", "apply_patch_call_output"),
            *("mcp_call", "mcp_list_tools", "mcp_approval_request", "mcp_approval_response"),
            *("custom_tool_call", "custom_tool_call_output", "tool_search_call", "tool_search_output"),
        ),
    },
)


def _item(value: Any, reading: Reading) -> None:
    """Take an item of the input. One without a type is a message."""
    (_TYPED_ITEM if isinstance(value, dict) and "type" in value else _MESSAGE)(value, reading)


_BUILT_IN: Final = _refused_by_name(
    *("web_search", "web_search_2025_08_26", "web_search_preview", "web_search_preview_2025_03_11", "file_search"),
    *("code_interpreter", "image_generation", "mcp", "computer", "computer_use", "computer_use_preview"),
    *("local_shell", "shell", "apply_patch", "custom", "namespace", "tool_search", "programmatic_tool_calling"),
)
_TOOL: Final = variant(
    "type",
    {
        "function": record(
            {"type": text, "name": _NAME},
            {
                "description": nullable(text),
                "parameters": nullable(free_object),
                "strict": nullable(boolean),
                "output_schema": absent,
                "defer_loading": absent,
                "allowed_callers": absent,
            },
        ),
        **_BUILT_IN,
    },
)
_NAMED_TOOL: Final = variant("type", {"function": record({"type": text, "name": _NAME}), **_BUILT_IN})
_CHOICE_OF_TOOLS: Final = variant(
    "type",
    {
        "function": _NAMED_TOOL,
        "allowed_tools": record(
            {"type": text, "mode": one_of("auto", "required"), "tools": array(_NAMED_TOOL, least=1, most=_MAX_TOOLS)}
        ),
        **_BUILT_IN,
    },
)
_CHOICE: Final = one_of("none", "auto", "required")


def _tool_choice(value: Any, reading: Reading) -> None:
    (_CHOICE_OF_TOOLS if isinstance(value, dict) else _CHOICE)(value, reading)


_FORMAT: Final = variant(
    "type",
    {
        "text": record({"type": text}),
        "json_object": record({"type": text}),
        "json_schema": record(
            {"type": text, "name": _NAME, "schema": free_object},
            {"description": nullable(text), "strict": nullable(boolean)},
        ),
    },
)
_INCLUDED: Final = one_of("message.output_text.logprobs", "reasoning.encrypted_content")
_SUMMARY: Final = nullable(one_of("auto", "concise", "detailed"))
_REASONING_WISHES: Final = record(
    {},
    {
        "effort": nullable(one_of("none", "minimal", "low", "medium", "high", "xhigh", "max")),
        "summary": _SUMMARY,
        "generate_summary": _SUMMARY,
        "mode": nullable(one_of("standard", "pro")),
        "context": nullable(one_of("auto", "current_turn", "all_turns")),
    },
)
_TEXT_WISHES: Final = record({}, {"format": nullable(_FORMAT), "verbosity": nullable(one_of("low", "medium", "high"))})
_BODY: Final = record(
    {"model": MODEL, "input": either(text, array(_item, least=1, most=_MAX_ITEMS))},
    {
        **{name: PARAMETERS[name] for name in ("temperature", "top_p", "stream")},
        "instructions": nullable(text),
        "max_output_tokens": nullable(integer(1, MAX_TOKENS)),
        "max_tool_calls": nullable(integer(1, _MAX_TOOL_CALLS)),
        "tools": nullable(array(_TOOL, least=0, most=_MAX_TOOLS)),
        "tool_choice": nullable(_tool_choice),
        "parallel_tool_calls": nullable(boolean),
        "text": nullable(_TEXT_WISHES),
        "reasoning": nullable(_REASONING_WISHES),
        "include": nullable(array(_INCLUDED, least=0, most=2)),
        "top_logprobs": nullable(integer(0, _MAX_TOP_LOGPROBS)),
        "stream_options": nullable(record({}, {"include_obfuscation": boolean})),
        "truncation": nullable(one_of("auto", "disabled")),
        "service_tier": nullable(one_of("auto", "default", "fast", "flex", "priority", "scale", "ultrafast")),
        "user": nullable(USER),
        "safety_identifier": nullable(USER),
        "prompt_cache_key": nullable(USER),
        "prompt_cache_options": nullable(
            record({}, {"mode": one_of("implicit", "explicit"), "ttl": pattern(r"[0-9]{1,4}[smhd]")})
        ),
        "prompt_cache_retention": nullable(one_of("in_memory", "24h")),
        # Named, so that the client is told which field policy does not permit.
        "background": absent,
        "context_management": absent,
        "conversation": absent,
        "metadata": absent,
        "moderation": absent,
        "previous_response_id": absent,
        "prompt": absent,
        "store": absent,
    },
)


def read_responses(body: Mapping[str, Any], reading: Reading, *, body_bytes: int) -> tuple[str, RequestFacts]:
    """Return model and facts of a responses request. Raises Refused where a field is unknown or not of its type.

    A message of each role counts as such; `instructions` are one of the system, a call is the assistant's, and what
    came of it the tool's.
    """
    _BODY(body, reading)
    instructions, given = body.get("instructions"), body["input"]
    items: list[dict[str, Any]] = [{"role": "user", "content": given}] if isinstance(given, str) else given
    tools = tuple([tool["name"] for tool in body.get("tools") or ()])
    roles = tuple([_role(item) for item in items])
    facts = RequestFacts(
        stream=bool(body.get("stream")),
        max_tokens=body.get("max_output_tokens"),
        message_count=len(items) + (instructions is not None),
        roles=roles if instructions is None else ("system", *roles),
        tools=tools,
        tool_choice=_chosen(body.get("tool_choice"), tools),
        text_chars=len(instructions or "") + sum(map(_chars, items)) + reading.passed_chars,
        body_bytes=body_bytes,
    )
    return body["model"], facts


def _chosen(choice: str | dict[str, Any] | None, tools: tuple[str, ...]) -> str | None:
    """Return the choice, of a forced tool its name. A tool that is forced but not offered would escape the guards."""
    if choice is None or isinstance(choice, str):
        return choice
    allowed = choice.get("tools")
    names: list[str] = [choice["name"]] if allowed is None else [tool["name"] for tool in allowed]
    if not set(names) <= set(tools):
        raise Refused("field-invalid", param="tool_choice.name" if allowed is None else "tool_choice.tools.name")
    return names[0] if allowed is None else str(choice["mode"])


_ROLE_OF: Final = {"function_call": "assistant", "function_call_output": "tool", "reasoning": "assistant"}


def _role(item: Mapping[str, Any]) -> str:
    return _ROLE_OF.get(item.get("type", "message")) or str(item["role"])


def _chars(item: Mapping[str, Any]) -> int:
    """Return how many characters of text an item has."""
    said = [item.get(member) for member in ("content", "output", "summary", "arguments")]
    return sum(len(each) if isinstance(each, str) else sum(map(_chars_of_part, each or ())) for each in said)


def _chars_of_part(part: Mapping[str, Any]) -> int:
    """Return those of a part: its text or its refusal. Of others nobody knows what they say."""
    return len(part.get("text") or part.get("refusal") or "")
