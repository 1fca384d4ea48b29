# SPDX-License-Identifier: Apache-2.0
"""From a parsed request to the model it names, and to a job that fits it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from inference.api.errors import Refusal, RequestRefused, invalid
from inference.api.requests import ChatRequest, CompletionRequest, Wishes
from inference.engine import Engine
from inference.job import Job
from inference.prompt import PromptEncoder, PromptRefused


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedModel:
    """One model, under each of its names."""

    names: tuple[str, ...]
    prompts: PromptEncoder
    context_tokens: int
    digest: str
    queue_size: int
    engine: Engine


class Named(Protocol):
    """Whatever is served under names."""

    @property
    def names(self) -> tuple[str, ...]: ...


_Served = TypeVar("_Served", bound=Named)


def find_model(name: str, models: Sequence[_Served], *, others: Sequence[Named], makes: str) -> _Served:
    """The model of that name, to the letter. `others` are served, but not here; `makes` says what they make."""
    for model in models:
        if name in model.names:
            return model
    if any(name in model.names for model in others):
        raise invalid("model", f"This model makes {makes}.", code="model_not_for_this_endpoint")
    raise RequestRefused(
        Refusal(status=404, message="The model does not exist.", code="model_not_found", param="model")
    )


async def admit_chat(request: ChatRequest, served: ServedModel) -> Job:
    if not served.prompts.has_chat_template:
        raise invalid("messages", "This model has no chat template: use /v1/completions.", code="no_chat_template")
    messages = [message.for_template() for message in request.messages]
    try:
        prompt = await _encode(lambda: served.prompts.encode_chat(messages))
    except PromptRefused:
        raise invalid(
            "messages", "The model's chat template does not take these messages.", code="messages_not_accepted"
        ) from None
    return _job(prompt, request.wishes, served, param="messages")


async def admit_completion(request: CompletionRequest, served: ServedModel) -> Job:
    prompt = await _encode(lambda: served.prompts.encode_bare(request.prompt))
    if not prompt:
        raise invalid("prompt", "'prompt' holds no token.")
    return _job(prompt, request.wishes, served, param="prompt")


async def _encode(encode: Callable[[], list[int]]) -> list[int]:
    # A long text takes a second or more. In a thread, so that other answers' streams go on.
    return await asyncio.to_thread(encode)


def _job(prompt: list[int], wishes: Wishes, served: ServedModel, *, param: str) -> Job:
    # A GPU's cache is measured when the engine starts; it may hold less than the model's context.
    context = min(served.context_tokens, served.engine.context_tokens)
    room = context - len(prompt)
    if room < 1:
        raise invalid(
            param,
            f"The prompt has {len(prompt)} tokens; the model's context holds {context} "
            "with at least one of the answer.",
            code="context_length_exceeded",
        )
    return Job(
        prompt=tuple(prompt),
        max_tokens=room if wishes.max_tokens is None else min(room, wishes.max_tokens),
        temperature=wishes.temperature,
        top_p=wishes.top_p,
        seed=wishes.seed,
        stop=wishes.stop,
    )
