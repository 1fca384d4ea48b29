# SPDX-License-Identifier: Apache-2.0
"""What an engine tells about itself: how busy it is now, and what happened to each job."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineLoad:
    """One look at an engine, consistent within itself."""

    waiting: int  # admitted and not begun
    running: int  # in the batch
    cache_usage: float  # of the key-value cache, 0 to 1


class Outcome(StrEnum):
    STOP = "stop"
    LENGTH = "length"
    CANCELLED = "cancelled"
    FAILED = "failed"


class EngineObserver(Protocol):
    """Is told what happens to each job. Called by the engine's threads: MUST be quick and MUST NOT raise."""

    def begun(self, *, prompt_tokens: int, queue_s: float) -> None:
        """The job left the queue after so many seconds."""

    def first_token(self, *, after_s: float) -> None:
        """The first token is there, so many seconds after the job was submitted."""

    def tokens(self, count: int) -> None:
        """So many tokens more were generated, over all jobs."""

    def ended(
        self, outcome: Outcome, *, completion_tokens: int, after_s: float, first_token_after_s: float | None = None
    ) -> None:
        """The job is over, so many seconds after it was submitted. Told once for each job, begun or not.

        `first_token_after_s`: what `first_token` told of this job; None where it made none.
        """


class Unobserved:
    """Nobody looks."""

    def begun(self, *, prompt_tokens: int, queue_s: float) -> None:
        """Nothing."""

    def first_token(self, *, after_s: float) -> None:
        """Nothing."""

    def tokens(self, count: int) -> None:
        """Nothing."""

    def ended(
        self, outcome: Outcome, *, completion_tokens: int, after_s: float, first_token_after_s: float | None = None
    ) -> None:
        """Nothing."""
