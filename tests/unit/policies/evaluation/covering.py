# SPDX-License-Identifier: Apache-2.0
"""A small release with a rule of each kind, and tests run against it."""

import asyncio
import json

from policies.bundle.members import guard_data, rego_modules
from policies.compiler.compile import compile_release
from policies.document.loader import load_documents
from policies.engines.embedded_rego import EmbeddedGuard
from policies.evaluation.coverage import coverage
from policies.evaluation.policy_tests import run_tests

ACCESS = {
    "kind": "access",
    "id": "access",
    "version": "1",
    "spec": {
        "groups": {"staff": ["user:alice"]},
        "grants": [
            {
                "id": "staff",
                "effect": "allow",
                "subjects": ["group:staff"],
                "models": ["*"],
                "operations": ["chat.completions"],
            },
            {
                "id": "not-secret",
                "effect": "deny",
                "subjects": ["*"],
                "models": ["secret"],
                "operations": ["*"],
            },
        ],
    },
}
ROUTES = {
    "kind": "routes",
    "id": "routes",
    "version": "1",
    "spec": {
        "routes": [
            {
                "id": "chat",
                "method": "POST",
                "path": "/v1/chat/completions",
                "operation": "chat.completions",
                "dialect": "openai.chat",
            }
        ]
    },
}
GUARD = {
    "kind": "guard",
    "id": "caps",
    "version": "1",
    "spec": {
        "reasons": {"too-many": "Fewer."},
        "module": """package gatehouse.guard.caps
deny contains "too-many" if input.request.n > 2
allow if input.subject.id == "root"
obligations contains {"type": "redact", "policy": "texts"} if input.request.n > 1
""",
    },
}
LIMITS = {"kind": "limits", "id": "size", "version": "1", "spec": {"subjects": ["*"], "max_body_bytes": 100}}
TEXTS = {
    "kind": "redaction",
    "id": "texts",
    "version": "1",
    "spec": {"subjects": ["user:bob"], "rules": [{"id": "mail", "detectors": ["email"], "action": "replace"}]},
}
TOOLS = {
    "kind": "tools",
    "id": "calls",
    "version": "1",
    "spec": {
        "rules": [
            {"id": "search", "effect": "allow", "subjects": ["*"], "tools": ["search*"]},
            {"id": "never", "effect": "deny", "subjects": ["*"], "tools": ["search_private"]},
        ]
    },
}
ALICE = {"subject": "user:alice", "operation": "chat.completions", "model": "parrot"}
BOB = ALICE | {"subject": "user:bob"}
ALL = {
    ("access", "staff"),
    ("access", "not-secret"),
    ("caps", "too-many"),
    ("caps", "allow"),
    ("caps", "obligations"),
    ("routes", "chat"),
    ("size", "max_body_bytes"),
    ("texts", "mail"),
    ("calls", "search"),
    ("calls", "never"),
}


def run(*tests, **modes):
    written = {
        "kind": "tests",
        "id": "all-tests",
        "version": "1",
        "spec": {"for": "access"},
        "tests": [{"name": f"test {number}", **test} for number, test in enumerate(tests)],
    }
    documents = [ACCESS, ROUTES, GUARD, LIMITS, TEXTS, TOOLS]
    modal = [each | ({"mode": modes[each["id"]]} if each["id"] in modes else {}) for each in documents]
    loaded = load_documents({f"{each['id']}.json": json.dumps(each).encode() for each in [*modal, written]})
    snapshot = compile_release(loaded, tenant="t", environment="e", opa_binary=None, engines={"embedded"})

    async def results():
        guard = EmbeddedGuard(snapshot, modules=rego_modules(snapshot), data=guard_data(snapshot), deadline_s=5)
        try:
            return await run_tests(loaded, snapshot, guard_engine=guard)
        finally:
            await guard.close()

    return loaded, asyncio.run(results())


def covered(*tests, **modes):
    documents, results = run(*tests, **modes)
    assert [result.problem for result in results] == [""] * len(tests)
    return {(each.ref.policy, each.ref.rule) for each in coverage(documents, results) if each.tests}


CALLS = {"request": ALICE | {"facts": {"tools": ["search", "search_private"]}}}
