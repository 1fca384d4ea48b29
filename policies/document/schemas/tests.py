# SPDX-License-Identifier: Apache-2.0
"""The schema of the tests that a document brings along."""

from typing import Final

from policies.contracts.decision import Effect
from policies.contracts.snapshot import Direction, FieldClass
from policies.document import forms
from policies.document.schemas.parts import Schema, choice, flag, listed, members, text, whole
from policies.document.tests import LARGEST, NAMES, NUMBERS

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
_EXPECT: Final = members(
    "What is to come of it; what is left out does not matter.",
    {
        "effect": choice(Effect, "The decision."),
        "reasons": listed(text(forms.REASON, "A reason code."), "All reason codes, in any order."),
        "redacted": text(forms.TEXT, "The text as it leaves."),
        "blocked": flag("Whether redaction refuses the text."),
        "findings": listed(text(forms.DETECTOR, "A detector."), "All detectors that find something."),
    },
    minProperties=1,
)
TESTS: Final[Schema] = listed(
    members(
        "A request, perhaps a text, and what is to come of it.",
        {
            "name": text(forms.LINE, "What it shows."),
            "request": _REQUEST,
            "answer": text(forms.TEXT, "A text of the assistant that redaction is tried on."),
            "text": text(forms.TEXT, "A text that redaction is tried on."),
            "direction": choice(Direction, "Whose `text` is.", default=Direction.ANSWER),
            "field": choice(FieldClass, "Of which class `text` is."),
            "expect": _EXPECT,
        },
        required=("name", "request", "expect"),
    ),
    "Tried with `gatehouse policy test` and before every release.",
    unique=False,
)
