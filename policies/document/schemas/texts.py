# SPDX-License-Identifier: Apache-2.0
"""The schemas of what policy says of a request's texts: `prompts` and `screening`."""

from typing import Final

from policies.contracts.prompts import OnOwn
from policies.contracts.redaction import FieldClass
from policies.contracts.screening import (
    INJECTION,
    LEAST_DEADLINE_MS,
    LONGEST_DEADLINE_MS,
    SCREENED,
    USUAL_DEADLINE_MS,
    Otherwise,
    ScreenEffect,
)
from policies.document import forms
from policies.document.schemas.parts import choice, listed, members, share, text, whole
from policies.document.schemas.redaction import FIELDS
from policies.document.schemas.selectors import RULE_ID, SELECTORS

_NAME: Final = text(forms.ID, "The name of a prompt of this policy.")
_PROMPT: Final = members(
    "A system prompt that was approved.",
    {
        "name": text(forms.ID, "What rules and records call it."),
        "text": text(forms.PROMPT, "The whole text. In YAML, `|-` writes several lines without a last line break."),
        "digest": text(forms.DIGEST, "The digest that was approved; where it is not that of the text, it is refused."),
    },
    required=("name", "text"),
)
_RULE: Final = members(
    "Which requests must have an approved prompt (`require`), or are given one (`insert`).",
    {
        "id": RULE_ID,
        **SELECTORS,
        "require": listed(_NAME, "The request's one system text must be one of these.", at_least=1),
        "insert": _NAME | {"description": "The prompt that the proxy puts in."},
        "on_own": choice(
            OnOwn, "What becomes of a request with a system text of its own, beside `insert`.", default=OnOwn.REFUSE
        ),
    },
    required=("id",),
    oneOf=[
        {"required": ["require"], "properties": {"insert": False, "on_own": False}},
        {"required": ["insert"], "properties": {"require": False}},
    ],
)
PROMPTS: Final = members(
    "Approved system prompts, and which requests must have one or are given one.",
    {
        "prompts": listed(_PROMPT, "Names and texts differ.", at_least=1, unique=False),
        "rules": listed(_RULE, "The first that selects a request counts.", at_least=1, unique=False),
    },
    required=("prompts", "rules"),
)

_SCREENING_RULE: Final = members(
    "What a request may not say, or what is noted where it does. Capitals make no difference.",
    {
        "id": RULE_ID,
        "effect": choice(ScreenEffect, "`deny` refuses the request, `flag` leaves a finding in its record."),
        "phrases": listed(
            text(forms.PHRASE, "Words, in this order.", examples=["ignore all previous instructions"]),
            "Phrases that are looked for.",
            at_least=1,
        ),
        "expressions": listed(
            text(forms.EXPRESSION, "A regular expression without look-around and back references."),
            "Expressions that are looked for, in linear time.",
            at_least=1,
        ),
        "fields": FIELDS,
        **SELECTORS,
        "reason": text(forms.REASON, "The reason code of a refusal.", default=SCREENED),
    },
    required=("id", "effect"),
    anyOf=[{"required": ["phrases"]}, {"required": ["expressions"]}],
)
_CLASSIFIER_RULE: Final = members(
    "From which score of the classifier on a text is found.",
    {
        "id": RULE_ID,
        "effect": choice(ScreenEffect, "`deny` refuses the request, `flag` leaves a finding in its record."),
        "threshold": share("The least score, of classes that have none of their own.", examples=[0.9]),
        "thresholds": members(
            "The least score by class of texts.", {str(each): share("The least score.") for each in FieldClass}
        ),
        "fields": FIELDS,
        **SELECTORS,
        "reason": text(forms.REASON, "The reason code of a refusal.", default=INJECTION),
    },
    required=("id", "effect"),
    anyOf=[
        {"required": ["threshold"]},
        {"required": ["thresholds"], "properties": {"thresholds": {"minProperties": 1}}},
    ],
)
_ASK: Final = members(
    "How the classifier is asked.",
    {
        "deadline_ms": whole(
            LEAST_DEADLINE_MS,
            LONGEST_DEADLINE_MS,
            "How long a request waits for it, in milliseconds.",
            default=USUAL_DEADLINE_MS,
        ),
        "when_absent": choice(Otherwise, "What `deny` rules mean where it does not answer.", default=Otherwise.DENY),
        "when_incomplete": choice(
            Otherwise, "What they mean where it did not judge all of the texts.", default=Otherwise.DENY
        ),
    },
)
SCREENING: Final = members(
    "What requests may not say: in folded and decoded texts, and by the score of a classifier.",
    {
        "rules": listed(_SCREENING_RULE, "Each looks for itself.", at_least=1, unique=False),
        "classifier": listed(_CLASSIFIER_RULE, "Each judges the scores for itself.", at_least=1, unique=False),
        "ask": _ASK,
    },
    anyOf=[{"required": ["rules"]}, {"required": ["classifier"]}],
)
