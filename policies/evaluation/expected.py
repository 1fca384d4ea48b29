# SPDX-License-Identifier: Apache-2.0
"""Of which policies each engine must give an answer: all of the snapshot's, each in its mode, and no other."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from policies.contracts.decision import EngineAnswer, Mode, PolicyAnswer
from policies.contracts.errors import EvaluationFailed
from policies.contracts.prompts import PromptsPolicy
from policies.contracts.screening import ScreeningPolicy
from policies.contracts.snapshot import PolicySnapshot
from policies.engines.per_snapshot import per_snapshot
from policies.evaluation import screening, system_prompts

_MOST_REMEMBERED: Final = 1024


@dataclass(slots=True)
class Policies:
    """What one engine must answer for. `complete` holds answers that did, by identity: an engine gives one again."""

    modes: dict[str, Mode]
    complete: dict[tuple[int, int], tuple[PolicyAnswer, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Expected:
    """`texts` has the engines that are asked what a request's texts say, in their order; only those with policies.

    `classifier` is asked last of all, since it takes the longest.
    """

    access: Policies
    guards: Policies
    texts: tuple[tuple[str, Policies], ...]
    classifier: Policies


def _texts(*engines: tuple[str, Sequence[PromptsPolicy | ScreeningPolicy]]) -> tuple[tuple[str, Policies], ...]:
    return tuple((engine, Policies({policy.id: policy.mode for policy in of})) for engine, of in engines if of)


@per_snapshot
def expected_of(snapshot: PolicySnapshot) -> Expected:
    """Return what the engines must answer for."""
    return Expected(
        Policies({policy.id: policy.mode for policy in snapshot.access}),
        Policies({policy.id: policy.mode for policy in snapshot.guards}),
        _texts(
            (system_prompts.ENGINE, snapshot.prompts),
            (screening.ENGINE, [policy for policy in snapshot.screening if policy.rules]),
        ),
        Policies({policy.id: policy.mode for policy in snapshot.screening if policy.classifier}),
    )


def complete(answer: EngineAnswer | float, policies: Policies) -> EngineAnswer:
    """Return `answer` if it is of exactly `policies`, each in its mode: a policy left out could be one that denies."""
    if not isinstance(answer, EngineAnswer):
        raise EvaluationFailed("evaluation", "an engine was resumed with something else than its answer")
    answers = answer.answers
    known = (id(answers), answer.neutral)
    if known in policies.complete:
        return answer
    answered = {given.policy: given.mode for given in answers}
    listed = answered == policies.modes if answer.neutral == 0 else answered.items() <= policies.modes.items()
    if not listed or len(answered) != len(answers) or len(answers) + answer.neutral != len(policies.modes):
        raise EvaluationFailed(answer.engine, "the answer is not of exactly the policies of the snapshot")
    if type(answers) is tuple:  # a list could change; what is held here keeps its identity
        if len(policies.complete) >= _MOST_REMEMBERED:
            policies.complete.clear()
        policies.complete[known] = answers
    return answer
