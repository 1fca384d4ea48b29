# SPDX-License-Identifier: Apache-2.0
"""Decide one request: access, guards, texts, rates, the classifier (`docs/spec/policy-document.md`, "Combining").

Theory: `evaluate` is the whole of it and does no I/O. It is a generator that asks (`AskGuard`, `TakeToken`), is resumed
with the answer or has EvaluationFailed thrown into it, and returns the Decision. The proxy, a simulation and a replay
drive the same generator, so they cannot disagree. `decide` is the driver for callers with an event loop.

Rules: whatever fails, a Decision comes out. A failure is an answer of its engine, so it is recorded like one, and
`combine` makes a refusal of it. A rate is asked only of what policy allows, since a refused request costs nothing. The
classifier is asked last, of what everything else allows: it takes the longest, and rates bound what somebody can make
it do.
"""

import math
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass, field
from typing import Final, TypeAlias, assert_never

from policies.contracts.decision import (
    Decision,
    Effect,
    EngineAnswer,
    Mode,
    Outcome,
    PolicyAnswer,
    Reason,
    Redact,
)
from policies.contracts.errors import EvaluationFailed
from policies.contracts.request import EvaluationRequest, Subject
from policies.contracts.snapshot import PolicySnapshot, Rate
from policies.engines.combine import RATE_LIMITED, combine, effect_of, failed
from policies.engines.groups import selectors_of
from policies.engines.per_snapshot import per_snapshot
from policies.engines.ports import AccessEngine, GuardEngine
from policies.evaluation.classifier import ENGINE as CLASSIFIER
from policies.evaluation.expected import complete, expected_of
from policies.evaluation.limits import AppliedRate, rates_for
from policies.redaction.selection import selects

LIMITS: Final = "limits"
_MOST_REMEMBERED: Final = 8_192
_GRANTED: Final[dict[int, tuple[tuple[AppliedRate, ...], tuple[PolicyAnswer, ...]]]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class AskGuard:
    """Ask the guard engine. To be resumed with its EngineAnswer."""

    request: EvaluationRequest
    access: EngineAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeToken:
    """Take a token of `subject` from the bucket of the limits policy `policy`. To be resumed with the seconds to wait.

    0 means that it was taken. Policies do not share buckets, so that one that only observes counts for itself.
    """

    policy: str
    subject: Subject
    rate: Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class AskTexts:
    """Ask what the policies of `engine` say of the texts, which the request does not have. Resumed with its answer."""

    engine: str


Ask: TypeAlias = AskGuard | AskTexts | TakeToken
Answer: TypeAlias = EngineAnswer | float

Evaluation: TypeAlias = Generator[Ask, Answer, Decision]


def evaluate(
    request: EvaluationRequest, *, snapshot: PolicySnapshot, access: AccessEngine, with_texts: bool = False
) -> Evaluation:
    """Return the evaluation of `request` by `snapshot`, to be driven to its Decision.

    To be resumed with what each ask says, or to have EvaluationFailed thrown into it where there is no answer.
    `with_texts`: whoever drives it has the request's texts, and is asked what they say.
    """
    engines: list[EngineAnswer] = []
    expected = expected_of(snapshot)
    try:
        _require_scope(request, snapshot)
        answered = access.evaluate(request)
        engines.append(complete(answered, expected.access))
        guarded = yield AskGuard(request=request, access=answered)
        engines.append(complete(guarded, expected.guards))
        if with_texts and expected.texts and effect_of(engines) is Effect.ALLOW:
            # Of what policy allows so far: what somebody says who may not ask is not looked at.
            for engine, policies in expected.texts:
                said = yield AskTexts(engine=engine)
                engines.append(complete(said, policies))
    except EvaluationFailed as exc:
        return combine([*engines, failed(exc.engine, exc.problem)], revision=snapshot.revision)
    owed = redactions_for(snapshot, request)
    rates = rates_for(snapshot, request.subject)
    wait_s = None
    if rates and effect_of(engines, obligations=owed) is Effect.ALLOW:
        answers, wait_s = yield from _take_tokens(request.subject, rates)
        engines.append(EngineAnswer(engine=LIMITS, answers=answers))
    if with_texts and expected.classifier.modes and effect_of(engines, obligations=owed) is Effect.ALLOW:
        try:
            said = yield AskTexts(engine=CLASSIFIER)
            engines.append(complete(said, expected.classifier))
        except EvaluationFailed as exc:
            engines.append(failed(exc.engine, exc.problem))
    return combine(engines, revision=snapshot.revision, obligations=owed, retry_after_s=wait_s)


def redactions_for(snapshot: PolicySnapshot, request: EvaluationRequest) -> tuple[Redact, ...]:
    """Return the obligations of the enforcing redaction policies that select `request`; alike ones get one tuple."""
    model = request.resource.id if request.resource.type == "model" else None
    owed = _owed_redactions(snapshot)
    subject = owed.subjects.intersection(selectors_of(snapshot, request.subject)) if owed.subjects else owed.subjects
    known = owed.remembered.get((request.action, model, subject))
    if known is None:
        if len(owed.remembered) >= _MOST_REMEMBERED:
            owed.remembered.clear()
        known = owed.remembered[request.action, model, subject] = tuple(
            Redact(policy=policy.id)
            for policy in snapshot.redactions
            if policy.mode is Mode.ENFORCE and selects(policy, operation=request.action, model=model, subject=subject)
        )
    return known


@dataclass(frozen=True, slots=True)
class _Owed:
    """`subjects` are those that a redaction policy names: no other makes a difference."""

    subjects: frozenset[str]
    remembered: dict[tuple[str, str | None, frozenset[str]], tuple[Redact, ...]] = field(default_factory=dict)


@per_snapshot
def _owed_redactions(snapshot: PolicySnapshot) -> _Owed:
    return _Owed(frozenset(subject for policy in snapshot.redactions for subject in policy.subjects))


async def decide(
    request: EvaluationRequest,
    *,
    snapshot: PolicySnapshot,
    access: AccessEngine,
    guard: GuardEngine,
    take_token: Callable[[TakeToken], Awaitable[float]],
    texts: Callable[[AskTexts], Awaitable[EngineAnswer]] | None = None,
) -> Decision:
    """Return the decision on `request`. Whatever goes wrong in an engine is a refusal, `evaluation-failed`.

    `take_token` gives the seconds to wait for a token, 0 where it took one. `texts` judges what the request says; an
    enforcement point MUST give it.
    """
    evaluation = evaluate(request, snapshot=snapshot, access=access, with_texts=texts is not None)
    try:
        ask = next(evaluation)
        while True:
            try:
                answer = await _answer(ask, guard=guard, take_token=take_token, texts=texts or _unread)
            except EvaluationFailed as exc:
                ask = evaluation.throw(exc)
            else:
                ask = evaluation.send(answer)
    except StopIteration as done:
        decision: Decision = done.value
        return decision
    except Exception as exc:  # noqa: BLE001  # the boundary of the decision point: no failure may leave without refusal
        return refuse_unexpected(exc, engine="evaluation", snapshot=snapshot)


def refuse_unexpected(problem: Exception, *, engine: str, snapshot: PolicySnapshot) -> Decision:
    """Return the refusal for an exception nobody expected. Only its type is kept: its text may have content."""
    return combine([failed(engine, f"unexpected {type(problem).__name__}")], revision=snapshot.revision)


async def _unread(ask: AskTexts) -> EngineAnswer:
    raise EvaluationFailed(ask.engine, "nobody has the texts")


async def _answer(
    ask: Ask,
    *,
    guard: GuardEngine,
    take_token: Callable[[TakeToken], Awaitable[float]],
    texts: Callable[[AskTexts], Awaitable[EngineAnswer]],
) -> Answer:
    """Return what `ask` asks for. Raises EvaluationFailed for every failure, so that what others said is kept."""
    try:
        match ask:
            case AskGuard():
                return await guard.evaluate(ask.request, ask.access)
            case AskTexts():
                return await texts(ask)
            case TakeToken():
                return await take_token(ask)
            case _:
                assert_never(ask)
    except EvaluationFailed:
        raise
    except Exception as exc:
        engine = ask.engine if isinstance(ask, AskTexts) else LIMITS if isinstance(ask, TakeToken) else "guard"
        raise EvaluationFailed(engine, f"unexpected {type(exc).__name__}") from exc


def _take_tokens(
    subject: Subject,
    rates: tuple[AppliedRate, ...],
) -> Generator[Ask, Answer, tuple[tuple[PolicyAnswer, ...], int | None]]:
    """Ask the rates in order and return what each answered, and the seconds to wait where one refused.

    Enforced ones come first. The first that refuses or fails ends it: the request does not happen, so it counts in none
    of the others.
    """
    answers: list[PolicyAnswer] = []
    all_granted = True
    for applied in rates:
        try:
            wait_s = _seconds((yield TakeToken(policy=applied.policy, subject=subject, rate=applied.rate)))
        except EvaluationFailed as exc:
            answers.extend(failed(LIMITS, exc.problem, policy=applied.policy, mode=applied.mode).answers)
            refused, retry_after_s = True, None
        else:
            answers.append(_rate_answer(applied, granted=wait_s == 0))
            refused, retry_after_s = wait_s > 0, math.ceil(wait_s)
        all_granted = all_granted and not refused
        if refused and applied.mode is Mode.ENFORCE:
            return tuple(answers), retry_after_s
    return _granted(rates, answers) if all_granted else tuple(answers), None


def _granted(rates: tuple[AppliedRate, ...], answers: list[PolicyAnswer]) -> tuple[PolicyAnswer, ...]:
    """Return the answers of `rates` that granted everything: one tuple for the same rates, which `combine` knows."""
    known = _GRANTED.get(id(rates))
    if known is None:
        if len(_GRANTED) >= _MOST_REMEMBERED:
            _GRANTED.clear()
        known = _GRANTED[id(rates)] = (rates, tuple(answers))
    return known[1]


def _rate_answer(applied: AppliedRate, *, granted: bool) -> PolicyAnswer:
    """Return the answer of a rate. One that is kept is neutral: staying below a limit grants nothing."""
    reasons = () if granted else (Reason(code=RATE_LIMITED, policy=applied.policy),)
    outcome = Outcome.NOT_APPLICABLE if granted else Outcome.DENY
    return PolicyAnswer(policy=applied.policy, mode=applied.mode, outcome=outcome, reasons=reasons)


def _seconds(answer: Answer) -> float:
    if isinstance(answer, EngineAnswer) or not math.isfinite(answer) or answer < 0:
        raise EvaluationFailed(LIMITS, "the answer is not a number of seconds")
    return answer


def _require_scope(request: EvaluationRequest, snapshot: PolicySnapshot) -> None:
    if (request.tenant, request.environment) != (snapshot.tenant, snapshot.environment):
        raise EvaluationFailed("evaluation", "the request is of another tenant or environment than the snapshot")
