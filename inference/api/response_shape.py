# SPDX-License-Identifier: Apache-2.0
"""What goes over the wire as the answer of `/v1/responses`: one message, whole and in typed events."""

import json
from collections.abc import Sequence
from typing import ClassVar

from inference.api.answers import AnswerShape, Choice, Json, Usage
from inference.api.errors import Refusal
from inference.job import FinishReason

_PART: Json = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}


class ResponseShape(AnswerShape):
    """`response`, and the events that tell how it comes to be. The last one ends the stream: there is no `[DONE]`.

    This dialect has one choice.
    """

    done: ClassVar[bytes] = b""

    def whole(self, choices: Sequence[Choice], usage: Usage) -> Json:
        (choice,) = choices
        cut = choice.reason is FinishReason.LENGTH
        body = self._response("incomplete" if cut else "completed", [self._item(choice.text)])
        details = {"reason": "max_output_tokens"} if cut else None
        return body | {"incomplete_details": details, "usage": _usage(usage)}

    def opening(self, index: int) -> list[Json]:  # noqa: ARG002  # of the only one
        begun = self._response("in_progress", [])
        item = {**self._item(""), "status": "in_progress", "content": []}
        return [
            {"type": "response.created", "response": begun},
            {"type": "response.in_progress", "response": begun},
            {"type": "response.output_item.added", "output_index": 0, "item": item},
            {"type": "response.content_part.added", **self._at(), "part": _PART},
        ]

    def piece(self, text: str, index: int) -> Json:  # noqa: ARG002  # as above
        return {"type": "response.output_text.delta", **self._at(), "delta": text, "logprobs": []}

    def closing(self, choice: Choice, index: int) -> list[Json]:  # noqa: ARG002  # the end says it all
        return []

    def ending(self, choices: Sequence[Choice], usage: Usage) -> list[Json]:
        whole, text = self.whole(choices, usage), choices[0].text
        return [
            {"type": "response.output_text.done", **self._at(), "text": text, "logprobs": []},
            {"type": "response.content_part.done", **self._at(), "part": {**_PART, "text": text}},
            {"type": "response.output_item.done", "output_index": 0, "item": self._item(text)},
            {"type": f"response.{whole['status']}", "response": whole},
        ]

    def failure(self, refusal: Refusal) -> Json:
        told = refusal.body()
        return {"type": "error", "code": refusal.code, "message": refusal.message, "param": refusal.param, **told}

    def event(self, body: Json, number: int) -> bytes:
        written = json.dumps({**body, "sequence_number": number}, separators=(",", ":")).encode("ascii")
        return f"event: {body['type']}\n".encode("ascii") + b"data: " + written + b"\n\n"

    def _response(self, status: str, output: list[Json]) -> dict[str, object]:
        said: dict[str, object] = {"id": self.id, "object": "response", "created_at": self.created, "status": status}
        said |= {"model": self.model, "output": output, "tools": [], "tool_choice": "auto", "metadata": {}}
        unsaid = ("error", "incomplete_details", "instructions", "temperature", "top_p", "max_output_tokens")
        return said | dict.fromkeys(unsaid) | {"parallel_tool_calls": False}

    def _item(self, text: str) -> dict[str, object]:
        item: dict[str, object] = {"id": self._item_id, "type": "message", "role": "assistant", "status": "completed"}
        return item | {"content": [{**_PART, "text": text}]}

    def _at(self) -> dict[str, object]:
        return {"item_id": self._item_id, "output_index": 0, "content_index": 0}

    @property
    def _item_id(self) -> str:
        return "msg_" + self.id.rpartition("_")[2]


def _usage(usage: Usage) -> Json:
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }
