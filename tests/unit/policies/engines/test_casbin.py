# SPDX-License-Identifier: Apache-2.0
"""The access matrix: a table of decisions, its agreement with plain pycasbin, and pycasbin's traps."""

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import casbin
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.contracts.decision import Effect, Mode, Outcome, Reason
from policies.contracts.request import EvaluationRequest, RequestFacts, Resource, Subject
from policies.contracts.snapshot import AccessPolicy, Grant, PolicySnapshot
from policies.engines.casbin import MODEL_TEXT, MOST_LISTED, CasbinAccess, _SealedEnforcer
from policies.engines.grants import GrantsInFile, rows_of, write_grants

GROUPS = {"staff": ("user:alice", "user:bob"), "bots": ("service:ci",), "all": ("user:alice", "service:ci")}


def grant(effect, subjects, models, operations, name="g") -> Grant:
    return Grant(id=name, effect=Effect(effect), subjects=subjects, models=models, operations=operations)


def policy(*grants, name="chat-access", mode=Mode.ENFORCE) -> AccessPolicy:
    return AccessPolicy(id=name, version="1", mode=mode, grants=grants)


def access(*policies) -> CasbinAccess:
    return CasbinAccess(
        PolicySnapshot(tenant="default", environment="production", groups=GROUPS, access=policies),
    )


def request(subject: str, model: str | None, action: str) -> EvaluationRequest:
    kind, _, name = subject.partition(":")
    resource = Resource(type="route", id=action) if model is None else Resource(type="model", id=model)
    return EvaluationRequest(
        request_id="r",
        tenant="default",
        environment="production",
        subject=Subject(type=kind, id=name),
        action=action,
        resource=resource,
        facts=RequestFacts(),
        at=datetime(2026, 11, 20, tzinfo=UTC),
    )


MATRIX = policy(
    grant("allow", ("group:staff",), ("parrot",), ("chat.completions",), "staff-chat"),
    grant("deny", ("user:bob",), ("*",), ("*",), "not-bob"),
    grant("allow", ("*",), (), ("models.list",), "list"),
    grant("allow", ("service:ci",), ("*",), ("*",), "ci"),
    grant("allow", ("service:root",), (), ("*",), "routes"),
)


@pytest.mark.parametrize(
    ("subject", "model", "action", "want"),
    [
        pytest.param("user:alice", "parrot", "chat.completions", Outcome.ALLOW, id="by-group"),
        pytest.param("user:eve", "parrot", "chat.completions", Outcome.NOT_APPLICABLE, id="not-of-the-group"),
        pytest.param("user:alice", "parrot ", "chat.completions", Outcome.NOT_APPLICABLE, id="trailing-space"),
        pytest.param("user:alice", "Parrot", "chat.completions", Outcome.NOT_APPLICABLE, id="other-case"),
        pytest.param("user:alice", "parrot", "completions", Outcome.NOT_APPLICABLE, id="another-operation"),
        pytest.param("service:alice", "parrot", "chat.completions", Outcome.NOT_APPLICABLE, id="service-of-that-name"),
        pytest.param("group:staff", "parrot", "chat.completions", Outcome.ALLOW, id="the-group-itself-is-its-member"),
        pytest.param("user:bob", "parrot", "chat.completions", Outcome.DENY, id="denial-overrides"),
        pytest.param("user:bob", "anything", "embeddings", Outcome.DENY, id="denial-of-every-model"),
        pytest.param("user:bob", None, "models.list", Outcome.ALLOW, id="any-model-is-no-route"),
        pytest.param("user:eve", None, "models.list", Outcome.ALLOW, id="everybody"),
        pytest.param("user:eve", None, "models.delete", Outcome.NOT_APPLICABLE, id="another-route"),
        pytest.param("service:ci", "unheard-of", "chat.completions", Outcome.ALLOW, id="every-model"),
        pytest.param("service:ci", "*", "chat.completions", Outcome.ALLOW, id="model-called-star"),
        pytest.param("user:alice", "*", "chat.completions", Outcome.NOT_APPLICABLE, id="star-is-not-all-named-models"),
        pytest.param("service:ci", None, "chat.completions", Outcome.NOT_APPLICABLE, id="every-model-but-no-route"),
        pytest.param("service:root", None, "anything.at.all", Outcome.ALLOW, id="every-route"),
        pytest.param("service:root", "parrot", "chat.completions", Outcome.NOT_APPLICABLE, id="every-route-no-model"),
    ],
)
def test_decides(subject, model, action, want) -> None:
    assert access(MATRIX).evaluate(request(subject, model, action)).answers[0].outcome is want


@pytest.mark.parametrize("first", ["route", "record"])
def test_a_resource_of_another_type_is_no_route_whichever_is_asked_first(first) -> None:
    matrix = access(MATRIX)
    route = request("service:root", None, "read")
    record = replace(route, resource=Resource(type="record", id="record-1"))
    asked = [route, record] if first == "route" else [record, route]
    outcomes = {each.resource.type: matrix.evaluate(each).answers[0].outcome for each in asked}
    assert outcomes == {"route": Outcome.ALLOW, "record": Outcome.NOT_APPLICABLE}


def test_a_denial_names_policy_and_grant() -> None:
    answer = access(MATRIX).evaluate(request("user:bob", "parrot", "chat.completions")).answers[0]
    assert answer.reasons == (Reason(code="access-denied", policy="chat-access", rule="not-bob"),)


def test_every_policy_answers_for_itself_by_id_in_its_mode() -> None:
    engine = access(
        policy(grant("deny", ("*",), ("*",), ("*",)), name="z", mode=Mode.WARN),
        policy(grant("allow", ("*",), ("parrot",), ("*",)), name="a"),
        policy(name="empty"),
    )
    answers = engine.evaluate(request("user:eve", "parrot", "chat.completions")).answers
    assert [(answer.policy, answer.mode, answer.outcome) for answer in answers] == [
        ("a", Mode.ENFORCE, Outcome.ALLOW),
        ("empty", Mode.ENFORCE, Outcome.NOT_APPLICABLE),
        ("z", Mode.WARN, Outcome.DENY),
    ]


def test_no_policy_is_no_answer() -> None:
    assert access().evaluate(request("user:eve", "parrot", "chat.completions")).answers == ()


def test_groups_are_sorted_and_only_ones_own() -> None:
    engine = access(MATRIX)
    assert engine.groups_of(Subject(type="user", id="alice")) == ("all", "staff")
    assert engine.groups_of(Subject(type="service", id="alice")) == ()


def test_groups_that_a_token_names_are_beside_the_listed_ones() -> None:
    assert access(MATRIX).groups_of(Subject(type="user", id="alice", groups=("corp",))) == ("all", "corp", "staff")


claimed = st.lists(st.sampled_from(["corp", "corp-admins"]), max_size=2, unique=True).map(tuple)
subjects = st.sampled_from(["user:alice", "user:bob", "user:eve", "service:ci"])
selectors = st.sampled_from(["user:alice", "service:ci", "group:staff", "group:all", "group:corp", "*"])
models = st.sampled_from(["parrot", "m/1", "other"])
actions = st.sampled_from(["chat.completions", "completions", "models.list"])
grants = st.builds(
    grant,
    st.sampled_from(["allow", "deny"]),
    st.lists(selectors, min_size=1, max_size=2).map(tuple),
    st.lists(st.one_of(models, st.just("*")), max_size=2).map(tuple),
    st.lists(st.one_of(actions, st.just("*")), min_size=1, max_size=2).map(tuple),
)


@given(st.lists(grants, max_size=6), st.lists(st.tuples(subjects, st.one_of(st.none(), models), actions), max_size=8))
def test_equals_plain_pycasbin(given_grants, asked) -> None:
    plain = casbin.Enforcer(casbin.Enforcer.new_model(text=MODEL_TEXT))
    plain.add_policies(list(dict.fromkeys(rows_of(tuple(given_grants)))))
    plain.add_grouping_policies([(member, f"group:{name}") for name in GROUPS for member in GROUPS[name]])
    engine = access(policy(*given_grants))
    for subject, model, action in asked:
        resource = f"route:{action}" if model is None else f"model:{model}"
        allowed = engine.evaluate(request(subject, model, action)).answers[0].outcome is Outcome.ALLOW
        assert allowed is plain.enforce(subject, resource, action)


@given(st.lists(grants, max_size=6), st.lists(st.tuples(subjects, claimed, models, actions), max_size=8))
def test_a_claimed_group_counts_as_a_role_of_plain_pycasbin(given_grants, asked) -> None:
    engine = access(policy(*given_grants))
    for subject, groups, model, action in asked:
        plain = casbin.Enforcer(casbin.Enforcer.new_model(text=MODEL_TEXT))
        plain.add_policies(list(dict.fromkeys(rows_of(tuple(given_grants)))))
        listed = [(member, f"group:{name}") for name in GROUPS for member in GROUPS[name]]
        plain.add_grouping_policies(listed + [(subject, f"group:{name}") for name in groups])
        question = request(subject, model, action)
        question = replace(question, subject=replace(question.subject, groups=groups))
        outcome = engine.evaluate(question).answers[0].outcome
        assert (outcome is Outcome.ALLOW) is plain.enforce(subject, f"model:{model}", action)
        denied = [row for row in rows_of(tuple(given_grants)) if row[3] == "deny"]
        if not denied:
            assert outcome is not Outcome.DENY


def test_a_denial_of_one_group_stands_against_the_allow_of_another() -> None:
    engine = access(
        policy(
            grant("allow", ("group:corp",), ("parrot",), ("chat.completions",), name="a"),
            grant("deny", ("group:corp-guests",), ("parrot",), ("chat.completions",), name="b"),
        )
    )
    question = request("user:eve", "parrot", "chat.completions")
    for groups, want in (
        ((), Outcome.NOT_APPLICABLE),
        (("corp",), Outcome.ALLOW),
        (("corp", "corp-guests"), Outcome.DENY),
        (("corp-guests", "corp"), Outcome.DENY),
    ):
        subject = replace(question.subject, groups=groups)
        assert engine.evaluate(replace(question, subject=subject)).answers[0].outcome is want


def test_made_up_models_fill_no_memory() -> None:
    engine = access(MATRIX)
    for number in range(50):
        engine.evaluate(request("user:alice", f"made-up-{number}", "chat.completions"))
    assert engine._answers.cache_info().currsize == 1


def test_subjects_without_number_fill_no_memory(monkeypatch) -> None:
    monkeypatch.setattr("policies.engines.casbin._REMEMBERED_SETS", 8)
    monkeypatch.setattr("policies.engines.casbin._REMEMBERED_ANSWERS", 8)
    engine = access(policy(*(grant("allow", (f"user:u{n}",), ("parrot",), ("*",), f"g{n}") for n in range(50))))
    for number in range(50):
        asked = request(f"user:u{number}", "parrot", "chat.completions")
        assert engine.evaluate(asked).answers[0].outcome is Outcome.ALLOW
    assert engine._answers.cache_info().currsize <= 8
    assert len(engine._came_to) <= 8


def test_more_rows_than_are_remembered_decide_all_the_same() -> None:
    allowing = [grant("allow", ("*",), ("parrot",), ("*",), f"g{number}") for number in range(200)]
    engine = access(policy(*allowing, grant("deny", ("user:bob",), ("parrot",), ("*",), "not-bob")))
    assert engine.evaluate(request("user:eve", "parrot", "completions")).answers[0].outcome is Outcome.ALLOW
    assert engine.evaluate(request("user:bob", "parrot", "completions")).answers[0].outcome is Outcome.DENY
    assert not engine._came_to


@pytest.mark.parametrize("effect", ["Deny", "deny ", ""])
def test_trap_pycasbin_ignores_an_effect_it_does_not_know_and_we_do_not(effect) -> None:
    row = Grant(id="g", effect=effect, subjects=("*",), models=("*",), operations=("*",))
    with pytest.raises(ValueError, match="Effect"):
        access(policy(row))


def test_trap_a_switched_off_enforcer_allows_everything() -> None:
    plain = casbin.Enforcer(casbin.Enforcer.new_model(text=MODEL_TEXT))
    plain.enable_enforce(enabled=False)
    assert plain.enforce("user:eve", "model:parrot", "any") is True
    ours = _SealedEnforcer(list(rows_of(MATRIX.grants)), [])
    with pytest.raises(TypeError):
        ours.enable_enforce(enabled=False)


def test_trap_matchers_rewrite_exclamation_marks_and_ours_has_none() -> None:
    matcher = MODEL_TEXT.partition("[matchers]")[2]
    assert "!" not in matcher


def test_logs_nobody(caplog) -> None:
    with caplog.at_level(logging.DEBUG):
        access(MATRIX).evaluate(request("user:bob", "parrot", "chat.completions"))
    assert not caplog.records


def test_of_many_policies_those_that_do_not_apply_are_counted() -> None:
    others = [policy(grant("allow", ("user:bob",), ("parrot",), ("*",)), name=f"p{n:03}") for n in range(MOST_LISTED)]
    engine = access(policy(grant("deny", ("user:alice",), ("parrot",), ("*",)), name="alices"), *others)

    answered = engine.evaluate(request("user:alice", "parrot", "chat.completions"))
    assert [(answer.policy, answer.outcome) for answer in answered.answers] == [("alices", Outcome.DENY)]
    assert answered.neutral == MOST_LISTED

    nobody = engine.evaluate(request("user:eve", "parrot", "chat.completions"))
    assert (nobody.answers, nobody.neutral) == ((), MOST_LISTED + 1)


def test_of_few_policies_all_are_listed() -> None:
    few = [policy(name=f"p{n:03}") for n in range(MOST_LISTED)]

    answered = access(*few).evaluate(request("user:alice", "parrot", "chat.completions"))

    assert [answer.policy for answer in answered.answers] == [each.id for each in few]
    assert answered.neutral == 0


def test_of_many_policies_a_denial_by_a_group_that_a_token_names_stands() -> None:
    others = [policy(name=f"p{n:03}") for n in range(MOST_LISTED)]
    mine = policy(
        grant("allow", ("user:alice",), ("parrot",), ("*",)), grant("deny", ("group:guests",), ("parrot",), ("*",))
    )
    engine, question = access(mine, *others), request("user:alice", "parrot", "chat.completions")
    asked = replace(question, subject=replace(question.subject, groups=("guests",)))

    assert [answer.outcome for answer in engine.evaluate(question).answers] == [Outcome.ALLOW]
    assert [answer.outcome for answer in engine.evaluate(asked).answers] == [Outcome.DENY]


NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def ended(effect, subject, ends, name) -> Grant:
    return replace(grant(effect, (subject,), ("*",), ("*",), name), expires=ends)


EXPIRING = policy(
    ended("allow", "user:alice", "2026-11-20T12:00:00Z", "till-noon"),
    ended("deny", "user:bob", "2026-11-20T13:00:00Z", "not-before-one"),
    grant("allow", ("user:bob",), ("*",), ("*",), "bob"),
)


@pytest.mark.parametrize("in_file", [False, True])
@pytest.mark.parametrize(
    ("subject", "after_s", "want"),
    [
        pytest.param("user:alice", -1, Outcome.ALLOW, id="before-its-end"),
        pytest.param("user:alice", 0, Outcome.NOT_APPLICABLE, id="from-its-end-on"),
        pytest.param("user:bob", 3599, Outcome.DENY, id="a-denial-before-its-end"),
        pytest.param("user:bob", 3600, Outcome.ALLOW, id="a-denial-from-its-end-on"),
    ],
)
def test_a_grant_ends_without_any_release(subject, after_s, want, in_file, tmp_path):
    snapshot = PolicySnapshot(tenant="default", environment="production", groups=GROUPS, access=(EXPIRING,))
    kept = None
    if in_file:
        write_grants(tmp_path / "grants", snapshot.access)
        kept = GrantsInFile(tmp_path / "grants")
    engine = CasbinAccess(snapshot, kept)
    asked = request(subject, "parrot", "chat.completions")
    # Asked before as well: what is remembered of another time must not stand.
    for at in (NOON - timedelta(days=1), NOON + timedelta(days=1), NOON + timedelta(seconds=after_s)):
        (answer,) = engine.evaluate(replace(asked, at=at)).answers
    assert answer.outcome is want
    rows = dict(engine.rows_for(replace(asked, at=NOON + timedelta(seconds=after_s))))["chat-access"]
    assert bool(rows) is (want is not Outcome.NOT_APPLICABLE)
