# SPDX-License-Identifier: Apache-2.0
"""One document of each kind that has every member there is, so that what it lacks is what nobody tests."""

from typing import Any, Final

from policies.contracts.prompts import prompt_digest

TESTS: Final = [
    {
        "name": "one",
        "canary": True,
        "request": {
            "subject": "user:alice",
            "groups": ["staff"],
            "operation": "chat.completions",
            "model": "parrot",
            "facts": {
                "stream": True,
                "tool_choice": "auto",
                "roles": ["user"],
                "tools": ["search"],
                "max_tokens": 1,
                "n": 1,
                "message_count": 1,
                "text_chars": 1,
                "body_bytes": 1,
            },
            "time": "2026-11-20T18:00:00Z",
        },
        "text": "a text",
        "direction": "request",
        "field": "user",
        "answer_calls": [{"name": "search", "arguments": {"query": ["a", 1]}}],
        "expect": {
            "effect": "allow",
            "reasons": [],
            "obligations": [{"type": "redact", "policy": "customer-data"}],
            "calls": ["allow"],
            "redacted": "a text",
            "blocked": False,
            "screened": True,
            "findings": ["email"],
        },
    },
    {
        "name": "two",
        "canary": True,
        "request": {"subject": "service:batch", "operation": "models.list"},
        "answer": "",
        "expect": {"blocked": True},
    },
]
SELECTORS: Final = {"operations": ["chat.completions", "*"], "models": ["*"], "subjects": ["group:staff", "*"]}

SPECS: Final[dict[str, dict[str, Any]]] = {
    "access": {
        "groups": {"staff": ["user:alice", "service:batch"]},
        "grants": [{"id": "staff-chat", "effect": "allow", "expires": "2026-12-01T00:00:00Z", **SELECTORS}],
    },
    "guard": {
        "reasons": {"too-much": "It is too much."},
        "data": {"most": 5, "names": ["a", None, True, {"b": -1}]},
        "module": "package gatehouse.guard.a\n\nallow := true\n",
        "on_refusal": "cut",
    },
    "identity": {
        "on_revocation": "cut",
        "issuers": [
            {
                "id": "company",
                "issuer": "https://id.example.test",
                "audiences": ["gatehouse"],
                "algorithms": ["ES256", "RS512"],
                "jwks": "https://id.example.test/keys?v=1",
                "clock_skew_s": 0,
                "max_lifetime_s": 3600,
                "max_key_age_s": 3600,
                "tenant": {"claim": "tid"},
                "subject": {"claim": "email", "type": "service", "prefix": "x-"},
                "groups": {"claim": "groups", "names": {"Staff members": "staff"}},
            }
        ],
        "certificates": [
            {"id": "one", "field": "san-uri", "exact": "spiffe://a/b", "subject": "service:batch"},
            {"id": "two", "field": "san-dns", "prefix": "svc-", "type": "service"},
        ],
    },
    "limits": {"subjects": ["*"], "max_body_bytes": 65536, "rate": {"requests": 60, "per_s": 60}},
    "logging": {
        "records": "best-effort",
        "content": {"prompts": "sealed", "answers": "none"},
        "max_bytes": 1,
        **SELECTORS,
    },
    "prompts": {
        "prompts": [
            {"name": "support", "text": "You help.\nBriefly.", "digest": prompt_digest("You help.\nBriefly.")},
            {"name": "plain", "text": "You answer."},
        ],
        "rules": [
            {"id": "one", "require": ["support", "plain"], **SELECTORS},
            {"id": "two", "insert": "plain", "on_own": "keep"},
        ],
    },
    "redaction": {
        "rules": [
            {
                "id": "one",
                "detectors": ["all"],
                "action": "mask",
                "keep_last": 4,
                "directions": ["request"],
                "fields": ["user", "tool-result"],
                "strictness": "strict",
                "reversible": False,
                **SELECTORS,
            }
        ],
        **SELECTORS,
        "detectors": [
            {
                "id": "ticket",
                "finds": ["T-1234"],
                "ignores": ["T-1"],
                "kind": "TICKET",
                "validator": "luhn",
                "context": ["ticket"],
                "needs_context": True,
                "score_percent": 80,
                "patterns": [{"expression": "T-[0-9]{4}", "alone": "A-Z0-9", "ignore_case": True}],
            }
        ],
        "literals": [
            {
                "id": "names",
                "values": ["Project\nHeron"],
                "kind": "secret.name",
                "alone": "a-z",
                "ignore_case": True,
                "disguised": True,
            }
        ],
        "hold": {"max_bytes": 2048, "max_ms": 10, "at_bound": "redact"},
        "decoding": {"depth": 0, "max_bytes": 4096, "over_budget": "annotate"},
        "embeddings": "redact",
        "log_probabilities": "refuse",
    },
    "routes": {
        "routes": [
            {
                "id": "chat",
                "method": "POST",
                "path": "/v1/chat/completions",
                "operation": "chat.completions",
                "dialect": "openai.chat",
                "unknown_fields": "strip",
                "allow_fields": ["x_1"],
                "encodings": ["gzip"],
                "allow_uncovered": ["image"],
            }
        ]
    },
    "tests": {"for": "another-policy"},
    "screening": {
        "rules": [
            {
                "id": "override",
                "effect": "deny",
                "phrases": ["ignore previous instructions"],
                "expressions": ["act as (a|the) [a-z]{2,20}"],
                "fields": ["user", "tool-result"],
                **SELECTORS,
                "reason": "prompt-injection",
            }
        ],
        "classifier": [
            {
                "id": "injection",
                "effect": "deny",
                "threshold": 0.95,
                "thresholds": {"tool-result": 0.6},
                "fields": ["user", "tool-result"],
                **SELECTORS,
                "reason": "prompt-injection",
            }
        ],
        "ask": {"deadline_ms": 500, "when_absent": "allow", "when_incomplete": "deny"},
    },
    "upstreams": {
        "upstreams": [
            {"name": "gpu", "operations": ["chat.completions", "*"], "models": ["parrot"]},
            {"name": "default", "operations": ["models.list"]},
        ]
    },
    "tools": {
        "on_refusal": "replace",
        "rules": [
            {
                "id": "search",
                "effect": "allow",
                "tools": ["search", "docs_*"],
                **SELECTORS,
                "arguments": {"type": "object", "required": ["path"]},
                "patterns": {"path": "/srv/[a-z]+"},
            }
        ],
    },
}
WITHOUT_MODE: Final = frozenset({"upstreams", "routes", "identity", "logging", "tests"})


def full(kind: str) -> dict[str, Any]:
    mode = {} if kind in WITHOUT_MODE else {"mode": "warn"}
    head = {"kind": kind, "id": "a-policy", "version": "1", "description": "What it is for.\nAnd why."}
    return {**head, **mode, "spec": SPECS[kind], "tests": TESTS}
