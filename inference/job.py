# SPDX-License-Identifier: Apache-2.0
"""What the engine is asked for and how it ends."""

import hashlib
import struct
from dataclasses import dataclass, replace
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

    def choice(self, number: int) -> "Job":
        """The job of one of several choices: with a seed, each but the first has one that is made of it."""
        if self.seed is None or number == 0:
            return self
        drawn = hashlib.blake2b(struct.pack("<QI", self.seed & (2**64 - 1), number), digest_size=8).digest()
        return replace(self, seed=int.from_bytes(drawn, "little") >> 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    reason: FinishReason
    completion_tokens: int  # every token the model made, its end token included
