# SPDX-License-Identifier: Apache-2.0
"""What becomes of members of a body that its dialect does not know, and which of them are dangerous.

Theory: a server behind the gateway may understand more than the gateway. A member that only one of them understands can
swap the prompt's template, add documents that nobody examined, name another model or another server. So unknown members
are refused; a route may have them stripped or passed. Passed, they count as text of the request. What is dangerous, or
looks like a known member to a parser that folds case or width (Go's does), passes never unless the route lists it.
"""

import unicodedata
from collections.abc import Set as AbstractSet
from typing import Any, Final

from policies.contracts.snapshot import Modality, Route, UnknownFields
from proxy_addons.core.refused import Refused

_NOT_PERMITTED: Final = "field-not-permitted"

# Members of some server's dialect that change what a request means: its prompt, its model, where it goes, what else is
# fetched for it, what is kept of it, how long its answer may be, or how that is spelled. Compared folded; so is a name
# with one of the prefixes.
DANGEROUS: Final = frozenset(
    {
        *("add_generation_prompt", "add_special_tokens", "continue_final_message", "conversation", "documents"),
        *("data_sources", "include", "input", "instructions", "lora", "lora_request", "messages", "metadata"),
        *("mm_processor_kwargs", "model", "models", "previous_response_id", "prompt", "prompt_embeds", "suffix"),
        *("system", "template", "tools", "functions", "function_call", "plugins", "prediction", "store", "transforms"),
        *("best_of", "ignore_eos", "max_length", "max_new_tokens", "max_output_tokens", "min_tokens", "num_predict"),
        *("tool_choice", "use_beam_search"),
        *("attachments", "audio_url", "file", "file_data", "file_id", "file_ids", "file_url", "files", "image"),
        *("image_url", "images", "input_audio", "url", "urls", "video", "video_url", "videos"),
        *("audio", "modalities", "web_search_options", "user_override", "safety_settings", "moderation"),
        *("allowed_token_ids", "bad_words", "detokenize", "echo", "include_stop_str_in_output", "logits_processors"),
        *("prompt_logprobs", "return_token_ids", "return_tokens_as_token_ids", "skip_special_tokens"),
        *("spaces_between_special_tokens", "structured_outputs", "token_ids", "truncate_prompt_tokens"),
        *("api_base", "api_key", "base_url", "cache_salt", "custom_llm_provider", "fallbacks", "headers"),
        *("kv_transfer_params", "mock_response", "num_retries", "options", "priority", "provider", "request_id"),
        *("route", "tags", "team", "organization"),
    },
)
DANGEROUS_PREFIXES: Final = ("chat_template", "extra_", "grammar", "guardrail", "guided_", "litellm", "vllm")


def folded(name: str) -> str:
    """Return `name` as the most lenient of parsers might compare it."""
    return unicodedata.normalize("NFKC", name).casefold().replace("-", "_")


def is_dangerous(name: str) -> bool:
    near = folded(name)
    return near in DANGEROUS or near.startswith(DANGEROUS_PREFIXES)


class Reading:
    """How the body of one request is read, by its route, and what came of it."""

    __slots__ = ("_route", "passed_chars", "stripped", "uncovered")

    def __init__(self, route: Route) -> None:
        self._route = route
        self.stripped = 0
        self.passed_chars = 0
        self.uncovered: set[tuple[str, str]] = set()

    def keeps(self, name: str, member: Any, *, beside: AbstractSet[str], named: bool) -> bool:
        """Return whether the unknown member `name` stays; `beside` are the known ones, folded. Raises Refused.

        `named`: the dialect has it and policy does not, so that it may be told, and passes only by its name.
        """
        route = self._route
        if name not in route.allow_fields:
            if route.unknown_fields is UnknownFields.STRIP:
                self.stripped += 1
                return False
            if named or route.unknown_fields is UnknownFields.REFUSE:
                raise Refused(_NOT_PERMITTED, param=name if named else None)
            self._check_passes(name, member, beside)
        self.passed_chars += _chars(name) + _chars(member)
        return True

    def covers(self, modality: Modality, path: str, *, kind: str) -> None:
        """Note content that no detector reads, of a part called `kind`. Raises Refused where the route has it not."""
        if modality not in self._route.allow_uncovered:
            raise Refused("modality-not-permitted", param=kind)
        self.uncovered.add((path, modality.value))

    def _check_passes(self, name: str, member: Any, beside: AbstractSet[str]) -> None:
        if folded(name) in beside or is_dangerous(name):
            raise Refused(_NOT_PERMITTED)
        for below in _names(member):
            if below not in self._route.allow_fields and is_dangerous(below):
                raise Refused(_NOT_PERMITTED)


def _chars(value: Any) -> int:
    """Return how many characters of text are in `value`, names of members included."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(len(name) + _chars(member) for name, member in value.items())
    return sum(map(_chars, value)) if isinstance(value, list) else 0


def _names(value: Any) -> set[str]:
    """Return the names of all members within `value`. Recursion is bounded by the strict parser."""
    if isinstance(value, dict):
        return set(value).union(*map(_names, value.values()))
    return set().union(*map(_names, value)) if isinstance(value, list) else set()
