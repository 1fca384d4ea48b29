# SPDX-License-Identifier: Apache-2.0
"""Decide many requests at once, by the generator that decides one (`policies.evaluation.pipeline`).

Theory: up to its question to the guards an evaluation asks nobody. So all are driven that far, the guards are asked all
of it in one go, and each evaluation is resumed with its own answer. What differs from a proxy is how often somebody
waits, and that no rate is counted: every bucket is full.

Rule: a guard that fails for a request is a refusal of that request, as in the proxy. An engine that is late or gone
says nothing of any request: it is raised, lest a report takes an outage for a policy.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Protocol

from policies.contracts.decision import Decision, EngineAnswer
from policies.contracts.errors import EvaluationFailed
from policies.contracts.request import EvaluationRequest
from policies.contracts.snapshot import PolicySnapshot
from policies.engines.ports import AccessEngine, GuardEngine
from policies.evaluation.head import refused_on_head
from policies.evaluation.pipeline import (
    Answer,
    Ask,
    AskGuard,
    AskTexts,
    Evaluation,
    evaluate,
    refuse_unexpected,
)

# In flight at once: an engine in a thread of its own answers one after the other, and each has one deadline.
_AT_ONCE: Final = 64

Given = EngineAnswer | EvaluationFailed


class JudgeTexts(Protocol):
    """What judges the texts of a request by the policies of one engine."""

    def __call__(self, ask: AskTexts, request: EvaluationRequest) -> EngineAnswer: ...


class GuardMany(Protocol):
    """What answers many questions to the guards of one snapshot."""

    async def evaluate_many(self, asks: Sequence[AskGuard]) -> Sequence[Given]:
        """Return what the guards say to each of `asks`, in their order.

        Raises EvaluationFailed where the engine is late or gone.
        """


class OneByOne:
    """Asks a GuardEngine one question after the other, some in flight at once."""

    def __init__(self, guard: GuardEngine) -> None:
        self._guard = guard

    async def evaluate_many(self, asks: Sequence[AskGuard]) -> Sequence[Given]:
        given: list[Given] = []
        for begin in range(0, len(asks), _AT_ONCE):
            given += await asyncio.gather(*map(self._ask, asks[begin : begin + _AT_ONCE]))
        return given

    async def _ask(self, ask: AskGuard) -> Given:
        try:
            return await self._guard.evaluate(ask.request, ask.access)
        except EvaluationFailed as exc:
            if is_gone(exc):
                raise
            return exc


def is_gone(failure: EvaluationFailed) -> bool:
    """Return whether the engine was late or not there, rather than failed at the question."""
    return isinstance(failure.__cause__, OSError)  # TimeoutError is one


async def decide_many(
    requests: Sequence[EvaluationRequest],
    *,
    snapshot: PolicySnapshot,
    access: AccessEngine,
    guards: GuardMany,
    texts: JudgeTexts | None = None,
) -> list[Decision]:
    """Return the decision on each of `requests`, without rates. Raises EvaluationFailed where the engine is gone.

    `texts` says what the policies for texts make of those that all of `requests` have; without it they are not asked.
    """
    decisions: list[Decision | None] = [refused_on_head(request, snapshot) for request in requests]
    waiting: list[tuple[int, Evaluation, AskGuard]] = []
    for place, request in enumerate(requests):
        if decisions[place] is None:
            evaluation = evaluate(request, snapshot=snapshot, access=access, with_texts=texts is not None)
            come_to = _driven(evaluation, None, snapshot)
            if isinstance(come_to, Decision):
                decisions[place] = come_to
            else:
                waiting.append((place, evaluation, come_to))
    given = await guards.evaluate_many([ask for _, _, ask in waiting])
    for (place, evaluation, _), answer in zip(waiting, given, strict=True):
        judge = None if texts is None else partial(texts, request=requests[place])
        come_to = _driven(evaluation, answer, snapshot, judge)
        if isinstance(come_to, AskGuard):
            come_to = refuse_unexpected(TypeError(), engine="evaluation", snapshot=snapshot)
        decisions[place] = come_to
    return [decision for decision in decisions if decision is not None]


def _driven(
    evaluation: Evaluation,
    given: Given | None,
    snapshot: PolicySnapshot,
    judge: Callable[[AskTexts], EngineAnswer] | None = None,
) -> Decision | AskGuard:
    """Drive the evaluation to its question to the guards or to its end; `given` is what it waits for."""
    try:
        ask = _resumed(evaluation, given)
        while not isinstance(ask, AskGuard):
            if isinstance(ask, AskTexts) and judge is None:
                raise TypeError("nobody said that the texts are here")  # noqa: TRY301  # as below
            ask = evaluation.send(judge(ask) if judge is not None and isinstance(ask, AskTexts) else 0.0)
    except StopIteration as done:
        decision: Decision = done.value
        return decision
    except Exception as exc:  # noqa: BLE001  # as `decide` has it: no failure leaves without a refusal
        return refuse_unexpected(exc, engine="evaluation", snapshot=snapshot)
    return ask


def _resumed(evaluation: Evaluation, given: Answer | EvaluationFailed | None) -> Ask:
    if given is None:
        return next(evaluation)
    if isinstance(given, EvaluationFailed):
        return evaluation.throw(given)
    return evaluation.send(given)
