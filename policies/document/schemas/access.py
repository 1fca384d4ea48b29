# SPDX-License-Identifier: Apache-2.0
"""The schemas of who may do what, and how much: `access`, `limits`, `guard`, `tools`."""

from typing import Final

from policies.contracts.decision import Effect
from policies.contracts.tools import OnRefusal
from policies.document import forms
from policies.document.kinds.limits import MAX_BODY_BYTES, MAX_PER_S, MAX_REQUESTS
from policies.document.schemas.parts import ANY_JSON, Schema, choice, keyed, listed, members, text, whole
from policies.document.schemas.selectors import MODEL, OPERATION, RULE_ID, SELECTORS, SUBJECTS

_MEMBERS_OF_GROUP: Final = listed(text(forms.MEMBER, "`user:NAME` or `service:NAME`."), "Who is in it.", unique=False)
_GRANT: Final = members(
    "A row of the access matrix.",
    {
        "id": RULE_ID,
        "effect": choice(Effect, "Whether it grants or forbids. One that forbids outweighs every one that grants."),
        "subjects": SUBJECTS,
        "models": listed(MODEL, "Which models; left out or empty: operations that name no model, as `models.list`."),
        "operations": listed(OPERATION, "What may be done.", at_least=1),
        "expires": text(
            forms.MOMENT, "From then on there is no such grant; in UTC.", examples=["2026-12-01T00:00:00Z"]
        ),
    },
    required=("id", "effect", "subjects", "operations"),
)
ACCESS: Final = members(
    "Groups, and who may use which model for what.",
    {
        "groups": keyed(forms.GROUP, _MEMBERS_OF_GROUP, "Groups by name. A group is defined once in a release."),
        "grants": listed(_GRANT, "Nobody has what no grant gives.", at_least=1, unique=False),
    },
    required=("grants",),
)

LIMITS: Final = members(
    "How large requests may be, and how many come in a time.",
    {
        "subjects": SUBJECTS,
        "max_body_bytes": whole(1, MAX_BODY_BYTES, "The largest body of a request, in bytes."),
        "rate": members(
            "A token bucket for each subject.",
            {
                "requests": whole(1, MAX_REQUESTS, "How many requests, which is also the largest burst."),
                "per_s": whole(1, MAX_PER_S, "In how many seconds."),
            },
            required=("requests", "per_s"),
        ),
    },
    required=("subjects",),
    anyOf=[{"required": ["max_body_bytes"]}, {"required": ["rate"]}],
)

_ON_REFUSAL: Final = choice(
    OnRefusal,
    "What becomes of a refused call: `remove` takes it out, `replace` says so in the text, `cut` refuses the answer.",
    default=OnRefusal.REMOVE,
)
_MODULE: Final = text(
    forms.TEXT,
    "Rego v1. Its package is `gatehouse.guard.NAME`, NAME being the policy's id with `-` as `_`; "
    "it defines `deny`, `allow`, `obligations` or `deny_call`.",
)
GUARD: Final = members(
    "A Rego module that is asked about every request.",
    {
        "reasons": keyed(
            forms.REASON,
            text(forms.LINE, "What the client is told."),
            "The reason codes that the module may give, each with its message.",
        ),
        "data": {"type": "object", "description": "What the module reads as `data.gatehouse.guard_data.NAME`."}
        | {"additionalProperties": ANY_JSON},
        "module": _MODULE,
        "on_refusal": _ON_REFUSAL,
    },
    required=("module",),
)

_ARGUMENTS: Final[Schema] = {
    "type": "object",
    "description": "A JSON Schema (2020-12) that the call's arguments are to satisfy.",
    "additionalProperties": ANY_JSON,
}
_TOOL_RULE: Final = members(
    "Which tool calls of an answer may leave, or may not.",
    {
        "id": RULE_ID,
        "effect": choice(Effect, "Whether such a call leaves. One that forbids outweighs every one that allows."),
        "subjects": SUBJECTS,
        "operations": SELECTORS["operations"],
        "models": SELECTORS["models"],
        "tools": listed(text(forms.TOOL, "A tool's exact name, or its beginning and `*`."), "Of what.", at_least=1),
        "arguments": _ARGUMENTS,
        "patterns": keyed(
            forms.ARGUMENT,
            text(forms.VALUE, "A regular expression that covers the whole argument."),
            "Expressions for arguments that are texts, by name.",
        ),
    },
    required=("id", "effect", "subjects", "tools"),
)
TOOLS: Final = members(
    "Which tool calls of an answer may leave. In mode enforce, none does that no rule allows.",
    {"on_refusal": _ON_REFUSAL, "rules": listed(_TOOL_RULE, "The rules; none: no call leaves.", unique=False)},
    required=("rules",),
)
