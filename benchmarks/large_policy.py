# SPDX-License-Identifier: Apache-2.0
"""The documents of a large organisation: 2,000 policies with 100,000 grants to 10,000 people in 1,300 groups."""

import json
import random
from collections.abc import Iterator, Mapping
from typing import Any, Final

POLICIES: Final = 2_000
PEOPLE: Final = 10_000
GRANTS_EACH: Final = 77
MODELS: Final = 500

# Of the policies; the others are access policies, one for each group.
_LIMITS: Final = 300
_REDACTIONS: Final = 300
_GUARDS: Final = 20
_ROUTES: Final = 1
ACCESS: Final = POLICIES - _LIMITS - _REDACTIONS - _GUARDS - _ROUTES


def subject(number: int) -> str:
    return f"u{number:05}"


def documents() -> Mapping[str, bytes]:
    """Return the sources by file name, the same each time."""
    return {f"{document['id']}.json": json.dumps(document).encode() for document in _documents(random.Random(6))}


def _documents(pick: random.Random) -> Iterator[dict[str, Any]]:
    groups = [f"g{number:04}" for number in range(ACCESS)]
    for number, group in enumerate(groups):
        members = [f"user:{subject(person)}" for person in range(number, PEOPLE, ACCESS)]
        yield _document("access", f"access-{number:04}", _grants(pick, group, members))
    for number in range(_LIMITS):
        spec = {"subjects": [f"group:{groups[number]}"], "max_body_bytes": 65536}
        yield _document("limits", f"limit-{number:04}", spec)
    for number in range(_REDACTIONS):
        rules = [{"id": "card", "detectors": ["payment-card"], "action": "replace"}]
        yield _document(
            "redaction", f"redaction-{number:04}", {"subjects": [f"group:{groups[number]}"], "rules": rules}
        )
    for number in range(_GUARDS):
        yield _guard(number)
    route = {"id": "chat", "method": "POST", "path": "/v1/chat/completions"}
    route |= {"operation": "chat.completions", "dialect": "openai.chat"}
    yield _document("routes", "routes", {"routes": [route]})


def _grants(pick: random.Random, group: str, members: list[str]) -> dict[str, Any]:
    grants = [
        {
            "id": f"g{number}",
            "effect": "deny" if number % 11 == 10 else "allow",
            "subjects": [f"group:{group}" if number % 3 == 0 else f"user:{subject(pick.randrange(PEOPLE))}"],
            "models": [f"model-{pick.randrange(MODELS):03}"],
            "operations": ["chat.completions"],
        }
        for number in range(GRANTS_EACH)
    ]
    # What everybody may ask for, so that there is something to decide for each.
    grants[0]["models"] = ["parrot"]
    return {"groups": {group: members}, "grants": grants}


def _guard(number: int) -> dict[str, Any]:
    name, code = f"guard_{number:04}", f"too-many-{number}"
    module = (
        f'package gatehouse.guard.{name}\n\ndeny contains "{code}" if input.request.max_tokens > {10_000 + number}\n'
    )
    return _document("guard", name.replace("_", "-"), {"reasons": {code: "Too many tokens."}, "module": module})


def _document(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"kind": kind, "id": name, "version": "1", "spec": spec}
