# SPDX-License-Identifier: Apache-2.0
"""Documents of nothing but tests."""

import json

import pytest

from policies.compiler.compile import compile_release
from policies.contracts.errors import PolicyRejected
from policies.document.loader import load_documents
from policies.document.model import TestsSpec
from policies.library import pack
from tests.policy_documents import alice_may

TEST = {
    "name": "alice may chat",
    "request": {"subject": "user:alice", "operation": "chat.completions", "model": "parrot"},
    "expect": {"effect": "allow"},
}
TESTS = {"kind": "tests", "id": "some-tests", "version": "1", "spec": {"for": "first-access"}, "tests": [TEST]}


def documents(**changed):
    written = TESTS | changed
    beside = {"tests.json": json.dumps({name: value for name, value in written.items() if value is not None}).encode()}
    return load_documents({**pack("baseline"), "access.yaml": alice_may("chat.completions"), **beside})


def compiled(loaded):
    return compile_release(loaded, tenant="t", environment="e", opa_binary=None, engines={"embedded"})


def test_the_snapshot_is_the_same_without_them():
    loaded = documents()
    with_tests = compiled(loaded)
    without = compiled([document for document in loaded if document.kind != "tests"])
    assert with_tests.revision == without.revision
    assert [document.spec for document in loaded if document.kind == "tests"] == [TestsSpec(policy="first-access")]


@pytest.mark.parametrize(
    ("changed", "want"),
    [
        ({"tests": None}, ("member-missing", "")),
        ({"mode": "warn"}, ("unknown-member", "/mode")),
        ({"spec": {}}, ("member-missing", "/spec")),
        ({"tests": [TEST | {"answer_calls": [{"name": "a"}]}]}, ("member-missing", "/tests/0")),
        (
            {"tests": [TEST | {"answer_calls": [{"name": "a"}], "expect": {"calls": []}}]},
            ("calls-differ", "/tests/0/expect/calls"),
        ),
        (
            {"tests": [TEST | {"expect": {"obligations": [{"type": "log", "policy": "a"}]}}]},
            ("unknown-value", "/tests/0/expect/obligations/0/type"),
        ),
    ],
)
def test_what_is_wrong_is_told_at_its_place(changed, want):
    with pytest.raises(PolicyRejected) as rejected:
        documents(**changed)
    assert [(each.code, each.at.pointer) for each in rejected.value.diagnostics] == [want]


def test_they_are_for_a_policy_of_the_release():
    with pytest.raises(PolicyRejected) as rejected:
        compiled(documents(spec={"for": "other"}))
    assert [(each.code, each.at.pointer) for each in rejected.value.diagnostics] == [("unknown-policy", "/spec/for")]


def test_a_canary_expects_nothing_that_a_node_does_not_try():
    with pytest.raises(PolicyRejected) as rejected:
        compiled(documents(tests=[TEST | {"canary": True, "expect": {"obligations": []}}]))
    assert [(each.code, each.at.pointer) for each in rejected.value.diagnostics] == [
        ("canary-not-repeatable", "/tests/0/expect")
    ]


def test_a_canary_uses_the_names_of_the_policy_it_is_for():
    (canary,) = compiled(documents(tests=[TEST | {"canary": True}])).canaries
    assert (canary.policy, canary.name) == ("first-access", "alice may chat")
