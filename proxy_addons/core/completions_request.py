# SPDX-License-Identifier: Apache-2.0
"""Reads the body of an OpenAI completions request. A prompt is text: of token ids nobody could say what they mean."""

from collections.abc import Mapping
from typing import Any, Final

from policies.contracts.request import RequestFacts
from proxy_addons.core.openai_request import MAX_TOKENS, MODEL, PARAMETERS
from proxy_addons.core.request_fields import (
    absent,
    array,
    boolean,
    either,
    integer,
    nullable,
    record,
    text,
)
from proxy_addons.core.unknown_fields import Reading

_MAX_PROMPTS: Final = 2048
_MAX_LOGPROBS: Final = 5
_MAX_BEST_OF: Final = 20

_BODY: Final = record(
    {"model": MODEL, "prompt": either(text, array(text, least=1, most=_MAX_PROMPTS))},
    {
        **PARAMETERS,
        # None are asked for where only the prompt is to be scored.
        "max_tokens": nullable(integer(0, MAX_TOKENS)),
        "best_of": nullable(integer(0, _MAX_BEST_OF)),
        "echo": nullable(boolean),
        "logprobs": nullable(integer(0, _MAX_LOGPROBS)),
        "suffix": nullable(text),
        "metadata": absent,
        "store": absent,
    },
)


def read_completions(body: Mapping[str, Any], reading: Reading, *, body_bytes: int) -> tuple[str, RequestFacts]:
    """Return model and facts of a completions request. Raises Refused where a field is unknown or not of its type."""
    _BODY(body, reading)
    prompt = body["prompt"]
    prompts = [prompt] if isinstance(prompt, str) else prompt
    facts = RequestFacts(
        stream=bool(body.get("stream")),
        max_tokens=body.get("max_tokens"),
        n=body.get("n") or 1,
        text_chars=sum(map(len, prompts)) + len(body.get("suffix") or "") + reading.passed_chars,
        body_bytes=body_bytes,
    )
    return body["model"], facts
