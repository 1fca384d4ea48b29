# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from policies.compiler.compile import compile_release
from policies.contracts.canaries import LONGEST_TEXT, MOST_CANARIES
from policies.contracts.errors import PolicyRejected
from policies.document.loader import load_documents
from tests.policy_documents import shipped

RULE = {"id": "a", "detectors": ["email"], "action": "replace"}


def compiled(*tests):
    asked = {"subject": "user:alice", "operation": "chat.completions", "model": "parrot"}
    named = [{"name": f"test {number}", "request": asked} | test for number, test in enumerate(tests)]
    document = {"kind": "redaction", "id": "own", "version": "1", "spec": {"rules": [RULE]}, "tests": named}
    documents = load_documents(shipped() | {"own.json": json.dumps(document).encode()})
    return compile_release(documents, tenant="t", environment="e", opa_binary=None, engines={"embedded"})


def test_tests_that_are_canaries_go_along_with_the_snapshot():
    of = compiled(
        {"expect": {"effect": "allow"}, "canary": True},
        {"expect": {"effect": "allow"}},
        {"text": "a@example.com", "expect": {"redacted": "[redacted:email]"}, "canary": True},
        {"expect": {"effect": "deny"}, "canary": False},
    )
    own = [canary for canary in of.canaries if canary.policy == "own"]
    assert [canary.name for canary in own] == ["test 0", "test 2"]
    assert own[1].text.redacted == "[redacted:email]"


@pytest.mark.parametrize(
    ("tests", "code"),
    [
        pytest.param(
            [{"expect": {"effect": "allow"}, "canary": True}] * (MOST_CANARIES + 1), "too-many-canaries", id="too-many"
        ),
        pytest.param(
            [{"text": "x" * (LONGEST_TEXT + 1), "expect": {"blocked": False}, "canary": True}],
            "text-too-long",
            id="a-long-text",
        ),
        pytest.param([{"expect": {"effect": "allow"}, "canary": "yes"}], "wrong-type", id="no-boolean"),
    ],
)
def test_refuses(tests, code):
    with pytest.raises(PolicyRejected) as caught:
        compiled(*tests)
    assert [each.code for each in caught.value.diagnostics] == [code]
