# SPDX-License-Identifier: Apache-2.0
"""Answers in OpenAI's shapes: the chat's and the bare completion's, whole and in chunks."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

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

    @abstractmethod
    def whole(self, text: str, reason: FinishReason, usage: Usage) -> Json: ...

    @abstractmethod
    def opening(self) -> Json | None:
        """The chunk before any text, where the shape has one."""

    @abstractmethod
    def piece(self, text: str) -> Json: ...

    @abstractmethod
    def closing(self, reason: FinishReason) -> Json: ...

    @abstractmethod
    def totals(self, usage: Usage) -> Json:
        """The chunk without choices that `include_usage` asks for."""

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

    def opening(self) -> Json:
        return self._delta({"role": "assistant", "content": "", "refusal": None}, None)

    def piece(self, text: str) -> Json:
        return self._delta({"content": text}, None)

    def closing(self, reason: FinishReason) -> Json:
        return self._delta({}, str(reason))

    def totals(self, usage: Usage) -> Json:
        return self._chunk("chat.completion.chunk", [], usage)

    def _delta(self, delta: Json, reason: str | None) -> Json:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return self._chunk("chat.completion.chunk", [choice])


class CompletionShape(AnswerShape):
    """`text_completion`, whole and in chunks."""

    def whole(self, text: str, reason: FinishReason, usage: Usage) -> Json:
        return self._frame("text_completion", [self._choice(text, str(reason))]) | {"usage": usage.body()}

    def opening(self) -> None:
        return None

    def piece(self, text: str) -> Json:
        return self._chunk("text_completion", [self._choice(text, None)])

    def closing(self, reason: FinishReason) -> Json:
        return self._chunk("text_completion", [self._choice("", str(reason))])

    def totals(self, usage: Usage) -> Json:
        return self._chunk("text_completion", [], usage)

    def _choice(self, text: str, reason: str | None) -> Json:
        return {"text": text, "index": 0, "logprobs": None, "finish_reason": reason}
