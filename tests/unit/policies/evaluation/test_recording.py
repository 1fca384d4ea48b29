# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import pytest

from policies.contracts.recording import USUAL_TERMS, ContentMode, LoggingPolicy, RecordingTerms, RecordsMode
from policies.contracts.request import Subject
from policies.contracts.snapshot import PolicySnapshot
from policies.evaluation.recording import Contradiction, contradictions, recording_terms

ALICE = Subject(type="user", id="alice")
MALLORY = Subject(type="user", id="mallory")
HASHED = RecordingTerms(prompts=ContentMode.HASHED)
POLICY = LoggingPolicy(
    id="log",
    version="1",
    records=None,
    prompts=ContentMode.HASHED,
    answers=None,
    max_bytes=None,
    operations=("chat.completions",),
    models=("parrot",),
    subjects=("group:staff",),
)


def snapshot_of(*policies: LoggingPolicy) -> PolicySnapshot:
    return PolicySnapshot(
        tenant="default", environment="production", groups={"staff": ("user:alice",)}, logging=policies
    )


@pytest.mark.parametrize(
    ("policy", "asked", "want"),
    [
        pytest.param(POLICY, (ALICE, "chat.completions", "parrot"), HASHED, id="all that it names"),
        pytest.param(POLICY, (MALLORY, "chat.completions", "parrot"), USUAL_TERMS, id="another subject"),
        pytest.param(POLICY, (ALICE, "completions", "parrot"), USUAL_TERMS, id="another operation"),
        pytest.param(POLICY, (ALICE, "chat.completions", "owl"), USUAL_TERMS, id="another model"),
        pytest.param(POLICY, (ALICE, "chat.completions", None), USUAL_TERMS, id="no model"),
        pytest.param(POLICY, (None, None, None), USUAL_TERMS, id="nothing known"),
        pytest.param(
            replace(POLICY, models=("*",), operations=("*",), subjects=("*",)),
            (MALLORY, "completions", "owl"),
            HASHED,
            id="stars",
        ),
        pytest.param(replace(POLICY, models=(), operations=(), subjects=()), (None, None, None), HASHED, id="all"),
    ],
)
def test_a_policy_holds_for_what_it_selects(policy, asked, want):
    subject, operation, model = asked
    snapshot = snapshot_of(policy)
    for _ in range(2):  # worked out, and remembered
        assert recording_terms(snapshot, subject=subject, operation=operation, model=model) == want


def test_where_the_same_requests_are_meant_the_one_that_loses_is_named():
    strict = replace(POLICY, id="a", records=RecordsMode.STRICT, prompts=ContentMode.SEALED)
    lenient = replace(POLICY, id="b", records=RecordsMode.BEST_EFFORT)
    assert list(contradictions([strict, lenient])) == [
        Contradiction(member="records", loser="b", winner="a"),
        Contradiction(member="prompts", loser="a", winner="b"),
    ]


def test_a_rule_for_some_does_not_contradict_one_for_others():
    some = replace(POLICY, id="a", prompts=ContentMode.SEALED, subjects=("user:bob",))
    assert list(contradictions([some, POLICY])) == []
    everyone = [replace(POLICY, id="c", models=("*",)), replace(POLICY, id="d", models=(), prompts=ContentMode.NONE)]
    assert [found.loser for found in contradictions(everyone)] == ["c"]
