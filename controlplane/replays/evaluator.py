# SPDX-License-Identifier: Apache-2.0
"""One release, ready to be asked what it decides: each distinct question once, and many of them at a time."""

import hashlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from controlplane.replays.comparison import Judged, judged
from controlplane.services.rego_engines import RegoEngines
from policies.contracts.request import EvaluationRequest
from policies.contracts.snapshot import PolicySnapshot
from policies.engines.casbin import CasbinAccess
from policies.engines.ports import GuardEngine
from policies.evaluation.bulk import GuardMany, decide_many
from policies.evaluation.pipeline import TakeToken, decide
from policies.evaluation.recorded import DistinctRequests

# Some 200 bytes each. Traffic repeats itself within far fewer; what is forgotten is asked again.
_MOST_REMEMBERED: Final = 65_536


@dataclass(slots=True, kw_only=True)
class Evaluator:
    """`asked` counts the questions that were put to the engines, `spent_ns` the time that they took together."""

    snapshot: PolicySnapshot
    access: CasbinAccess
    guard: GuardEngine
    many: GuardMany
    distinct: DistinctRequests
    asked: int = 0
    spent_ns: int = 0
    _known: dict[bytes, Judged] = field(default_factory=dict)
    _same: dict[Judged, Judged] = field(default_factory=dict)

    async def judge(self, requests: Sequence[EvaluationRequest]) -> list[Judged]:
        """Return what the release says of each request. Raises EvaluationFailed where an engine is gone."""
        return await self.judge_by_key(list(map(self.distinct.key_of, requests)), requests.__getitem__)

    async def judge_by_key(
        self, questions: Sequence[bytes | None], request_at: Callable[[int], EvaluationRequest]
    ) -> list[Judged]:
        """Return the same for the keys of requests; one is made only where its key is new, or None."""
        keys = [None if key is None else hashlib.sha256(key).digest() for key in questions]
        found = [None if key is None else self._known.get(key) for key in keys]
        new: dict[bytes | int, EvaluationRequest] = {}
        for place, (key, known) in enumerate(zip(keys, found, strict=True)):
            if known is None:
                asked_as = place if key is None else key
                if asked_as not in new:
                    new[asked_as] = request_at(place)
        answers = dict(zip(new, await self._ask(list(new.values())), strict=True))
        for asked, answer in answers.items():
            if isinstance(asked, bytes):
                self._remember(asked, answer)
        return [
            answers[place if key is None else key] if known is None else known
            for place, (key, known) in enumerate(zip(keys, found, strict=True))
        ]

    async def time_one(self, request: EvaluationRequest) -> int:
        """Return how many microseconds one decision takes by itself, as a proxy makes it."""
        began = time.perf_counter_ns()
        await decide(request, snapshot=self.snapshot, access=self.access, guard=self.guard, take_token=_always_there)
        return (time.perf_counter_ns() - began) // 1000

    async def _ask(self, requests: Sequence[EvaluationRequest]) -> list[Judged]:
        began = time.perf_counter_ns()
        decisions = await decide_many(requests, snapshot=self.snapshot, access=self.access, guards=self.many)
        self.spent_ns += time.perf_counter_ns() - began
        self.asked += len(requests)
        return [self._shared(judged(decision)) for decision in decisions]

    def _shared(self, answer: Judged) -> Judged:
        """Return the one object of what was said: a release says few different things."""
        if len(self._same) >= _MOST_REMEMBERED:
            self._same.clear()
        return self._same.setdefault(answer, answer)

    def _remember(self, key: bytes, answer: Judged) -> None:
        if len(self._known) >= _MOST_REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[key] = answer


@asynccontextmanager
async def evaluator(rego: RegoEngines, snapshot: PolicySnapshot) -> AsyncIterator[Evaluator]:
    """Give the evaluator of a snapshot, with its engines. Raises OpaNotStarted, RegoRefused."""
    async with rego.many(snapshot) as (guard, many):
        yield Evaluator(
            snapshot=snapshot,
            access=CasbinAccess(snapshot),
            guard=guard,
            many=many,
            distinct=DistinctRequests(snapshot),
        )


async def _always_there(_token: TakeToken) -> float:
    return 0.0
