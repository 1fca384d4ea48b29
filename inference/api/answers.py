# SPDX-License-Identifier: Apache-2.0
"""Answers in OpenAI's shapes: the chat's and the bare completion's, whole and in chunks."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
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


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerShape(ABC):
    """How one answer is written. `include_usage` puts `usage` into every chunk, null in all but the last."""

    id: str
    created: int
    model: str
    include_usage: bool
    done: ClassVar[bytes] = b"data: [DONE]\n\n"

    @abstractmethod
    def whole(self, text: str, reason: FinishReason, usage: Usage) -> Json: ...

    @abstractmethod
    def opening(self) -> list[Json]:
        """The chunks before any text."""

    @abstractmethod
    def piece(self, text: str) -> Json: ...

    @abstractmethod
    def closing(self, text: str, reason: FinishReason, usage: Usage) -> list[Json]:
        """The chunks behind all of the text, with the one without choices that `include_usage` asks for."""

    def failure(self, refusal: Refusal) -> Json:
        return refusal.body()

    def event(self, body: Json, number: int) -> bytes:  # noqa: ARG002  # where chunks are numbered they are in the shape
        # ASCII: no character of the model's can look like a line's end to any reader of event streams.
        return b"data: " + json.dumps(body, separators=(",", ":")).encode("ascii") + b"\n\n"

    def _frame(self, kind: str, choices: list[Json]) -> dict[str, object]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model, "choices": choices}

    def _chunk(self, kind: str, choices: list[Json], usage: Usage | None = None) -> Json:
        chunk = self._frame(kind, choices)
        if self.include_usage:
            chunk["usage"] = usage.body() if usage else None
        return chunk


class ChatShape(AnswerShape):
    """`chat.completion` and `chat.completion.chunk`."""

    def whole(self, text: str, reason: FinishReason, usage: Usage) -> Json:
        message = {"role": "assistant", "content": text, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": str(reason)}
        return self._frame("chat.completion", [choice]) | {"usage": usage.body()}

    def opening(self) -> list[Json]:
        return [self._delta({"role": "assistant", "content": "", "refusal": None}, None)]

    def piece(self, text: str) -> Json:
        return self._delta({"content": text}, None)

    def closing(self, text: str, reason: FinishReason, usage: Usage) -> list[Json]:  # noqa: ARG002  # only others repeat it
        totals = [self._chunk("chat.completion.chunk", [], usage)] if self.include_usage else []
        return [self._delta({}, str(reason)), *totals]

    def _delta(self, delta: Json, reason: str | None) -> Json:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return self._chunk("chat.completion.chunk", [choice])


class CompletionShape(AnswerShape):
    """`text_completion`, whole and in chunks."""

    def whole(self, text: str, reason: FinishReason, usage: Usage) -> Json:
        return self._frame("text_completion", [self._choice(text, str(reason))]) | {"usage": usage.body()}

    def opening(self) -> list[Json]:
        return []

    def piece(self, text: str) -> Json:
        return self._chunk("text_completion", [self._choice(text, None)])

    def closing(self, text: str, reason: FinishReason, usage: Usage) -> list[Json]:  # noqa: ARG002  # as above
        totals = [self._chunk("text_completion", [], usage)] if self.include_usage else []
        return [self._chunk("text_completion", [self._choice("", str(reason))]), *totals]

    def _choice(self, text: str, reason: str | None) -> Json:
        return {"text": text, "index": 0, "logprobs": None, "finish_reason": reason}
