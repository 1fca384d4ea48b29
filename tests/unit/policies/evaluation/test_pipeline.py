# SPDX-License-Identifier: Apache-2.0
"""One request through access, guards and rates, with engines that say what the test wants."""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from policies.contracts.decision import Decision, Effect, EngineAnswer, Mode, Outcome, PolicyAnswer, Reason, Redact
from policies.contracts.errors import EvaluationFailed
from policies.contracts.request import EvaluationRequest, RequestFacts, Resource, Subject
from policies.contracts.screening import ClassifierRule, ScreenAsk, ScreenEffect, ScreeningPolicy
from policies.contracts.snapshot import (
    AccessPolicy,
    GuardPolicy,
    LimitPolicy,
    PolicySnapshot,
    Rate,
    RedactionPolicy,
)
from policies.evaluation.pipeline import AskGuard, AskTexts, TakeToken, decide, evaluate, redactions_for

CODES = {"too-much": "Too much."}
REQUEST = EvaluationRequest(
    request_id="r",
    tenant="default",
    environment="production",
    subject=Subject(type="user", id="alice"),
    action="chat.completions",
    resource=Resource(type="model", id="parrot"),
    facts=RequestFacts(),
    at=datetime(2026, 11, 20, tzinfo=UTC),
)


def rate(name, mode=Mode.ENFORCE) -> LimitPolicy:
    return LimitPolicy(
        id=name, version="1", mode=mode, subjects=("*",), max_body_bytes=None, rate=Rate(requests=1, per_s=1)
    )


def redaction(name, *, operations=(), models=(), subjects=(), mode=Mode.ENFORCE) -> RedactionPolicy:
    return RedactionPolicy(
        id=name, version="1", mode=mode, operations=operations, models=models, subjects=subjects, rules=()
    )


def snapshot(**changes) -> PolicySnapshot:
    fields: dict[str, Any] = {
        "tenant": "default",
        "environment": "production",
        "groups": {},
        "access": (AccessPolicy(id="access", version="1", mode=Mode.ENFORCE, grants=()),),
        "guards": (GuardPolicy(id="caps", version="1", mode=Mode.ENFORCE, module="", data={}, reasons=CODES),),
    }
    return PolicySnapshot(**(fields | changes))


@dataclass
class Engine:
    """Access engine and guard engine: says `outcome` of its one policy, or raises it."""

    name: str
    policy: str
    outcome: Outcome | Exception
    mode: Mode = Mode.ENFORCE
    redact: tuple[Redact, ...] = ()

    def say(self) -> EngineAnswer:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        reasons = (Reason(code="too-much", policy=self.policy),) if self.outcome is Outcome.DENY else ()
        said = PolicyAnswer(
            policy=self.policy, mode=self.mode, outcome=self.outcome, reasons=reasons, obligations=self.redact
        )
        return EngineAnswer(engine=self.name, answers=(said,))


class Access(Engine):
    def evaluate(self, request: EvaluationRequest) -> EngineAnswer:
        return self.say()


class Guard(Engine):
    async def evaluate(self, request: EvaluationRequest, access: EngineAnswer) -> EngineAnswer:
        return self.say()

    async def close(self) -> None:
        return


@dataclass
class Buckets:
    wait_s: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def take(self, token: TakeToken) -> float:
        self.asked.append(token.policy)
        said = self.wait_s.get(token.policy, 0)
        if isinstance(said, Exception):
            raise said
        return said


async def decided(
    access=Outcome.ALLOW,
    guard=Outcome.NOT_APPLICABLE,
    buckets=None,
    *,
    of=None,
    request=REQUEST,
    redact=(),
) -> Decision:
    return await decide(
        request,
        snapshot=of or snapshot(),
        access=Access("casbin", "access", access),
        guard=Guard("opa", "caps", guard, redact=redact),
        take_token=(buckets or Buckets()).take,
    )


@pytest.mark.parametrize(
    ("access", "guard", "effect", "codes"),
    [
        pytest.param(Outcome.ALLOW, Outcome.NOT_APPLICABLE, Effect.ALLOW, [], id="access-allows"),
        pytest.param(Outcome.NOT_APPLICABLE, Outcome.ALLOW, Effect.ALLOW, [], id="guard-allows"),
        pytest.param(Outcome.ALLOW, Outcome.DENY, Effect.DENY, ["too-much"], id="guard-denies"),
        pytest.param(Outcome.DENY, Outcome.ALLOW, Effect.DENY, ["too-much"], id="access-denies"),
        pytest.param(
            Outcome.NOT_APPLICABLE, Outcome.NOT_APPLICABLE, Effect.DENY, ["no-applicable-policy"], id="nobody"
        ),
        pytest.param(Outcome.ALLOW, EvaluationFailed("opa", "late"), Effect.DENY, ["evaluation-failed"], id="late"),
        pytest.param(Outcome.ALLOW, RuntimeError("secret"), Effect.DENY, ["evaluation-failed"], id="guard-raises"),
        pytest.param(RuntimeError("secret"), Outcome.ALLOW, Effect.DENY, ["evaluation-failed"], id="access-raises"),
        pytest.param(Outcome.DENY, RuntimeError("secret"), Effect.DENY, ["evaluation-failed"], id="error-before-deny"),
    ],
)
async def test_decides(access, guard, effect, codes) -> None:
    decision = await decided(access, guard)
    assert (decision.effect, [reason.code for reason in decision.reasons]) == (effect, codes)
    assert "secret" not in repr(decision)
    assert decision.revision == snapshot().revision


async def test_a_failure_is_recorded_beside_what_others_said() -> None:
    decision = await decided(guard=EvaluationFailed("opa", "late"))
    assert [(each.engine, each.answers[0].outcome, each.answers[0].error) for each in decision.engines] == [
        ("casbin", Outcome.ALLOW, ""),
        ("opa", Outcome.ERROR, "late"),
    ]


async def test_cancelling_is_no_failure() -> None:
    class Cancelled(Guard):
        async def evaluate(self, request, access):
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await decide(
            REQUEST,
            snapshot=snapshot(),
            access=Access("casbin", "access", Outcome.ALLOW),
            guard=Cancelled("opa", "caps", Outcome.ALLOW),
            take_token=Buckets().take,
        )


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"guards": ()}, id="a-guard-nobody-asked-for"),
        pytest.param({"guards": (*snapshot().guards, replace(snapshot().guards[0], id="more"))}, id="guard-missing"),
        pytest.param({"guards": (replace(snapshot().guards[0], mode=Mode.OBSERVE),)}, id="guard-of-another-mode"),
        pytest.param({"access": ()}, id="an-access-policy-nobody-knows"),
        pytest.param({"tenant": "other"}, id="another-tenant"),
        pytest.param({"environment": "staging"}, id="another-environment"),
    ],
)
async def test_refuses_answers_that_are_not_of_the_snapshot(changed) -> None:
    decision = await decided(guard=Outcome.ALLOW, of=snapshot(**changed))
    assert [reason.code for reason in decision.reasons] == ["evaluation-failed"]


@pytest.mark.parametrize(("neutral", "effect"), [(1, Effect.ALLOW), (0, Effect.DENY), (2, Effect.DENY)])
async def test_policies_that_do_not_apply_may_be_counted_and_none_may_be_left_out(neutral, effect) -> None:
    class Counting(Access):
        def say(self) -> EngineAnswer:
            return replace(super().say(), neutral=neutral)

    both = (*snapshot().access, AccessPolicy(id="other", version="1", mode=Mode.ENFORCE, grants=()))
    for _ in range(2):  # the second time by what is remembered of the first
        decision = await decide(
            REQUEST,
            snapshot=snapshot(access=both),
            access=Counting("casbin", "access", Outcome.ALLOW),
            guard=Guard("opa", "caps", Outcome.NOT_APPLICABLE),
            take_token=Buckets().take,
        )
        assert decision.effect is effect


async def test_rate_refuses_with_the_whole_seconds_to_wait() -> None:
    decision = await decided(buckets=Buckets({"b": 1.2}), of=snapshot(limits=(rate("a"), rate("b"))))
    assert (decision.effect, decision.reasons) == (Effect.DENY, (Reason(code="rate-limited", policy="b"),))
    assert decision.retry_after_s == 2
    assert decision.engines[-1].engine == "limits"


@pytest.mark.parametrize("guard", [Outcome.DENY, EvaluationFailed("opa", "late")])
async def test_a_refused_request_costs_no_token(guard) -> None:
    buckets = Buckets()
    await decided(guard=guard, buckets=buckets, of=snapshot(limits=(rate("a"),)))
    assert buckets.asked == []


async def test_the_first_rate_that_refuses_ends_it_and_watching_ones_come_last() -> None:
    limits = (rate("a", Mode.OBSERVE), rate("b"), rate("c"), rate("d"))
    buckets = Buckets({"c": 1})
    await decided(buckets=buckets, of=snapshot(limits=limits))
    assert buckets.asked == ["b", "c"]


@pytest.mark.parametrize("said", [3, ConnectionError("secret")])
async def test_a_rate_that_only_warns_changes_nothing(said) -> None:
    decision = await decided(buckets=Buckets({"a": said}), of=snapshot(limits=(rate("a", Mode.WARN), rate("b"))))
    assert (decision.effect, decision.would_have, decision.retry_after_s) == (Effect.ALLOW, Effect.DENY, None)
    assert len(decision.warnings) == 1


@pytest.mark.parametrize("said", [ConnectionError("secret"), float("nan"), -1, float("inf")])
async def test_a_rate_that_cannot_be_read_refuses(said) -> None:
    decision = await decided(buckets=Buckets({"a": said}), of=snapshot(limits=(rate("a"),)))
    assert [reason.code for reason in decision.reasons] == ["evaluation-failed"]


REDACTIONS = (
    redaction("all"),
    redaction("chat", operations=("chat.completions",)),
    redaction("other-model", models=("other",)),
    redaction("parrot", models=("parrot",), operations=("*",)),
    redaction("watched", mode=Mode.OBSERVE),
)


@pytest.mark.parametrize(
    ("request_", "want"),
    [
        pytest.param(REQUEST, ["all", "chat", "parrot"], id="by-operation-and-model"),
        pytest.param(
            replace(REQUEST, action="models.list", resource=Resource(type="route", id="parrot")), ["all"], id="no-model"
        ),
    ],
)
def test_redactions_that_select_the_request_are_owed(request_, want) -> None:
    owed = redactions_for(snapshot(redactions=REDACTIONS), request_)
    assert [obligation.policy for obligation in owed] == want


BY_SUBJECT = (
    redaction("all"),
    redaction("alice", subjects=("user:alice",)),
    redaction("everybody", subjects=("*",)),
    redaction("guests", subjects=("group:guests",)),
    redaction("staff", subjects=("group:staff",)),
)


@pytest.mark.parametrize(
    ("subject", "want"),
    [
        (Subject(type="user", id="alice"), ["all", "alice", "everybody", "staff"]),
        (Subject(type="user", id="bob"), ["all", "everybody"]),
        (Subject(type="user", id="bob", groups=("guests",)), ["all", "everybody", "guests"]),
    ],
)
def test_redactions_are_owed_by_subject(subject, want) -> None:
    of = snapshot(redactions=BY_SUBJECT, groups={"staff": ("user:alice",)})
    for _ in range(2):  # what was remembered for another is not taken
        owed = redactions_for(of, replace(REQUEST, subject=subject))
        assert [obligation.policy for obligation in owed] == want
        redactions_for(of, replace(REQUEST, subject=Subject(type="service", id="batch")))
    assert redactions_for(of, replace(REQUEST, subject=subject)) is owed


async def test_a_guard_may_oblige_what_selects_nothing() -> None:
    decision = await decided(of=snapshot(redactions=REDACTIONS), redact=(Redact(policy="other-model"),))
    assert [obligation.policy for obligation in decision.obligations] == ["all", "chat", "other-model", "parrot"]


SCREENED = ScreeningPolicy(
    id="screen",
    version="1",
    mode=Mode.ENFORCE,
    rules=(),
    classifier=(
        ClassifierRule(
            id="injection",
            effect=ScreenEffect.DENY,
            threshold_bp=9000,
            thresholds_bp={},
            fields=(),
            operations=(),
            models=(),
            subjects=(),
            reason="prompt-injection",
        ),
    ),
    ask=ScreenAsk(),
)


async def with_classifier(outcome, **changes):
    """Return the decision, and which engines for texts were asked for it."""
    asked = []

    async def judge(ask: AskTexts) -> EngineAnswer:
        asked.append(ask.engine)
        return Engine("classifier", "screen", outcome).say()

    buckets = changes.pop("buckets", Buckets())
    decision = await decide(
        REQUEST,
        snapshot=snapshot(limits=(rate("a"),), screening=(SCREENED,)),
        access=Access("casbin", "access", changes.get("access", Outcome.ALLOW)),
        guard=Guard("opa", "caps", changes.get("guard", Outcome.NOT_APPLICABLE)),
        take_token=buckets.take,
        texts=judge,
    )
    return decision, asked


@pytest.mark.parametrize(
    ("outcome", "effect", "codes"),
    [
        pytest.param(Outcome.NOT_APPLICABLE, Effect.ALLOW, [], id="harmless"),
        pytest.param(Outcome.DENY, Effect.DENY, ["too-much"], id="found"),
        pytest.param(EvaluationFailed("classifier", "gone"), Effect.DENY, ["evaluation-failed"], id="failed"),
        pytest.param(RuntimeError("secret"), Effect.DENY, ["evaluation-failed"], id="raised"),
    ],
)
async def test_the_classifier_decides_what_all_others_allow(outcome, effect, codes) -> None:
    decision, asked = await with_classifier(outcome)
    assert (decision.effect, [each.code for each in decision.reasons], asked) == (effect, codes, ["classifier"])


@pytest.mark.parametrize(
    "refused",
    [
        pytest.param({"access": Outcome.NOT_APPLICABLE}, id="nobody-allows"),
        pytest.param({"guard": Outcome.DENY}, id="a-guard-denies"),
        pytest.param({"guard": EvaluationFailed("opa", "late")}, id="a-guard-fails"),
        pytest.param({"buckets": Buckets({"a": 3})}, id="a-rate-is-used-up"),
    ],
)
async def test_the_classifier_is_not_asked_about_what_is_refused_anyhow(refused) -> None:
    decision, asked = await with_classifier(Outcome.NOT_APPLICABLE, **refused)
    assert (decision.effect, asked) == (Effect.DENY, [])


async def test_the_classifier_is_not_asked_where_nobody_has_the_texts() -> None:
    assert (await decided(of=snapshot(screening=(SCREENED,)))).effect is Effect.ALLOW


def test_evaluation_does_no_io_and_is_driven_by_its_asks() -> None:
    of = snapshot(limits=(rate("a"),))
    evaluation = evaluate(REQUEST, snapshot=of, access=Access("casbin", "access", Outcome.ALLOW))
    ask = next(evaluation)
    assert isinstance(ask, AskGuard)
    token = evaluation.send(Guard("opa", "caps", Outcome.ALLOW).say())
    assert token == TakeToken(policy="a", subject=REQUEST.subject, rate=Rate(requests=1, per_s=1))
    with pytest.raises(StopIteration) as done:
        evaluation.send(0)
    assert done.value.value.effect is Effect.ALLOW


@dataclass
class Saying(Guard):
    """A guard engine that gives one and the same answers each time."""

    answers: tuple[PolicyAnswer, ...] = ()

    def say(self) -> EngineAnswer:
        return EngineAnswer(engine=self.name, answers=self.answers)


async def test_answers_that_were_whole_for_one_snapshot_are_looked_at_again_for_another() -> None:
    given = Guard("opa", "caps", Outcome.NOT_APPLICABLE).say().answers
    guard = Saying("opa", "caps", Outcome.NOT_APPLICABLE, answers=given)
    more = (*snapshot().guards, replace(snapshot().guards[0], id="more"))
    codes = []
    for of in (snapshot(), snapshot(guards=more), snapshot()):
        access = Access("casbin", "access", Outcome.ALLOW)
        decision = await decide(REQUEST, snapshot=of, access=access, guard=guard, take_token=Buckets().take)
        codes.append([reason.code for reason in decision.reasons])
    assert codes == [[], ["evaluation-failed"], []]


def test_decides_without_waiting_where_no_engine_waits() -> None:
    deciding = decided(buckets=Buckets(), of=snapshot(limits=(rate("a"), rate("b"))))
    with pytest.raises(StopIteration) as done:
        deciding.send(None)
    assert done.value.value.effect is Effect.ALLOW
