# SPDX-License-Identifier: Apache-2.0
"""Unite what the engines said of one request into one Decision (`docs/spec/policy-document.md`, "Combining").

Rules, over the answers of policies in mode `enforce`: an error refuses; else any deny refuses; else an allow allows;
else nothing applied, which refuses too. Answers in mode `warn` and `observe` change none of that: they only show in
`would_have` and `warnings`.

The order in which engines are given and in which an engine lists its policies does not matter.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from policies.contracts.decision import (
    Decision,
    Effect,
    EngineAnswer,
    Mode,
    Obligation,
    Outcome,
    PolicyAnswer,
    Reason,
    Redact,
)

EVALUATION_FAILED: Final = "evaluation-failed"
RATE_LIMITED: Final = "rate-limited"

# Reasons are told in this order: who may do it at all, then the guards, what the texts say, limits, a classifier.
_ORDER: Final = {"casbin": 0, "opa": 1, "rego-embedded": 1, "prompts": 2, "screening": 3, "limits": 4, "classifier": 5}
_LAST: Final = len(_ORDER)


def combine(
    engines: Sequence[EngineAnswer],
    *,
    revision: str,
    obligations: Iterable[Obligation] = (),
    retry_after_s: int | None = None,
) -> Decision:
    """Return the decision that `engines` come to.

    `obligations` are owed by any allowed request, beside those of the answers. `retry_after_s` is kept where the
    decision is refused as `rate-limited`.
    """
    settled = _settled(engines, tuple(obligations))
    return Decision(
        effect=settled.effect,
        reasons=settled.reasons,
        obligations=settled.obligations,
        revision=revision,
        engines=tuple([engines[index] for index in settled.order]),
        would_have=settled.would_have,
        warnings=settled.warnings,
        retry_after_s=retry_after_s if settled.rate_limited else None,
    )


def effect_of(engines: Sequence[EngineAnswer], *, obligations: Iterable[Obligation] = ()) -> Effect:
    """Return the effect of the decision that `engines` come to, and nothing more of it."""
    return _settled(engines, tuple(obligations)).effect


@dataclass(frozen=True, slots=True, kw_only=True)
class _Settled:
    """What answers and obligations come to. `united` holds them, so that their identities are not used again."""

    united: tuple[object, ...]
    order: tuple[int, ...]
    effect: Effect
    reasons: tuple[Reason, ...]
    obligations: tuple[Redact, ...]
    would_have: Effect | None
    warnings: tuple[Reason, ...]
    rate_limited: bool


# By the identity of what is united: engines that remember an answer give the same tuple again, and a tuple of frozen
# values is what it was. Comparing them would take as long as uniting them.
_REMEMBERED: Final[dict[tuple[object, ...], _Settled]] = {}
_MOST_REMEMBERED: Final = 8_192


def _settled(engines: Sequence[EngineAnswer], owed: tuple[Obligation, ...]) -> _Settled:
    key = (id(owed), *[(engine.engine, id(engine.answers)) for engine in engines])
    settled = _REMEMBERED.get(key)
    if settled is None:
        settled = _settle(engines, owed)
        # A list could change after it was united; nothing else here can.
        if all(type(engine.answers) is tuple for engine in engines):
            if len(_REMEMBERED) >= _MOST_REMEMBERED:
                _REMEMBERED.clear()
            _REMEMBERED[key] = settled
    return settled


def _settle(engines: Sequence[EngineAnswer], owed: tuple[Obligation, ...]) -> _Settled:
    order = sorted(
        range(len(engines)), key=lambda index: (_ORDER.get(engines[index].engine, _LAST), engines[index].engine)
    )
    answers = [
        answer
        for index in order
        for answer in sorted(engines[index].answers, key=lambda answer: (answer.policy, answer.mode, answer.outcome))
    ]
    enforcing = [answer for answer in answers if answer.mode is Mode.ENFORCE]
    effect, reasons = _unite(enforcing)
    would_be, _ = _unite(answers)
    return _Settled(
        united=(owed, *(engine.answers for engine in engines)),
        order=tuple(order),
        effect=effect,
        reasons=reasons,
        obligations=_owed(enforcing, owed) if effect is Effect.ALLOW else (),
        would_have=None if would_be is effect else would_be,
        warnings=_warnings(answers),
        rate_limited=any(reason.code == RATE_LIMITED for reason in reasons),
    )


def failed(engine: str, problem: str, *, policy: str = "", mode: Mode = Mode.ENFORCE) -> EngineAnswer:
    """Return the answer of an engine that could not answer. `problem` MUST be free of content."""
    answer = PolicyAnswer(
        policy=policy,
        mode=mode,
        outcome=Outcome.ERROR,
        reasons=(Reason(code=EVALUATION_FAILED, policy=policy),),
        error=problem,
    )
    return EngineAnswer(engine=engine, answers=(answer,))


def _unite(answers: Sequence[PolicyAnswer]) -> tuple[Effect, tuple[Reason, ...]]:
    outcomes = {answer.outcome for answer in answers}
    if Outcome.ERROR in outcomes:
        # Only that it failed: reasons of others might be wrong in the light of what the failed one would have said.
        return Effect.DENY, _unique(
            Reason(code=EVALUATION_FAILED, policy=answer.policy)
            for answer in answers
            if answer.outcome is Outcome.ERROR
        )
    if Outcome.DENY in outcomes:
        return Effect.DENY, _reasons_for_denial(answers)
    if Outcome.ALLOW in outcomes:
        return Effect.ALLOW, ()
    return Effect.DENY, (Reason(code="no-applicable-policy"),)


def _reasons_for_denial(answers: Iterable[PolicyAnswer]) -> tuple[Reason, ...]:
    return _unique(
        reason
        for answer in answers
        if answer.outcome is Outcome.DENY
        for reason in answer.reasons or (Reason(code="access-denied", policy=answer.policy),)
    )


def _warnings(answers: Iterable[PolicyAnswer]) -> tuple[Reason, ...]:
    warning = [answer for answer in answers if answer.mode is Mode.WARN]
    failures = (
        Reason(code=EVALUATION_FAILED, policy=answer.policy) for answer in warning if answer.outcome is Outcome.ERROR
    )
    return _unique((*_reasons_for_denial(warning), *failures))


def _owed(enforcing: Iterable[PolicyAnswer], obligations: Iterable[Obligation]) -> tuple[Redact, ...]:
    owed = {*obligations, *(obligation for answer in enforcing for obligation in answer.obligations)}
    return tuple(sorted(owed, key=lambda obligation: obligation.policy))


def _unique(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    return tuple(dict.fromkeys(reasons))
