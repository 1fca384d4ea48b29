# SPDX-License-Identifier: Apache-2.0
"""The schema of the tests that a document brings along."""

from typing import Final

from policies.contracts.decision import Effect
from policies.contracts.snapshot import Direction, FieldClass
from policies.document import forms
from policies.document.schemas.parts import ANY_JSON, Schema, choice, flag, listed, members, share, text, whole
from policies.document.tests import LARGEST, NAMES, NUMBERS, ObligationType

_FACTS: Final = members(
    "What the proxy would read of the request; left out: as of an empty one.",
    {
        "stream": flag("Whether a stream is asked for."),
        "tool_choice": text(forms.LINE, "`none`, `auto`, `required` or a tool's name."),
        **{name: whole(-LARGEST, LARGEST, "A number of the request.") for name in NUMBERS},
        **{name: listed(text(forms.LINE, "A name."), "Names in the request.", unique=False) for name in NAMES},
    },
)
_REQUEST: Final = members(
    "Who asks for what.",
    {
        "subject": text(forms.MEMBER, "`user:NAME` or `service:NAME`."),
        "groups": listed(text(forms.GROUP, "A group."), "Groups that a token names."),
        "operation": text(forms.ONE_OPERATION, "The operation.", examples=["chat.completions"]),
        "model": text(forms.ONE_MODEL, "The model; left out for operations that name none."),
        "facts": _FACTS,
        "time": text(forms.LINE, "When; in quotes.", examples=["2026-11-20T18:00:00Z"]),
    },
    required=("subject", "operation"),
)
_OBLIGATION: Final = members(
    "What the decision obliges to.",
    {
        "type": choice(ObligationType, "There is one type."),
        "policy": text(forms.ID, "The redaction policy."),
    },
    required=("type", "policy"),
)
_CALL: Final = members(
    "A tool call of the answer.",
    {
        "name": text(forms.CALLED_TOOL, "The tool."),
        "arguments": {"type": "object", "description": "Its arguments.", "additionalProperties": ANY_JSON},
    },
    required=("name",),
)
_EXPECT: Final = members(
    "What is to come of it; what is left out does not matter.",
    {
        "effect": choice(Effect, "The decision."),
        "reasons": listed(text(forms.REASON, "A reason code."), "All reason codes, in any order."),
        "obligations": listed(_OBLIGATION, "All that an allowed request is obliged to, in any order.", unique=False),
        "redacted": text(forms.TEXT, "The text as it leaves."),
        "blocked": flag("Whether redaction refuses the text."),
        "screened": flag("Whether screening finds something in the text of a request."),
        "findings": listed(text(forms.DETECTOR, "A detector."), "All detectors that find something."),
        "calls": listed(text(forms.REASON, "`allow` or a reason code."), "What becomes of each call.", unique=False),
    },
    minProperties=1,
)
TESTS: Final[Schema] = listed(
    members(
        "A request, perhaps a text, and what is to come of it.",
        {
            "name": text(forms.LINE, "What it shows."),
            "canary": flag("Whether each worker tries it before it puts the release to work.", default=False),
            "request": _REQUEST,
            "answer": text(forms.TEXT, "A text of the assistant that redaction is tried on."),
            "text": text(forms.TEXT, "A text that redaction is tried on."),
            "direction": choice(Direction, "Whose `text` is.", default=Direction.ANSWER),
            "field": choice(FieldClass, "Of which class `text` is."),
            "score": share("What the classifier is taken to say of the text of a request."),
            "answer_calls": listed(_CALL, "The tool calls of one choice of the answer.", unique=False),
            "expect": _EXPECT,
        },
        required=("name", "request", "expect"),
    ),
    "Tried with `gatehouse policy test` and before every release.",
    unique=False,
)
TESTS_OF: Final[Schema] = members(
    "Tests that stand beside the policy they are about.",
    {"for": text(forms.ID, "The id of the policy that the tests are about.")},
    required=("for",),
)
