# SPDX-License-Identifier: Apache-2.0
"""A JSON Schema (2020-12) for each kind of policy document, for editors and other tools.

Rules: a schema never refuses what the reader takes. The reader may refuse more: what a schema cannot say (ids that
repeat, options without effect), and what only a whole release shows.
"""

from collections.abc import Mapping
from typing import Final

from policies.contracts.decision import Mode
from policies.document import forms
from policies.document.loader import WITHOUT_MODE
from policies.document.schemas import access, redaction, texts, traffic
from policies.document.schemas.parts import JSON_DEFINITION, Schema, choice, members, text
from policies.document.schemas.tests import TESTS, TESTS_OF

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

# The schema of each kind's `spec`.
SPECS: Final[Mapping[str, Schema]] = {
    "access": access.ACCESS,
    "guard": access.GUARD,
    "identity": traffic.IDENTITY,
    "limits": access.LIMITS,
    "logging": traffic.LOGGING,
    "prompts": texts.PROMPTS,
    "redaction": redaction.REDACTION,
    "routes": traffic.ROUTES,
    "screening": texts.SCREENING,
    "tests": TESTS_OF,
    "tools": access.TOOLS,
    "upstreams": traffic.UPSTREAMS,
}


def schema_of(kind: str) -> Schema:
    """Return the schema of the documents of `kind`. Raises KeyError where there is no such kind."""
    return _head(kind, f"Gatehouse policy: {kind}") | _document(kind) | {"$defs": {"json": JSON_DEFINITION}}


def schema_of_any() -> Schema:
    """Return the schema of every policy document: exactly one of the kinds."""
    kinds = {kind: _document(kind) for kind in SPECS}
    return _head("any", "Gatehouse policy") | {
        "description": "A policy document. `kind` says what its `spec` is.",
        "type": "object",
        "required": ["kind"],
        "properties": {"kind": {"enum": list(SPECS), "description": "What the policy is about."}},
        "oneOf": [{"$ref": f"#/$defs/{kind}"} for kind in kinds],
        "$defs": {**kinds, "json": JSON_DEFINITION},
    }


def _head(name: str, title: str) -> Schema:
    return {"$schema": _DIALECT, "$id": f"urn:gatehouse:policy-schema:{name}", "title": title}


def _document(kind: str) -> Schema:
    mode = choice(
        Mode,
        "`enforce` decides; `warn` and `observe` are evaluated and recorded, and change nothing.",
        default=Mode.ENFORCE,
    )
    return members(
        str(SPECS[kind]["description"]),
        {
            "kind": {"const": kind, "description": "What the policy is about."},
            "id": text(forms.ID, "The policy's name, unique in a release: lower-case words joined by '-'."),
            "version": text(forms.VERSION, "Your label, in quotes if it is a number. The content hash is computed."),
            **({} if kind in WITHOUT_MODE else {"mode": mode}),
            "description": text(forms.TEXT, "What it is for."),
            "spec": SPECS[kind],
            "tests": TESTS,
        },
        required=("kind", "id", "version", "spec", *(["tests"] if kind == "tests" else [])),
    )
