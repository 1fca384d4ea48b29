# SPDX-License-Identifier: Apache-2.0
"""What the tests of a document say of redaction: a test that expects something else fails, and says what differs."""

import asyncio
import json

import pytest

from policies.compiler.compile import compile_release
from policies.contracts.decision import EngineAnswer
from policies.document.loader import load_documents
from policies.evaluation.policy_tests import run_tests

CARD = "4111 1111 1111 1111"
ROUTES = """kind: routes
id: routes
version: "1"
spec:
  routes:
    - {id: chat, method: POST, path: /v1/chat/completions, operation: chat.completions, dialect: openai.chat}
"""
ACCESS = """kind: access
id: access
version: "1"
spec:
  groups: {staff: [user:alice]}
  grants:
    - {id: a, effect: allow, subjects: ["*"], models: ["*"], operations: ["*"]}
"""
RULES = [
    {"id": "answers", "detectors": ["payment-card"], "action": "replace"},
    {"id": "prompts", "detectors": ["email"], "action": "block", "directions": ["request"]},
]


class NoGuards:
    async def evaluate(self, _request, _access):
        return EngineAnswer(engine="opa", answers=())


def problem(expect, *, rules=RULES, subject="user:alice", **said) -> str:
    request = {"subject": subject, "operation": "chat.completions", "model": "parrot"}
    test = {"name": "it", "request": request, "expect": expect, **said}
    redaction = {"kind": "redaction", "id": "own", "version": "1", "spec": {"rules": rules}, "tests": [test]}
    files = {"a.yaml": ACCESS.encode(), "r.yaml": ROUTES.encode(), "o.json": json.dumps(redaction).encode()}
    documents = load_documents(files)
    of = compile_release(documents, tenant="t", environment="e", opa_binary=None, engines={"embedded"})
    (result,) = asyncio.run(run_tests(documents, of, guard_engine=NoGuards()))
    return result.problem


@pytest.mark.parametrize(
    ("said", "expect", "want"),
    [
        ({"text": f"a {CARD}"}, {"redacted": "a [redacted:payment-card]", "findings": ["payment-card"]}, ""),
        ({"answer": f"a {CARD}"}, {"redacted": "a [redacted:payment-card]", "blocked": False}, ""),
        ({"text": CARD}, {"redacted": CARD}, "the text that leaves differs from 'redacted'"),
        ({"text": CARD}, {"findings": []}, "findings are of payment-card, not of none"),
        ({"text": "x"}, {"findings": ["email"]}, "findings are of none, not of email"),
        ({"text": CARD, "direction": "request"}, {"redacted": CARD, "findings": []}, ""),
        ({"text": "a@example.com", "direction": "request"}, {"blocked": True, "findings": ["email"]}, ""),
        ({"text": "a@example.com", "direction": "request"}, {"blocked": False}, "the request is blocked"),
        ({"text": "a@example.com"}, {"blocked": True}, "the answer is not blocked"),
    ],
)
def test_what_differs_is_said(said, expect, want):
    assert problem(expect, **said) == want
