# SPDX-License-Identifier: Apache-2.0
"""The words of the responses dialect: names of members that coverage may tell, and what the protocol says in them."""

from typing import Final

# Names of members that have one meaning in the protocol: a model writes none of them.
NAMES: Final = frozenset(
    {
        *("response", "output", "item", "part", "delta", "summary", "encrypted_content", "call_id", "phase"),
        *("instructions", "incomplete_details", "reason", "metadata", "tools", "tool_choice", "status", "user"),
        *("reasoning", "effort", "format", "verbosity", "truncation", "created_at", "completed_at", "background"),
        *("max_output_tokens", "max_tool_calls", "parallel_tool_calls", "previous_response_id", "prompt_cache_key"),
        *("prompt_cache_retention", "prompt_cache_options", "safety_identifier", "temperature", "top_p", "store"),
        *("frequency_penalty", "presence_penalty", "billing", "payer", "moderation", "annotation", "url", "title"),
        *("start_index", "end_index", "file_id", "filename", "container_id", "code", "param"),
    },
)
WORDS: Final = NAMES | frozenset(
    {
        *("message", "output_text", "refusal", "function_call", "reasoning_text", "summary_text", "function", "text"),
        *("completed", "in_progress", "incomplete", "failed", "queued", "cancelled", "url_citation", "file_citation"),
        *("auto", "disabled", "none", "required", "minimal", "low", "medium", "high", "in_memory", "24h", "developer"),
        *("commentary", "final_answer", "max_output_tokens", "content_filter", "concise", "detailed"),
        *("default", "priority", "flex", "scale", "fast", "ultrafast", "assistant"),
        *("input_tokens", "output_tokens", "total_tokens", "input_tokens_details", "output_tokens_details"),
        *("cached_tokens", "cache_write_tokens", "reasoning_tokens"),
    },
)
