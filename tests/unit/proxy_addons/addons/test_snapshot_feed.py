# SPDX-License-Identifier: Apache-2.0
"""Which policy an exchange is given, whom a candidate takes, and when a policy is given back."""

from dataclasses import replace

import pytest

from policies.bundle.environment import Candidate, CandidateMode
from policies.contracts.decision import Effect
from policies.contracts.snapshot import RedactionAction
from proxy_addons.core.trial import Trial
from tests.unit.proxy_addons.harness import CARD, Harness, active_policy, chat, key_ring, plain_answer, snapshot

MASKED = tuple(
    replace(policy, rules=tuple(replace(rule, action=RedactionAction.REMOVE) for rule in policy.rules))
    for policy in snapshot().redactions
)
NO_GRANT = tuple(
    replace(policy, grants=tuple(replace(grant, effect=Effect.DENY) for grant in policy.grants))
    for policy in snapshot().access
)


def trial_of(policy, mode=CandidateMode.ENFORCE, **share):
    terms = Candidate(serial=policy.serial, etag=policy.etag, mode=mode, salt="act_1", **share)
    return Trial.of(policy, terms, worker="node-1/w0")


@pytest.fixture
def harness():
    return Harness(policy=active_policy(serial=7), keys=key_ring())


async def test_a_candidate_decides_all_of_a_request_that_it_takes(harness):
    harness.feed.try_beside(trial_of(active_policy(serial=9, redactions=MASKED)))
    told = await harness.send(chat(), upstream=plain_answer(f"card {CARD}."))
    assert b"[redacted" not in told.body
    assert CARD.encode() not in told.body
    assert [envelope["serial"] for envelope in harness.sink.envelopes] == [9]
    harness.feed.end_trial()
    told = await harness.send(chat(), upstream=plain_answer(f"card {CARD}."))
    assert b"[redacted:payment-card]" in told.body
    assert [envelope["serial"] for envelope in harness.sink.envelopes] == [9, 7]


async def test_it_takes_whom_it_chooses_and_nobody_where_it_only_judges(harness):
    policy = active_policy(serial=9, access_policies=NO_GRANT)
    for mode, share, status in (
        (CandidateMode.ENFORCE, {"subjects_percent": 0}, 200),
        (CandidateMode.OBSERVE, {}, 200),
        (CandidateMode.ENFORCE, {}, 403),
    ):
        harness.feed.try_beside(trial_of(policy, mode, **share))
        assert (await harness.send(chat())).status == status


async def test_who_asks_is_said_by_the_policy_that_decides(harness):
    """Only by the candidate may a request without credentials be somebody's: of the baseline it gets no further."""
    harness.feed.try_beside(trial_of(active_policy(serial=9)))
    told = await harness.send(chat(), headers=[(b"Host", b"gateway.invalid")])
    assert (told.status, told.exchange.policy.serial) == (401, 7)


async def test_an_ended_candidate_is_given_back_when_the_last_request_it_decides_has_ended(harness):
    harness.feed.try_beside(trial_of(active_policy(serial=9)))

    def meanwhile(_body):
        harness.feed.end_trial()
        harness.feed.forget_ended()
        assert harness.released == []
        return plain_answer("hello")

    await harness.send(chat(), upstream=meanwhile)
    assert harness.released == [9]


async def test_a_promoted_candidate_is_the_policy_in_force_and_only_the_one_before_is_given_back(harness):
    policy = active_policy(serial=9)
    policy = replace(policy, etag="sha256-9")
    harness.feed.try_beside(trial_of(policy))
    harness.feed.end_trial()  # the environment document may come first
    assert harness.feed.loaded("sha256-9") is policy
    harness.feed.swap(policy)
    harness.feed.forget_ended()
    assert (harness.feed.active, harness.feed.trial, harness.released) == (policy, None, [7])


async def test_a_newer_policy_in_force_ends_a_candidate(harness):
    harness.feed.try_beside(trial_of(active_policy(serial=9)))
    harness.feed.swap(active_policy(serial=10))
    assert (harness.feed.trial, sorted(harness.released)) == (None, [7, 9])
    assert not harness.feed.try_beside(trial_of(active_policy(serial=9)))


async def test_nothing_is_loaded_under_no_name(harness):
    harness.feed.try_beside(trial_of(active_policy(serial=9)))
    assert harness.feed.loaded("") is None
