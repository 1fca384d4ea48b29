# SPDX-License-Identifier: Apache-2.0
"""What a client may ask: read once, whole, and refused by name where this server cannot do it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from inference.api.errors import invalid, unsupported
from inference.api.fields import INT64, Fields, whole_text

MOST_STOPS: Final = 4  # as OpenAI has it
MOST_CHOICES: Final = 16  # each is a job of its own in the batch


class Role(StrEnum):
    SYSTEM = "system"
    DEVELOPER = "developer"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    role: Role
    content: str
    name: str | None = None
    tool_call_id: str | None = None

    def for_template(self) -> dict[str, str]:
        """The message as chat templates know it. `developer` is OpenAI's newer word for what they call `system`."""
        role = Role.SYSTEM if self.role is Role.DEVELOPER else self.role
        optional = {"name": self.name, "tool_call_id": self.tool_call_id}
        return {"role": str(role), "content": self.content} | {k: v for k, v in optional.items() if v is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the endpoints take beside the prompt."""

    model: str
    max_tokens: int | None
    temperature: float
    top_p: float
    seed: int | None
    choices: int
    stop: tuple[str, ...]
    stream: bool
    include_usage: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    wishes: Wishes
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionRequest:
    wishes: Wishes
    prompt: str


_SHARED: Final = frozenset(
    {"model", "max_tokens", "temperature", "top_p", "seed", "n", "stop", "stream", "stream_options", "user"}
)
_CHAT: Final = _SHARED | {"messages", "max_completion_tokens"}
_COMPLETION: Final = _SHARED | {"prompt"}
# Parameters whose stated value asks for nothing this server would not do anyway. Every other value is refused.
_SHARED_NEUTRAL: Final[dict[str, tuple[Any, ...]]] = {
    "presence_penalty": (0, 0.0),
    "frequency_penalty": (0, 0.0),
    "logit_bias": ({},),
}
CHAT_NEUTRAL: Final[Mapping[str, tuple[Any, ...]]] = _SHARED_NEUTRAL | {
    "logprobs": (False,),
    "store": (False,),
    "modalities": (["text"],),
    "response_format": ({"type": "text"},),
    "service_tier": ("auto", "default"),
}
COMPLETION_NEUTRAL: Final[Mapping[str, tuple[Any, ...]]] = _SHARED_NEUTRAL | {
    "best_of": (1,),
    "echo": (False,),
    "suffix": ("",),
}
_MESSAGE: Final = frozenset({"role", "content", "name"})
# What an assistant's message holds when it comes straight from an earlier answer.
_MESSAGE_NEUTRAL: Final[Mapping[str, tuple[Any, ...]]] = {"annotations": ([],), "tool_calls": ([],), "refusal": ("",)}


def parse_chat(members: Mapping[str, Any]) -> ChatRequest:
    fields = Fields(members)
    fields.only(_CHAT, neutral=CHAT_NEUTRAL)
    messages = fields.get("messages")
    if not isinstance(messages, list) or not messages:
        raise invalid("messages", "'messages' must be an array of at least one message.", code="invalid_type")
    if fields.get("max_tokens") is not None and fields.get("max_completion_tokens") is not None:
        raise invalid("max_tokens", "Give either 'max_tokens' or 'max_completion_tokens'.")
    most = "max_tokens" if fields.get("max_tokens") is not None else "max_completion_tokens"
    return ChatRequest(
        wishes=read_wishes(fields, most=most),
        messages=tuple(_message(message, f"messages[{i}]") for i, message in enumerate(messages)),
    )


def parse_completion(members: Mapping[str, Any]) -> CompletionRequest:
    fields = Fields(members)
    fields.only(_COMPLETION, neutral=COMPLETION_NEUTRAL)
    prompt = fields.get("prompt")
    if isinstance(prompt, list):
        # Several prompts would be several choices, and token numbers would smuggle markers in.
        if len(prompt) != 1 or not isinstance(prompt[0], str):
            raise invalid("prompt", "'prompt' must be a string, or an array of one string.", code="unsupported_value")
        prompt = prompt[0]
    return CompletionRequest(wishes=read_wishes(fields, most="max_tokens"), prompt=whole_text(prompt, "prompt"))


def read_wishes(fields: Fields, *, most: str) -> Wishes:
    """Return what endpoints take beside the prompt. `most` is how this one calls the bound on the answer's tokens."""
    stream = fields.flag("stream")
    if fields.get("user") is not None:
        fields.text("user")
    return Wishes(
        model=fields.text("model"),
        max_tokens=fields.integer(most, low=1),
        temperature=fields.number("temperature", default=1.0, low=0.0, high=2.0),
        top_p=fields.number("top_p", default=1.0, low=0.0, high=1.0),
        seed=fields.integer("seed", low=INT64[0]),
        choices=fields.integer("n", low=1, high=MOST_CHOICES) or 1,
        stop=_stops(fields.get("stop")),
        stream=stream,
        include_usage=_include_usage(fields.get("stream_options"), stream=stream),
    )


def _stops(value: Any) -> tuple[str, ...]:
    stops = value if isinstance(value, list) else [value] if value is not None else []
    if len(stops) > MOST_STOPS:
        raise invalid("stop", f"'stop' takes at most {MOST_STOPS} sequences.")
    texts = tuple(whole_text(stop, "stop") for stop in stops)
    if "" in texts:
        raise invalid("stop", "'stop' must not hold an empty sequence.")
    return texts


def _include_usage(value: Any, *, stream: bool) -> bool:
    if value is None:
        return False
    if not isinstance(value, dict):
        raise invalid("stream_options", "'stream_options' must be an object.", code="invalid_type")
    if not stream:
        raise invalid("stream_options", "'stream_options' goes with 'stream': true only.")
    options = Fields(value, "stream_options")
    options.only(frozenset({"include_usage"}), neutral={"include_obfuscation": (False,)})
    return options.flag("include_usage")


def _message(value: Any, at: str) -> Message:
    if not isinstance(value, dict):
        raise invalid(at, f"'{at}' must be an object.", code="invalid_type")
    fields = Fields(value, at)
    role = fields.get("role")
    if not isinstance(role, str) or role not in set(Role):
        raise invalid(f"{at}.role", f"'{at}.role' must be one of {', '.join(Role)}.")
    is_tool = role == Role.TOOL
    fields.only(_MESSAGE | {"tool_call_id"} if is_tool else _MESSAGE, neutral=_MESSAGE_NEUTRAL)
    return Message(
        role=Role(role),
        content=_content(fields.get("content"), fields.path("content")),
        name=fields.text("name") if fields.get("name") is not None else None,
        tool_call_id=fields.text("tool_call_id") if is_tool else None,
    )


def _content(value: Any, at: str) -> str:
    """The message's text. Parts are set side by side, as they stand."""
    if not isinstance(value, list):
        return whole_text(value, at)
    return "".join(_part(part, f"{at}[{i}]") for i, part in enumerate(value))


def _part(value: Any, at: str) -> str:
    if not isinstance(value, dict):
        raise invalid(at, f"'{at}' must be an object.", code="invalid_type")
    fields = Fields(value, at)
    if fields.get("type") != "text":
        raise unsupported(f"{at}.type")
    fields.only(frozenset({"type", "text"}), neutral={})
    return fields.text("text")
