# SPDX-License-Identifier: Apache-2.0
"""What the engine is asked for and how it ends."""

from dataclasses import dataclass
from enum import StrEnum


class FinishReason(StrEnum):
    STOP = "stop"  # the model's end token, or a stop sequence
    LENGTH = "length"  # max_tokens, or the context is full
    CANCELLED = "cancelled"  # nobody waits for it any more; never sent to a client


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A prompt in tokens and how to continue it. The prompt and `max_tokens` together fit the context."""

    prompt: tuple[int, ...]
    max_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    reason: FinishReason
    completion_tokens: int  # every token the model made, its end token included
