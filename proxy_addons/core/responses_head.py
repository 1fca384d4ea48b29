# SPDX-License-Identifier: Apache-2.0
"""What the events of a responses stream say of the answer beside its items.

Theory: the answer is told whole three times, when it begins, goes on and ends. Texts are told as they were told first,
since a text could be spelt by changing them; words of the protocol and numbers may change, and what was null.
"""

from typing import Any, Final

from proxy_addons.core.responses_text import Means
from proxy_addons.core.responses_words import WORDS

_MEMBERS: Final = frozenset(
    {
        *("id", "object", "created_at", "completed_at", "status", "model", "error", "incomplete_details", "usage"),
        *("instructions", "metadata", "tools", "tool_choice", "parallel_tool_calls", "reasoning", "text", "truncation"),
        *("temperature", "top_p", "top_logprobs", "max_output_tokens", "max_tool_calls", "frequency_penalty"),
        *("presence_penalty", "previous_response_id", "conversation", "prompt", "prompt_cache_key", "billing"),
        *("prompt_cache_retention", "prompt_cache_options", "safety_identifier", "service_tier", "store", "user"),
        *("background", "moderation"),
    },
)


class ResponseHead:
    """The members of one answer beside `output`."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._said: dict[str, tuple[Any, Any]] = {}

    def of(self, response: dict[str, Any]) -> dict[str, Any]:
        """Return what may leave of them. Raises AnswerBlocked."""
        head: dict[str, Any] = {}
        for name, value in response.items():
            if name in _MEMBERS:
                head[name] = value if value is None or value == [] else self._of(name, value)
            elif name != "output":
                self._means.drop((name,), value)
        return head

    def _of(self, name: str, value: Any) -> Any:
        said = self._said.get(name)
        if said is None or (said[0] != value and (name == "usage" or _says_no_text(value))):
            said = self._said[name] = (value, self._means.whole(value, (name,)))
        return said[1]


def _says_no_text(value: Any) -> bool:
    return value in WORDS if isinstance(value, str) else not isinstance(value, dict | list)
