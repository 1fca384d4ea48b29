# SPDX-License-Identifier: Apache-2.0
"""A candidate that observes or warns: what it says is on record, and nothing that it says or fails at does anything."""

import asyncio
from dataclasses import replace

import pytest

from policies.bundle.environment import CandidateMode
from policies.contracts.errors import EvaluationFailed
from policies.contracts.snapshot import Direction, RedactionAction
from tests.unit.proxy_addons.addons.test_snapshot_feed import NO_GRANT, trial_of
from tests.unit.proxy_addons.harness import (
    CARD,
    FakeGuard,
    Harness,
    active_policy,
    chat,
    key_ring,
    plain_answer,
    snapshot,
    streamed_answer,
)

DENIES = {"access_policies": NO_GRANT}
BLOCKS = {
    "redactions": tuple(
        replace(
            policy,
            rules=tuple(
                replace(rule, action=RedactionAction.BLOCK, directions=(Direction.REQUEST,)) for rule in policy.rules
            ),
        )
        for policy in snapshot().redactions
    )
}


class SlowGuard(FakeGuard):
    """One that does not answer."""

    async def evaluate(self, request, access):
        await asyncio.sleep(60)


def harness_with(mode=CandidateMode.OBSERVE, *, baseline=None, **candidate) -> Harness:
    harness = Harness(policy=active_policy(serial=7, **(baseline or {})), keys=key_ring())
    harness.feed.try_beside(trial_of(active_policy(serial=9, **candidate), mode))
    return harness


async def record_of(harness, body=None, **asked):
    told = await harness.send(chat() if body is None else body, **asked)
    (envelope,) = (each for each in harness.sink.envelopes if each["kind"] == "terminal")
    return told, envelope


@pytest.mark.parametrize(
    ("candidate", "body", "want"),
    [
        pytest.param({}, chat(), ("allow", [], False), id="the-same"),
        pytest.param(DENIES, chat(), ("deny", ["access-denied"], True), id="access"),
        pytest.param(BLOCKS, chat(CARD), ("deny", ["request-blocked"], True), id="redaction-of-the-request"),
        pytest.param({"routes": ()}, chat(), ("deny", ["route-not-listed"], True), id="no-such-route"),
        pytest.param(
            {"guard": FakeGuard(problem=EvaluationFailed("opa", "gone"))},
            chat(),
            ("error", ["evaluation-failed"], True),
            id="a-guard-that-fails",
        ),
        pytest.param(
            {"guard": FakeGuard(problem=RuntimeError())},
            chat(),
            ("error", ["evaluation-failed"], True),
            id="a-guard-that-breaks",
        ),
    ],
)
async def test_what_it_says_is_on_record_beside_what_is_done(candidate, body, want):
    harness = harness_with(**candidate)
    told, envelope = await record_of(harness, body)
    assert (told.status, envelope["serial"], envelope["outcome"]) == (200, 7, "allow")
    said = envelope["candidate"]
    assert (said["effect"], said["reasons"], said["differs"]) == want
    assert said["serial"] == 9


async def test_what_it_would_allow_is_refused_nevertheless():
    harness = harness_with(baseline=DENIES)
    told, envelope = await record_of(harness)
    assert (told.status, envelope["outcome"]) == (403, "deny")
    assert (envelope["candidate"]["effect"], envelope["candidate"]["differs"]) == ("allow", True)


async def test_what_both_refuse_does_not_differ():
    _, envelope = await record_of(harness_with(baseline=DENIES, **DENIES))
    assert (envelope["candidate"]["effect"], envelope["candidate"]["differs"]) == ("deny", False)


async def test_one_that_does_not_answer_holds_nobody_up_for_long(monkeypatch):
    monkeypatch.setattr("proxy_addons.addons.judge_beside._WITHIN_S", 0.01)
    told, envelope = await record_of(harness_with(guard=SlowGuard()))
    assert (told.status, envelope["candidate"]["effect"]) == (200, "error")


async def test_one_that_breaks_in_no_foreseen_way_changes_nothing(monkeypatch):
    harness = harness_with()

    def broken(*_):
        raise RuntimeError

    monkeypatch.setattr("proxy_addons.addons.judge_beside._flow_of", broken)
    told, envelope = await record_of(harness)
    assert (told.status, envelope["candidate"]["effect"]) == (200, "error")


@pytest.mark.parametrize(
    ("mode", "answer", "warned"),
    [
        pytest.param(CandidateMode.WARN, plain_answer("hello"), ["access-denied"], id="warns-of-a-whole-answer"),
        pytest.param(CandidateMode.WARN, streamed_answer("hello"), ["access-denied"], id="warns-of-a-stream"),
        pytest.param(CandidateMode.OBSERVE, plain_answer("hello"), [], id="observes"),
    ],
)
async def test_clients_are_warned_in_the_head_of_the_answer(mode, answer, warned):
    stream = answer.headers[0][1] != b"application/json"
    told, envelope = await record_of(harness_with(mode, **DENIES), chat(stream=stream), upstream=answer)
    assert told.flow.response.headers.get_all("Gatehouse-Warning") == warned
    assert envelope["candidate"]["effect"] == "deny"


async def test_no_admission_record_has_it_and_no_request_that_was_not_decided():
    harness = harness_with(**DENIES)
    await harness.send(chat(stream=True), upstream=streamed_answer("hello"))
    await harness.send(b"{")
    kinds = {(each["kind"], each["revision"] is None): "candidate" in each for each in harness.sink.envelopes}
    assert kinds == {("admission", False): False, ("terminal", False): True, ("terminal", True): False}


async def test_it_takes_no_tokens():
    harness = harness_with(baseline=DENIES)
    harness.wait_s = 5.0
    _, envelope = await record_of(harness)
    assert envelope["candidate"]["effect"] == "allow"


async def test_what_it_does_to_a_request_reaches_nobody():
    removes = {
        "redactions": tuple(
            replace(policy, rules=tuple(replace(rule, directions=(Direction.REQUEST,)) for rule in policy.rules))
            for policy in snapshot().redactions
        )
    }
    told, _ = await record_of(harness_with(**removes), chat(f"card {CARD}"))
    assert CARD.encode() in told.sent_upstream[0]


@pytest.mark.parametrize("leaves", [None, "answer"])
async def test_it_is_given_back_when_the_last_request_that_it_judges_has_ended(leaves):
    harness = harness_with()

    def meanwhile(_body):
        harness.feed.end_trial()
        harness.feed.forget_ended()
        assert harness.released == []
        return plain_answer("hello")

    await harness.send(chat(), upstream=meanwhile, leaves=leaves)
    assert harness.released == [9]
    assert harness.sink.envelopes[-1]["candidate"]["serial"] == 9


async def test_an_allow_of_one_policy_is_not_an_answer_of_the_other():
    """Both are asked the same again and again: what one remembers must not come from the other."""
    harness = harness_with(access_policies=NO_GRANT)
    for _ in range(3):
        assert (await harness.send(chat())).status == 200
        trial = harness.feed.trial
        harness.feed.try_beside(replace(trial, terms=replace(trial.terms, mode=CandidateMode.ENFORCE)))
        assert (await harness.send(chat())).status == 403
        harness.feed.try_beside(replace(trial, terms=replace(trial.terms, mode=CandidateMode.OBSERVE)))
    assert {(each["serial"], each["outcome"]) for each in harness.sink.envelopes} == {(7, "allow"), (9, "deny")}
