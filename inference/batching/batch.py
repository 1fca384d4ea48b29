# SPDX-License-Identifier: Apache-2.0
"""What the engine needs of a batch: a forward pass over many jobs, which they join and leave one by one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from inference.job import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far one job has come."""

    key: str
    tokens: Sequence[int]  # all that were generated for it so far
    ended: bool  # its end token is there, or as many tokens as it may have
    failed: bool = False


class BatchDied(Exception):
    """The thread that runs the model has ended."""


class Batch(Protocol):
    """One generation thread with its key-value cache. It is opened once, and never used again after `close`."""

    def start(self) -> None: ...

    @property
    def cache_tokens(self) -> int:
        """How many tokens the cache holds, over all jobs."""

    def add(self, key: str, job: Job, *, seed: int) -> None:
        """The job joins at the next step. Raises ValueError where the cache could not hold it."""

    def cancel(self, key: str) -> None:
        """The job leaves at the next step and its part of the cache is free. Nothing more is told of it."""

    def arrived(self, *, timeout_s: float) -> list[Progress]:
        """What happened since the last call; waits for it that long. Raises BatchDied when nothing more can happen."""

    def wake(self) -> None:
        """Lets `arrived` return at once."""

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs."""

    @property
    def steps(self) -> int:
        """How many forward passes were made. Grows as long as the thread makes progress."""

    @property
    def waiting(self) -> int:
        """Jobs that were added and for which the cache has no room yet."""

    @property
    def cache_usage(self) -> float: ...

    def close(self) -> bool:
        """Ends the thread and gives the memory back. False if the thread hangs: the model is then lost to others."""
