# SPDX-License-Identifier: Apache-2.0
"""Answers in OpenAI's shapes: the chat's and the bare completion's, whole and in chunks."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from inference.api.errors import Refusal
from inference.job import FinishReason

Json = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    prompt_tokens: int
    completion_tokens: int

    def body(self) -> Json:
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
        }


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the texts that a request is answered with, complete."""

    text: str
    reason: FinishReason


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerShape(ABC):
    """How one answer is written. `include_usage` puts `usage` into every chunk, null in all but the last."""

    id: str
    created: int
    model: str
    include_usage: bool
    done: ClassVar[bytes] = b"data: [DONE]\n\n"

    @abstractmethod
    def whole(self, choices: Sequence[Choice], usage: Usage) -> Json: ...

    @abstractmethod
    def opening(self, index: int) -> list[Json]:
        """The chunks before any text of this choice."""

    @abstractmethod
    def piece(self, text: str, index: int) -> Json: ...

    @abstractmethod
    def closing(self, choice: Choice, index: int) -> list[Json]:
        """The chunks behind all of this choice's text."""

    @abstractmethod
    def ending(self, choices: Sequence[Choice], usage: Usage) -> list[Json]:
        """The chunks behind every choice, the one that `include_usage` asks for among them."""

    def failure(self, refusal: Refusal) -> Json:
        return refusal.body()

    def event(self, body: Json, number: int) -> bytes:  # noqa: ARG002  # where chunks are numbered they are in the shape
        # ASCII: no character of the model's can look like a line's end to any reader of event streams.
        return b"data: " + json.dumps(body, separators=(",", ":")).encode("ascii") + b"\n\n"

    def _frame(self, kind: str, choices: Sequence[Json]) -> dict[str, object]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model, "choices": choices}

    def _chunk(self, kind: str, choices: list[Json], usage: Usage | None = None) -> Json:
        chunk = self._frame(kind, choices)
        if self.include_usage:
            chunk["usage"] = usage.body() if usage else None
        return chunk


class ChatShape(AnswerShape):
    """`chat.completion` and `chat.completion.chunk`."""

    def whole(self, choices: Sequence[Choice], usage: Usage) -> Json:
        written = [
            {
                "index": index,
                "message": {"role": "assistant", "content": choice.text, "refusal": None},
                "logprobs": None,
                "finish_reason": str(choice.reason),
            }
            for index, choice in enumerate(choices)
        ]
        return self._frame("chat.completion", written) | {"usage": usage.body()}

    def opening(self, index: int) -> list[Json]:
        return [self._delta({"role": "assistant", "content": "", "refusal": None}, index, None)]

    def piece(self, text: str, index: int) -> Json:
        return self._delta({"content": text}, index, None)

    def closing(self, choice: Choice, index: int) -> list[Json]:
        return [self._delta({}, index, str(choice.reason))]

    def ending(self, choices: Sequence[Choice], usage: Usage) -> list[Json]:  # noqa: ARG002  # only others repeat them
        return [self._chunk("chat.completion.chunk", [], usage)] if self.include_usage else []

    def _delta(self, delta: Json, index: int, reason: str | None) -> Json:
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": reason}
        return self._chunk("chat.completion.chunk", [choice])


class CompletionShape(AnswerShape):
    """`text_completion`, whole and in chunks."""

    def whole(self, choices: Sequence[Choice], usage: Usage) -> Json:
        written = [self._choice(choice.text, index, str(choice.reason)) for index, choice in enumerate(choices)]
        return self._frame("text_completion", written) | {"usage": usage.body()}

    def opening(self, index: int) -> list[Json]:  # noqa: ARG002  # this dialect has none
        return []

    def piece(self, text: str, index: int) -> Json:
        return self._chunk("text_completion", [self._choice(text, index, None)])

    def closing(self, choice: Choice, index: int) -> list[Json]:
        return [self._chunk("text_completion", [self._choice("", index, str(choice.reason))])]

    def ending(self, choices: Sequence[Choice], usage: Usage) -> list[Json]:  # noqa: ARG002  # as above
        return [self._chunk("text_completion", [], usage)] if self.include_usage else []

    def _choice(self, text: str, index: int, reason: str | None) -> Json:
        return {"text": text, "index": index, "logprobs": None, "finish_reason": reason}
