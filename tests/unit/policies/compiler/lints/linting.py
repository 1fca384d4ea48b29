# SPDX-License-Identifier: Apache-2.0
"""Documents written short, and the lints of them."""

import json
from datetime import UTC, datetime
from typing import Any, Final

from policies.compiler.compile import assembled
from policies.compiler.lints import lint
from policies.document.loader import load_documents

NOW: Final = datetime(2026, 11, 20, 12, tzinfo=UTC)
CHAT: Final = ["chat.completions"]
ROUTES: Final = {
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
            },
            {
                "id": "models",
                "method": "GET",
                "path": "/v1/models",
                "operation": "models.list",
                "dialect": "openai.models",
            },
        ]
    },
}


def document(kind: str, policy: str = "", **spec: Any) -> dict[str, Any]:
    mode = {} if "mode" not in spec else {"mode": spec.pop("mode")}
    return {"kind": kind, "id": policy or f"some-{kind}", "version": "1", **mode, "spec": spec}


def grant(subjects: str, models: str = "parrot", operations: str = "chat.completions", **more: Any) -> dict[str, Any]:
    """Return a grant of names that are separated by blanks."""
    lists = {"subjects": subjects.split(), "models": models.split(), "operations": operations.split()}
    return {"id": "a", "effect": "allow", **lists, **more}


def access(*grants: dict[str, Any], policy: str = "", **more: Any) -> dict[str, Any]:
    return document("access", policy, grants=list(grants), **more)


def redaction(*rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    usual = {"id": "a", "detectors": ["email"], "action": "replace"}
    return document("redaction", rules=[usual | rule for rule in rules], **more)


def found(*documents: dict[str, Any], routes: bool = True) -> list[tuple[str, str, str]]:
    """Return code, policy and place of what is told of `documents` beside some routes."""
    files = {f"{each['id']}.json": json.dumps(each).encode() for each in (*documents, *([ROUTES] if routes else []))}
    return [(each.code, each.policy, each.pointer) for each in lint(assembled(load_documents(files)), at=NOW)]
