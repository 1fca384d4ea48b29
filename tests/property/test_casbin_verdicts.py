# SPDX-License-Identifier: Apache-2.0
"""Casbin stays the judge: the verdicts of plain pycasbin, with the row that decided, on random policies and requests.

1,000 policies, or 10,000 with `HYPOTHESIS_PROFILE=deep`, each with a number that it is made from, which a failure names.
Plain pycasbin gets all rows and all groups; ours is asked everything twice, in another order, from one engine.
"""

import random
from datetime import UTC, datetime

import casbin
import pytest
from hypothesis import settings

from policies.contracts.decision import Effect, Mode, Outcome
from policies.contracts.request import EvaluationRequest, RequestFacts, Resource, Subject
from policies.contracts.snapshot import AccessPolicy, Grant, PolicySnapshot
from policies.engines.casbin import MODEL_TEXT, CasbinAccess
from policies.engines.grants import rows_of

POLICIES = 10_000 if settings().max_examples >= 2_000 else 1_000
REQUESTS = 6

PEOPLE = ["user:a", "user:b", "user:ab", "service:a", "service:b"]
GROUPS = ["g", "g-1", "g-10", "none"]
# One name the beginning of another, since keyMatch compares beginnings where there is a wildcard.
MODELS = ["m", "m/1", "m/10", "M", "model:m"]
ACTIONS = ["chat.completions", "completions", "models.list", "models"]

Asked = tuple[str, str | None, str]


def some(pick: random.Random, names: list[str], wildcard: float) -> tuple[str, ...]:
    if pick.random() < wildcard:
        return ("*",)
    return tuple(pick.choices(names, k=pick.randint(1, 3)))


def a_policy(pick: random.Random) -> tuple[dict[str, tuple[str, ...]], AccessPolicy]:
    groups = {name: tuple(pick.choices(PEOPLE, k=pick.randint(0, 3))) for name in GROUPS if pick.random() < 0.7}
    subjects = PEOPLE + [f"group:{name}" for name in GROUPS]
    grants = tuple(
        Grant(
            id=f"r{number}",
            effect=Effect.DENY if pick.random() < 0.25 else Effect.ALLOW,
            subjects=some(pick, subjects, 0.15),
            models=() if pick.random() < 0.25 else some(pick, MODELS, 0.25),
            operations=some(pick, ACTIONS, 0.25),
        )
        for number in range(pick.randint(0, 12))
    )
    return groups, AccessPolicy(id="p", version="1", mode=Mode.ENFORCE, grants=grants)


def a_request(pick: random.Random) -> Asked:
    model = pick.choice([None, *MODELS, "*", "made-up", "m/"])
    return pick.choice([*PEOPLE, "user:nobody"]), model, pick.choice([*ACTIONS, "made.up"])


def plain_verdict(plain: casbin.Enforcer, asked: Asked) -> tuple[Outcome, str]:
    subject, model, action = asked
    allowed, row = plain.enforce_ex(subject, f"route:{action}" if model is None else f"model:{model}", action)
    if allowed:
        return Outcome.ALLOW, ""
    return (Outcome.DENY, row[-1]) if row else (Outcome.NOT_APPLICABLE, "")


def our_verdict(engine: CasbinAccess, asked: Asked) -> tuple[Outcome, str]:
    subject, model, action = asked
    kind, _, name = subject.partition(":")
    request = EvaluationRequest(
        request_id="r",
        tenant="t",
        environment="e",
        subject=Subject(type=kind, id=name),
        action=action,
        resource=Resource(type="route", id=action) if model is None else Resource(type="model", id=model),
        facts=RequestFacts(),
        at=datetime(2026, 11, 20, tzinfo=UTC),
    )
    (answer,) = engine.evaluate(request).answers
    return answer.outcome, answer.reasons[0].rule if answer.reasons else ""


@pytest.mark.timeout(1800)  # of the deep profile
def test_verdicts_are_those_of_plain_pycasbin() -> None:
    seen: dict[Outcome, int] = dict.fromkeys(Outcome, 0)
    for number in range(POLICIES):
        pick = random.Random(number)
        groups, policy = a_policy(pick)
        plain = casbin.Enforcer(casbin.Enforcer.new_model(text=MODEL_TEXT))
        plain.add_policies(list(dict.fromkeys(rows_of(policy.grants))))
        links = [(member, f"group:{name}") for name in groups for member in dict.fromkeys(groups[name])]
        plain.add_grouping_policies(links)
        engine = CasbinAccess(PolicySnapshot(tenant="t", environment="e", groups=groups, access=(policy,)))
        asked = [a_request(pick) for _ in range(REQUESTS)]
        want = {each: plain_verdict(plain, each) for each in asked}
        for each in (*asked, *reversed(asked)):
            assert want[each] == our_verdict(engine, each), f"policy {number}: {each}"
        for outcome, _ in want.values():
            seen[outcome] += 1
    # A run in which some verdict hardly occurs would say little.
    assert min(seen[outcome] for outcome in (Outcome.ALLOW, Outcome.DENY, Outcome.NOT_APPLICABLE)) > POLICIES // 4
