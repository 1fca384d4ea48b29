# SPDX-License-Identifier: Apache-2.0
"""The laws of combining, over generated answers."""

import copy
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from policies.engines import combine as combine_module
from policies.engines.combine import combine, effect_of, failed


def answer(outcome, policy="p", mode=Mode.ENFORCE, codes=(), redact=()) -> PolicyAnswer:
    return PolicyAnswer(
        policy=policy,
        mode=mode,
        outcome=outcome,
        reasons=tuple(Reason(code=code, policy=policy) for code in codes),
        obligations=tuple(Redact(policy=name) for name in redact),
    )


def engine(*answers, name="opa") -> EngineAnswer:
    return EngineAnswer(engine=name, answers=answers)


def decided(*engines, **more) -> Decision:
    return combine(engines, revision="sha256:00", **more)


names = st.sampled_from(["a", "b", "c", "d", "e"])
outcomes = st.sampled_from(Outcome)
modes = st.sampled_from(Mode)


@st.composite
def engines(draw, outcomes=outcomes):
    return tuple(
        engine(
            *(
                answer(draw(outcomes), policy, draw(modes), draw(st.lists(names, max_size=2)), draw(st.lists(names)))
                for policy in draw(st.lists(names, unique=True, max_size=4))
            ),
            name=name,
        )
        for name in ("casbin", "opa", "limits")
    )


def changed(decision: Decision) -> tuple:
    """What a client notices."""
    return decision.effect, decision.reasons, decision.obligations


@given(engines(), st.randoms())
def test_order_does_not_matter(given_engines, rng: random.Random) -> None:
    shuffled = [
        EngineAnswer(engine=each.engine, answers=tuple(rng.sample(each.answers, len(each.answers))))
        for each in rng.sample(given_engines, len(given_engines))
    ]
    one, other = decided(*given_engines), decided(*shuffled)
    assert (changed(one), one.would_have, one.warnings) == (changed(other), other.would_have, other.warnings)


@given(engines(), outcomes, st.sampled_from([Mode.WARN, Mode.OBSERVE]))
def test_warn_and_observe_change_nothing(given_engines, outcome, mode) -> None:
    extra = engine(answer(outcome, "extra", mode, ["x"], ["r"]), name="rego-embedded")
    assert changed(decided(*given_engines)) == changed(decided(*given_engines, extra))


@given(engines())
def test_adding_an_enforcing_denial_never_allows(given_engines) -> None:
    denied = decided(*given_engines, engine(answer(Outcome.DENY, "extra"), name="rego-embedded"))
    assert (denied.effect, denied.obligations) == (Effect.DENY, ())
    assert denied.reasons


@given(engines())
def test_an_error_refuses_for_that_reason_alone(given_engines) -> None:
    refused = decided(*given_engines, failed("opa", "late"))
    assert refused.effect is Effect.DENY
    assert {reason.code for reason in refused.reasons} == {"evaluation-failed"}


@given(engines(outcomes=st.just(Outcome.NOT_APPLICABLE)))
def test_nothing_applicable_refuses(given_engines) -> None:
    assert decided(*given_engines).reasons == (Reason(code="no-applicable-policy"),)


@given(engines())
def test_allowed_means_one_allows_and_none_denies_or_fails(given_engines) -> None:
    said = {each.outcome for given in given_engines for each in given.answers if each.mode is Mode.ENFORCE}
    allowed = Outcome.ALLOW in said and not said & {Outcome.DENY, Outcome.ERROR}
    assert decided(*given_engines).effect is (Effect.ALLOW if allowed else Effect.DENY)


@given(engines())
def test_would_have_is_the_effect_with_every_mode_enforced(given_engines) -> None:
    enforced = [
        engine(
            *(answer(each.outcome, f"{each.policy}-{each.mode}") for each in given.answers),
            name=given.engine,
        )
        for given in given_engines
    ]
    decision, would_be = decided(*given_engines), decided(*enforced)
    assert decision.would_have == (None if decision.effect is would_be.effect else would_be.effect)


def test_reasons_are_of_every_denial_access_first_then_guards_by_id() -> None:
    decision = decided(
        engine(answer(Outcome.DENY, "z", codes=["z1"]), answer(Outcome.DENY, "a", codes=["a2", "a1"])),
        engine(answer(Outcome.DENY, "y", codes=["access-denied"]), name="casbin"),
    )
    assert [reason.code for reason in decision.reasons] == ["access-denied", "a2", "a1", "z1"]


def test_obligations_of_enforcing_answers_are_united_with_those_given() -> None:
    decision = decided(
        engine(
            answer(Outcome.ALLOW, "a", redact=["r2"]),
            answer(Outcome.NOT_APPLICABLE, "b", redact=["r1", "r2"]),
            answer(Outcome.ALLOW, "c", Mode.WARN, redact=["r9"]),
        ),
        obligations=[Redact(policy="r3")],
    )
    assert [obligation.policy for obligation in decision.obligations] == ["r1", "r2", "r3"]


def test_warn_shows_and_observe_does_not() -> None:
    decision = decided(
        engine(
            answer(Outcome.ALLOW, "a"),
            answer(Outcome.DENY, "b", Mode.WARN, ["b1"]),
            answer(Outcome.DENY, "c", Mode.OBSERVE, ["c1"]),
            answer(Outcome.ERROR, "d", Mode.WARN),
        ),
    )
    assert (decision.effect, decision.would_have) == (Effect.ALLOW, Effect.DENY)
    assert [reason.code for reason in decision.warnings] == ["b1", "evaluation-failed"]


@pytest.mark.parametrize(("code", "want"), [("rate-limited", 7), ("max-tokens-over-cap", None)])
def test_retry_after_is_kept_for_a_rate_only(code, want) -> None:
    assert decided(engine(answer(Outcome.DENY, codes=[code])), retry_after_s=7).retry_after_s == want


def test_a_decision_is_not_a_boolean() -> None:
    with pytest.raises(TypeError):
        bool(decided())


@given(engines(), st.lists(names, max_size=2), st.randoms())
def test_what_was_united_before_is_united_the_same(given_engines, owed, shuffled):
    """The same tuples, in engines of other times and orders, come to what equal ones come to for the first time."""
    obligations = tuple(Redact(policy=name) for name in owed)
    decided(*given_engines, obligations=obligations)
    again = [EngineAnswer(engine=given.engine, answers=given.answers, duration_us=7) for given in given_engines]
    shuffled.shuffle(again)
    copied = [EngineAnswer(engine=given.engine, answers=copy.deepcopy(given.answers), duration_us=7) for given in again]
    want = decided(*copied, obligations=tuple(Redact(policy=name) for name in owed))
    assert decided(*again, obligations=obligations) == want


def test_answers_in_a_list_are_not_remembered():
    answers = [answer(Outcome.ALLOW)]
    listed = EngineAnswer(engine="opa", answers=answers)  # type: ignore[arg-type]
    assert decided(listed).effect is Effect.ALLOW
    answers[0] = answer(Outcome.DENY, codes=["a"])
    assert decided(listed).effect is Effect.DENY


def test_no_more_is_remembered_than_the_bound(monkeypatch):
    monkeypatch.setattr(combine_module, "_MOST_REMEMBERED", 4)
    combine_module._REMEMBERED.clear()
    for _ in range(20):
        decided(engine(answer(Outcome.ALLOW)))
        assert len(combine_module._REMEMBERED) <= 4


@given(engines())
def test_the_effect_alone_is_that_of_the_decision(given_engines) -> None:
    assert effect_of(given_engines) is decided(*given_engines).effect
