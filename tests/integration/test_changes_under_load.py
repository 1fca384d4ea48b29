# SPDX-License-Identifier: Apache-2.0
"""Policies and keys that change while clients ask: nobody fails, and one revision explains each answer.

The benchmark `python -m benchmarks.changes` does the same 200 times and says how long each change took.
"""

import pytest

from benchmarks.changes import measure
from benchmarks.live_clients import PLAIN, QUESTIONS, Told, problems_of
from benchmarks.live_gatehouse import SAID

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
CHANGES, WORKERS = 4, 2


async def test_no_answer_is_of_two_revisions_or_fails_while_policies_and_keys_change(tmp_path):
    outcome = await measure(tmp_path, changes=CHANGES, workers=WORKERS, keys=20, rate=40, opa=None)
    assert outcome.problems == []
    for latencies in (outcome.activations, outcome.revocations):
        assert len(latencies.last_worker) == len(latencies.acknowledged) == CHANGES
    assert outcome.asked > CHANGES * WORKERS


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"said": SAID["a"]}, "does not say so"),  # the text of one, the record of the other
        ({"status": 403, "said": "too-many-tokens"}, "does not say so"),
        ({"status": 503, "said": "policy-unavailable"}, "failed"),
        ({"status": 0, "said": "ServerDisconnectedError"}, "failed"),
    ],
)
def test_the_judge_sees_an_answer_that_its_serial_does_not_explain(changes, problem):
    told = {"request_id": "req_1", "sent_s": 0.0, "told_s": 0.1, "status": 200, "said": SAID["b"]}
    recorded = {"req_1": {"serial": 2, "status": 200}}
    assert problems_of([Told(PLAIN, **told)], recorded, {1: "a", 2: "b"}) == []
    (found,) = problems_of([Told(PLAIN, **told | changes)], recorded, {1: "a", 2: "b"})
    assert problem in found
    assert problems_of([Told(PLAIN, **told)], recorded, {1: "a"})[0].startswith("decided by serial 2")


def test_every_release_refuses_something_that_the_other_allows():
    assert {question.allowed_by for question in QUESTIONS} >= {("a",), ("b",)}
