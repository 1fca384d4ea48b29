# SPDX-License-Identifier: Apache-2.0
"""Which limits hold for whom."""

import gc

import pytest

from policies.contracts.decision import Mode
from policies.contracts.request import Subject
from policies.contracts.snapshot import LimitPolicy, PolicySnapshot, Rate
from policies.engines.per_snapshot import per_snapshot
from policies.evaluation import limits as limits_module
from policies.evaluation.limits import LARGEST_BODY_BYTES, body_limit, rates_for

ALICE = Subject(type="user", id="alice")
EVE = Subject(type="user", id="eve")


def limit(name, subjects, *, body=None, requests=None, mode=Mode.ENFORCE) -> LimitPolicy:
    rate = None if requests is None else Rate(requests=requests, per_s=60)
    return LimitPolicy(id=name, version="1", mode=mode, subjects=subjects, max_body_bytes=body, rate=rate)


def snapshot(*limits) -> PolicySnapshot:
    return PolicySnapshot(tenant="default", environment="production", groups={"staff": ("user:alice",)}, limits=limits)


LIMITS = (
    limit("everybody", ("*",), body=1000, requests=60),
    limit("staff", ("group:staff", "user:alice"), body=500, requests=30),
    limit("alice-watched", ("user:alice",), body=1, requests=1, mode=Mode.OBSERVE),
)


@pytest.mark.parametrize(
    ("limits", "subject", "want"),
    [
        pytest.param(LIMITS, Subject(type="user", id="eve", groups=("staff",)), 500, id="a-group-that-a-token-names"),
        pytest.param((), ALICE, LARGEST_BODY_BYTES, id="none-stated"),
        pytest.param(LIMITS, EVE, 1000, id="everybody"),
        pytest.param(LIMITS, ALICE, 500, id="the-smallest-enforced-that-applies"),
        pytest.param(LIMITS[1:], EVE, LARGEST_BODY_BYTES, id="none-applies"),
        pytest.param((limit("a", ("*",), body=9), limit("b", ("*",), body=7)), EVE, 7, id="two-for-one-selector"),
    ],
)
def test_smallest_body_limit_holds(limits, subject, want) -> None:
    assert body_limit(snapshot(*limits), subject) == want


def test_ceiling_holds_above_all() -> None:
    assert body_limit(snapshot(*LIMITS), ALICE, ceiling=3) == 3


@pytest.mark.parametrize(
    ("subject", "want"),
    [
        pytest.param(EVE, ["everybody"], id="one"),
        pytest.param(ALICE, ["everybody", "staff", "alice-watched"], id="each-once-enforced-first"),
    ],
)
def test_every_rate_that_applies_holds(subject, want) -> None:
    assert [applied.policy for applied in rates_for(snapshot(*LIMITS), subject)] == want


def test_what_is_remembered_of_a_snapshot_goes_with_it() -> None:
    built = []

    @per_snapshot
    def count(of: PolicySnapshot) -> int:
        built.append(of.tenant)
        return len(built)

    kept = snapshot()
    assert (count(kept), count(kept)) == (1, 1)
    for _ in range(3):
        count(snapshot())
        gc.collect()
    assert (len(built), count(kept)) == (4, 1)


def test_a_subject_that_asks_again_is_given_the_same_rates():
    compiled = snapshot(*LIMITS)
    assert rates_for(compiled, ALICE) is rates_for(compiled, Subject(type="user", id="alice"))
    assert rates_for(compiled, ALICE) == rates_for(snapshot(*LIMITS), ALICE)


def test_rates_of_a_bounded_number_of_subjects_are_remembered(monkeypatch):
    monkeypatch.setattr(limits_module, "_MOST_REMEMBERED", 4)
    compiled = snapshot(*LIMITS)
    for number in range(20):
        rates_for(compiled, Subject(type="user", id=f"user-{number}"))
        assert len(limits_module._held_by_subject(compiled)) <= 4
