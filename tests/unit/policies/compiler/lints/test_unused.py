# SPDX-License-Identifier: Apache-2.0
"""Approved prompts that nothing uses."""

import pytest

from tests.unit.policies.compiler.lints.linting import document, found

PROMPTS = [{"name": "one", "text": "You help."}, {"name": "two", "text": "You help more."}]


@pytest.mark.parametrize(
    ("rule", "want"),
    [
        pytest.param({"require": ["one", "two"]}, [], id="both-required"),
        pytest.param({"require": ["two"]}, [("prompt-unused", "some-prompts", "/spec/prompts/0")], id="one-required"),
        pytest.param({"insert": "one"}, [("prompt-unused", "some-prompts", "/spec/prompts/1")], id="one-inserted"),
    ],
)
def test_what_is_told(rule, want):
    assert found(document("prompts", prompts=PROMPTS, rules=[{"id": "a", **rule}])) == want


def test_a_prompt_is_used_by_its_own_policy_alone():
    rule = {"id": "a", "insert": "one"}
    other = document("prompts", "other", prompts=PROMPTS, rules=[{"id": "a", "insert": "two"}])
    assert found(document("prompts", prompts=PROMPTS, rules=[rule]), other) == [
        ("prompt-unused", "other", "/spec/prompts/0"),
        ("prompt-unused", "some-prompts", "/spec/prompts/1"),
    ]
