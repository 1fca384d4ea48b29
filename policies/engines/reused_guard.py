# SPDX-License-Identifier: Apache-2.0
"""Give a guard's answer again where it cannot be another one, without asking the engine (`docs/explanation/reuse.md`).

Theory: a guard that may be reused is a function of its module, its data and the fields of `input` that the compiler
found it to read (`GuardPolicy.reads`). Module and data are those of one snapshot, and the memory is one engine's over
one snapshot and ends with it. What is left is the fields; they are the key, all of them, written as the JSON in which
the engine would be asked. Two requests with one key are one question.

Rules: an answer is reused only while the engine is there and answered when it was last asked, so that a guard that is
taken away refuses, known question or not. Only an answer is remembered, never a failure. What cannot be written exactly
(an integer beyond 64 bits, a lone surrogate) or is longer than a key may be is asked each time. The key is looked up
whole and not by a digest. Both the number and the size of what is remembered are bounded, so that a client who never
asks twice the same fills no memory; the longest unused goes first.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import orjson

from policies.contracts.decision import EngineAnswer, Outcome
from policies.contracts.errors import EvaluationFailed
from policies.contracts.request import EvaluationRequest
from policies.contracts.snapshot import PolicySnapshot
from policies.contracts.tools import AskedCall, DeniedCall
from policies.engines.guard_input import FIELDS, differs_each_time, overlap
from policies.engines.ports import GuardEngine

# A question of the fields of a usual request has some hundred bytes; the names of 100 tools of 20 letters have 2,300.
_LONGEST_KEY_BYTES: Final = 4096
_MOST_ANSWERS: Final = 16_384
_MOST_BYTES: Final = 16 * 1024 * 1024
# What an answer and its place take beside the key, and what each policy, reason and obligation in it takes: measured
# with tracemalloc, rounded up.
_ENTRY_BYTES: Final = 512
_PART_BYTES: Final = 256


def _always() -> bool:
    return True


def reusing(engine: GuardEngine, snapshot: PolicySnapshot, *, is_there: Callable[[], bool] = _always) -> GuardEngine:
    """Return `engine`, with a memory in front of it where the answers of every guard of `snapshot` may be reused.

    `is_there` tells of an engine in a process of its own whether it is known to be gone.
    """
    reads = [guard.reads for guard in snapshot.guards]
    paths = {path for guard in reads for path in guard or ()}
    if not reads or None in reads or any(differs_each_time(path) for path in paths):
        return engine
    return ReusedGuard(engine, snapshot, paths=frozenset(paths), is_there=is_there)


class ReusedGuard:
    """A GuardEngine that asks `engine` only what it has not answered. `paths` are those its guards read."""

    def __init__(
        self,
        engine: GuardEngine,
        snapshot: PolicySnapshot,
        *,
        paths: frozenset[str],
        is_there: Callable[[], bool] = _always,
        most_answers: int = _MOST_ANSWERS,
        most_bytes: int = _MOST_BYTES,
    ) -> None:
        self._engine = engine
        self._snapshot = snapshot
        self._is_there = is_there
        self._answered = False
        self._most_answers = most_answers
        self._most_bytes = most_bytes
        # A path that leads into a field, or to one that no request has, is that field, or none.
        self._fields = tuple(field for at, field in FIELDS.items() if any(overlap(at, path) for path in paths))
        self._answers: OrderedDict[bytes, EngineAnswer] = OrderedDict()
        self._bytes = 0

    async def evaluate(self, request: EvaluationRequest, access: EngineAnswer) -> EngineAnswer:
        """Return one answer for each guard, by id, at once where it is reused. Raises EvaluationFailed."""
        key = self._key(request, access)
        known = None if key is None else self._answers.get(key)
        if key is not None and known is not None and self._answered and self._is_there():
            self._answers.move_to_end(key)
            return known
        try:
            answer = await self._engine.evaluate(request, access)
        except EvaluationFailed:
            self._answered = False
            raise
        self._answered = True
        if key is not None:
            self._remember(key, answer)
        return answer

    async def judge(
        self, request: EvaluationRequest, access: EngineAnswer, calls: Sequence[AskedCall]
    ) -> tuple[DeniedCall, ...]:
        """Ask the engine: no two answers have the same calls."""
        return await self._engine.judge(request, access, calls)

    async def close(self) -> None:
        """Close the engine and forget."""
        self._answers.clear()
        self._bytes = 0
        await self._engine.close()

    def _key(self, request: EvaluationRequest, access: EngineAnswer) -> bytes | None:
        try:
            # An array: fields stand at their places, so that none can pass for another.
            key = orjson.dumps([field(request, access, self._snapshot) for field in self._fields])
        except (orjson.JSONEncodeError, RecursionError):
            return None
        return key if len(key) <= _LONGEST_KEY_BYTES else None

    def _remember(self, key: bytes, answer: EngineAnswer) -> None:
        if key in self._answers:  # another request asked the same while this one waited
            return
        if any(given.outcome is Outcome.ERROR for given in answer.answers):
            return
        key = bytes(memoryview(key))  # orjson's own keep the 4 KiB they were written in
        self._answers[key] = replace(answer, duration_us=0, reused=True)
        self._bytes += _size(key, answer)
        while len(self._answers) > self._most_answers or self._bytes > self._most_bytes:
            self._bytes -= _size(*self._answers.popitem(last=False))


def _size(key: bytes, answer: EngineAnswer) -> int:
    parts = sum(1 + len(given.reasons) + len(given.obligations) for given in answer.answers)
    return len(key) + _ENTRY_BYTES + _PART_BYTES * parts
